"""A bad day: faults, overload, slow networks, wrong clocks; see README.md."""
