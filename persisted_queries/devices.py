"""Counts distinct devices in little space: exactly up to a limit, by estimate above, mergeable.

What is held is the smallest `limit` hashes seen (bottom-k). Hashes spread evenly, so how small the
k-th of them is tells how many there were: (k - 1) / (its part of the range), with a standard error
of 1 / sqrt(k - 2). The smallest of a union are among the smallest of its parts: merging loses
nothing. Who hashes, and by which salt, is the caller's.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from sys import byteorder

HASH_BYTES = 8
RANGE = 1 << (8 * HASH_BYTES)
# Of a release: shares to about a point (3 %). Of a document of a release: a coarser picture (6 %).
RELEASE_LIMIT = 1_024
DOCUMENT_LIMIT = 256


class Devices:
    """Distinct 64-bit hashes; `limit` >= 3 of them are held."""

    __slots__ = ("_bar", "_held", "limit")

    def __init__(self, limit: int, hashes: Iterable[int] = ()) -> None:
        self.limit = limit
        self._held = set(hashes)
        self._bar = RANGE  # what is not below it cannot be among the smallest
        self._trim()

    def add(self, hashes: Iterable[int]) -> None:
        """Note hashes, each in 0 … 2**64 - 1."""
        bar = self._bar
        self._held.update(one for one in hashes if one < bar)
        if len(self._held) > 2 * self.limit:  # trimming sorts: not for every one
            self._trim()

    def merge(self, other: Devices) -> None:
        """Note all that the other has seen; the coarser of the two limits holds from now on."""
        self.limit = min(self.limit, other.limit)
        self._held |= other._held
        self._trim()

    def count(self) -> int:
        """How many distinct ones were seen."""
        self._trim()
        if len(self._held) < self.limit:
            return len(self._held)
        return round((self.limit - 1) * RANGE / max(self._held))

    def encode(self) -> bytes:
        """The hashes held, ascending, 8 bytes each, big-endian."""
        self._trim()
        return _swapped(array("Q", sorted(self._held))).tobytes()

    @classmethod
    def decode(cls, limit: int, data: bytes) -> Devices:
        """Raises ValueError for bytes that are no whole hashes."""
        found = array("Q")
        found.frombytes(data)
        return cls(limit, _swapped(found))

    def _trim(self) -> None:
        if len(self._held) > self.limit:
            smallest = sorted(self._held)[: self.limit]
            self._held = set(smallest)
            self._bar = smallest[-1]


def _swapped(hashes: array[int]) -> array[int]:
    if byteorder == "little":
        hashes.byteswap()
    return hashes
