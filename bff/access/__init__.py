"""Who the viewer is; what the viewer may see is the core services' to say."""
