"""A clock the tests move: wall and monotonic time of the process."""

from __future__ import annotations

import time
from typing import Any

import pytest
from cachetools import TTLCache


class TickingCache(TTLCache[Any, Any]):
    """A cache on the clock of the moment it is asked; cachetools keeps the one it was imported
    with."""

    def __init__(self, maxsize: float, ttl: float) -> None:
        super().__init__(maxsize, ttl, timer=lambda: time.monotonic())


class Clock:
    """Moves `time.time`, `time.monotonic` and the room's caches together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._wall, self._monotonic, self._moved = time.time, time.monotonic, 0.0
        monkeypatch.setattr(time, "time", lambda: self._wall() + self._moved)
        monkeypatch.setattr(time, "monotonic", lambda: self._monotonic() + self._moved)
        for module in ("authenticate", "revocations"):
            monkeypatch.setattr(f"bff.access.{module}.TTLCache", TickingCache)

    def move(self, seconds: float) -> None:
        self._moved += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Later is made, not waited for."""
    return Clock(monkeypatch)
