"""Alembic run from code: every service keeps only its versions, the environment is shared."""
