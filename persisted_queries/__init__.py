"""What shipped apps send: manifests and releases, read from files; who may ask is the gateway's."""
