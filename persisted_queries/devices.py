"""Counts distinct devices in little space: exactly up to a limit, by estimate above, mergeable.

What is held is the smallest `limit` hashes seen (bottom-k). Hashes spread evenly, so how small the
k-th of them is tells how many there were: (k - 1) / (its part of the range), with a standard error
of 1 / sqrt(k - 2). The smallest of a union are among the smallest of its parts: merging loses
nothing. Who hashes, and by which salt, is the caller's.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from sys import byteorder

HASH_BYTES = 8
RANGE = 1 << (8 * HASH_BYTES)
# Of a release: shares to about a point (3 %). Of a document of a release: a coarser picture (6 %),
# and where there are very many of those no more than an idea (27 %).
RELEASE_LIMIT = 1_024
DOCUMENT_LIMIT = 256
COARSE_LIMIT = 16


class Devices:
    """Distinct 64-bit hashes; `limit` >= 3 of them are held."""

    __slots__ = ("_held", "limit")

    def __init__(self, limit: int, hashes: Iterable[int] = ()) -> None:
        self.limit = limit
        # Ascending, each once: a tenth of what a set takes, and putting one in its place is to move
        # some kilobytes at most.
        self._held = _smallest(hashes, limit)

    def add(self, hashes: Iterable[int]) -> None:
        """Note hashes, each in 0 … 2**64 - 1."""
        held, limit = self._held, self.limit
        bar = held[-1] if len(held) == limit else RANGE  # what is not below it is not among them
        for one in hashes:
            if one < bar:
                at = bisect_left(held, one)
                if at == len(held) or held[at] != one:
                    held.insert(at, one)
                    del held[limit:]

    def merge(self, other: Devices) -> None:
        """Note all that the other has seen; the coarser of the two limits holds from now on."""
        self.limit = min(self.limit, other.limit)
        self._held = _smallest([*self._held, *other._held], self.limit)

    def count(self) -> int:
        """How many distinct ones were seen."""
        if len(self._held) < self.limit:
            return len(self._held)
        return round((self.limit - 1) * RANGE / self._held[-1])

    def encode(self) -> bytes:
        """The hashes held, ascending, 8 bytes each, big-endian."""
        return _swapped(self._held[:]).tobytes()

    @classmethod
    def decode(cls, limit: int, data: bytes) -> Devices:
        """Raises ValueError for bytes that are no whole hashes."""
        found = array("Q")
        found.frombytes(data)
        return cls(limit, _swapped(found))


def _smallest(hashes: Iterable[int], limit: int) -> array[int]:
    """Sorting before doubles go: most come as one or two parts that are in order already."""
    return array("Q", list(dict.fromkeys(sorted(hashes)))[:limit])


def _swapped(hashes: array[int]) -> array[int]:
    if byteorder == "little":
        hashes.byteswap()
    return hashes
