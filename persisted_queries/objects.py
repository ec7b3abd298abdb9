"""Objects named by the SHA-256 of their bytes: documents, schemas, manifests. What is handed
out was checked against its name; what it says is left to others."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from typing import Literal

from persisted_queries.cache import Cache
from persisted_queries.problem import (
    DamagedError,
    MissingError,
    PublishRefusedError,
    RegistryError,
)
from persisted_queries.store import MOST_OF_MANY, Store

ObjectKind = Literal["documents", "schemas", "manifests"]

_HASH = re.compile(r"[0-9a-f]{64}")


def hash_of(data: bytes) -> str:
    """Lower-case hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


class Objects:
    """The objects of a store, through a cache."""

    def __init__(self, store: Store, cache: Cache) -> None:
        self._store = store
        self._cache = cache

    def get(self, kind: ObjectKind, hashed: str) -> bytes:
        """Raises MissingError, DamagedError, StoreGoneError."""
        found = next(iter(self.get_many(kind, [hashed])))[1]
        if isinstance(found, RegistryError):
            raise found
        return found

    def get_many(
        self, kind: ObjectKind, hashes: Iterable[str]
    ) -> Iterator[tuple[str, bytes | RegistryError]]:
        """What is cached first, then the rest; what cannot be had is told in its place."""
        absent: dict[str, str] = {}
        for hashed in hashes:
            if _HASH.fullmatch(hashed) is None:  # it would be a path to anywhere
                yield hashed, DamagedError(f"{kind}: {hashed[:80]!r} is no hash; publish it again")
                continue
            path = f"{kind}/{hashed}"
            data = self._cache.get(path)
            if data is not None and hash_of(data) == hashed:
                yield hashed, data
            else:
                absent[path] = hashed
        if absent:
            yield from self._fetched(absent)

    def put(self, kind: ObjectKind, data: bytes) -> str:
        """Store once; returns its hash. One that stands there damaged is mended. Raises
        PublishRefusedError for what nobody would read, StoreGoneError."""
        if len(data) > MOST_OF_MANY:
            raise PublishRefusedError(
                f"{kind}: {len(data):,} bytes are more than the {MOST_OF_MANY:,} that gateways read"
            )
        hashed = hash_of(data)
        path = f"{kind}/{hashed}"
        # A name on most file systems is durable before its bytes are: what is there is not trusted.
        if not self._store.create(path, data) and self._store.get(path) != data:
            self._store.replace(path, data)
        return hashed

    def _fetched(self, absent: dict[str, str]) -> Iterator[tuple[str, bytes | RegistryError]]:
        for path, data in self._store.get_many(absent):
            hashed = absent[path]
            if isinstance(data, RegistryError):
                yield hashed, data
            elif data is None:
                yield hashed, MissingError(f"{path}: is not in the store; publish it again")
            elif hash_of(data) != hashed:
                yield (
                    hashed,
                    DamagedError(
                        f"{path}: its bytes are not those of its name; publish it again to mend it"
                    ),
                )
            else:
                self._cache.put(path, data)
                yield hashed, data
