"""What the parts promise one another: schemas, manifests, services, imports, sizes."""
