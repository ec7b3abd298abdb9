"""Counts what ran compiled and what fell back, with the reason; where it is shown is others'."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Literal

Level = Literal["operation", "field", "value"]


def _unheard(_level: str, _reason: str) -> None:
    """Tells nobody."""


class Counters:
    """`compiled`: operations executed by a compiled plan; `fallbacks`: what graphql-core executed
    instead, by level and reason. `heard` is told of every fallback (metrics)."""

    __slots__ = ("_heard", "compiled", "fallbacks")

    def __init__(self, heard: Callable[[str, str], None] = _unheard) -> None:
        self.compiled = 0
        self.fallbacks: Counter[tuple[str, str]] = Counter()
        self._heard = heard

    def fell_back(self, level: Level, reason: str) -> None:
        self.fallbacks[level, reason] += 1
        self._heard(level, reason)
