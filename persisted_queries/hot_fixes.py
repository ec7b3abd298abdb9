"""Which text runs in place of which, as gateways go by the hot-fixes of a log; what is proven of
them before is `shape.py`'s."""

from __future__ import annotations

from collections.abc import Mapping

from persisted_queries.registry import Registry

# (hash of a shipped text, release or None for all) → hash of what runs in its place.
Running = Mapping[tuple[str, str | None], str]


def running(registry: Registry) -> Running:
    """By the text behind an id, whatever other ids it has in other releases. Raises
    RegistryError."""
    state = registry.state
    for release in state.releases.values():
        registry.catalogue.sent_by(release.manifest)
    found = {}
    for (document_id, name), patched in state.remaps.items():
        hashed = document_id.removeprefix("sha256:").lower()
        for replaced in registry.catalogue.texts(document_id) or {hashed}:
            found[replaced, name] = patched
    return found


def patched_by(fixes: Running, hashed: str, release: str) -> str | None:
    """What runs for a release in place of a text; its own hot-fix goes before one for all."""
    return fixes.get((hashed, release)) or fixes.get((hashed, None))
