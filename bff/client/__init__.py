"""Which app build is calling."""
