"""The versions of this database, oldest first; the environment is the kit's."""
