"""A release's manifest as the registry stores it: every operation, or what differs from the
manifest of an earlier release. The texts are objects of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from persisted_queries.bodies import OperationType
from persisted_queries.model import Hash
from persisted_queries.problem import DamagedError

# So many steps lead from a manifest to a full one at most: each is one object to read.
MOST_STEPS = 20


class StoredOperation(msgspec.Struct, frozen=True):
    """`id` is what the app sends, `hash` the text's own."""

    id: str
    hash: Hash
    name: str
    type: OperationType


class StoredManifest(msgspec.Struct, frozen=True, kw_only=True):
    """`base` is the hash of the manifest that `operations` are added to and the ids in `dropped`
    taken from; with None, `operations` are all."""

    format: Literal["facet-manifest"] = "facet-manifest"
    version: Literal[1] = 1
    base: Hash | None = None
    operations: tuple[StoredOperation, ...] = ()
    dropped: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Canonical JSON: the same manifest gives the same bytes."""
        return msgspec.json.encode(self, order="sorted")


def decode(data: bytes, hashed: str) -> StoredManifest:
    """Raises DamagedError, which a manifest of a newer version is to this one too."""
    try:
        found = msgspec.json.decode(data, type=StoredManifest)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamagedError(
            f"manifests/{hashed}: cannot be read ({error}); a newer version of the gateway may"
        ) from error
    if len({one.id for one in found.operations}) < len(found.operations):
        raise DamagedError(f"manifests/{hashed}: names an id twice; publish the release again")
    return found


def full(operations: Mapping[str, StoredOperation]) -> StoredManifest:
    """`operations` by id; stored in order of id, so that the order of a file does not matter."""
    return StoredManifest(operations=tuple(operations[key] for key in sorted(operations)))


def difference(
    base: str, held: Mapping[str, StoredOperation], wanted: Mapping[str, StoredOperation]
) -> StoredManifest:
    """`wanted` as what differs from the manifest `base`, which holds `held`."""
    added = {key: one for key, one in wanted.items() if held.get(key) != one}
    dropped = sorted(key for key, one in held.items() if wanted.get(key) != one)
    listed = tuple(added[key] for key in sorted(added))
    return StoredManifest(base=base, operations=listed, dropped=tuple(dropped))
