"""Values in this process, bounded by entries and by bytes; the least recently used go first."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from cachetools import TLRUCache


class _Kept(NamedTuple):
    value: bytes
    ttl_s: float
    size: int


class MemoryTier:
    """A KeyValueTier that never fails. `max_bytes` counts values and keys (UTF-8), not overhead."""

    def __init__(
        self,
        max_entries: int,
        max_bytes: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._kept: TLRUCache[str, _Kept] = TLRUCache(
            maxsize=max_bytes,
            ttu=lambda _key, kept, now: now + kept.ttl_s,
            timer=clock,
            getsizeof=lambda kept: kept.size,
        )

    def __len__(self) -> int:
        return len(self._kept)

    @property
    def size(self) -> int:
        """Bytes held now."""
        return int(self._kept.currsize)

    async def get(self, key: str) -> bytes | None:
        kept = self._kept.get(key)
        return None if kept is None else kept.value

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """A value larger than the whole tier is not kept: it would only drive out the others."""
        size = len(key.encode()) + len(value)
        self._kept.pop(key, None)
        if size > self._max_bytes:
            return
        while len(self._kept) >= self._max_entries:
            self._kept.popitem()
        self._kept[key] = _Kept(value, ttl_s, size)

    async def close(self) -> None:
        self._kept.clear()
