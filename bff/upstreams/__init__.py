"""The gateway's side of the core services: typed, list-wise calls inside one deadline."""
