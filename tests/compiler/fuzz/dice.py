"""Chance that depends on nothing but a seed and a place, whatever was asked before elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar
from zlib import crc32

T = TypeVar("T")

_MASK = (1 << 64) - 1
_FINE = 1 << 20


class Dice:
    """Equal keys throw equal numbers, in this process and any other."""

    __slots__ = ("_state",)

    def __init__(self, *key: object) -> None:
        self._state = crc32(repr(key).encode())

    def below(self, limit: int) -> int:
        self._state = (self._state * 6364136223846793005 + 1442695040888963407) & _MASK
        return (self._state >> 33) % limit

    def chance(self, share: float) -> bool:
        return self.below(_FINE) < share * _FINE

    def pick(self, among: Sequence[T]) -> T:
        return among[self.below(len(among))]

    def between(self, least: int, most: int) -> int:
        return least + self.below(most - least + 1)

    def some(self, among: Sequence[T], least: int, most: int) -> list[T]:
        """Between so many different ones, in their order."""
        left = list(range(len(among)))
        wanted = min(self.between(least, most), len(left))
        while len(left) > wanted:
            left.pop(self.below(len(left)))
        return [among[index] for index in left]
