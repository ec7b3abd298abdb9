"""The contract with the apps: one schema a platform, each evolved by its own frontend team."""
