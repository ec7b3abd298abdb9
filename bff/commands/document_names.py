"""Which operation is behind the hash of a document, for people who read what was used."""

from __future__ import annotations

from persisted_queries.hot_fixes import running
from persisted_queries.registry import Registry


def names_of(registry: Registry) -> dict[str, str]:
    """Hash → name, of every document that a release was ever published with and of what runs in its
    place. Raises RegistryError."""
    manifests = [one.manifest for one in registry.state.releases.values()]
    registry.catalogue.fetch(manifests)
    for manifest in manifests:
        registry.catalogue.sent_by(manifest)
    names = {one.hash: one.name for one in registry.catalogue.operations}
    for (replaced, _), patched in running(registry).items():
        if replaced in names:
            names.setdefault(patched, names[replaced])
    return names
