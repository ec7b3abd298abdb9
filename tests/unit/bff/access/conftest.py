"""A clock the tests move: wall and monotonic time of the process."""

from __future__ import annotations

import time

import pytest


class Clock:
    """Moves `time.time` and `time.monotonic` together."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._wall, self._monotonic, self._moved = time.time, time.monotonic, 0.0
        monkeypatch.setattr(time, "time", lambda: self._wall() + self._moved)
        monkeypatch.setattr(time, "monotonic", lambda: self._monotonic() + self._moved)

    def move(self, seconds: float) -> None:
        self._moved += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Later is made, not waited for."""
    return Clock(monkeypatch)
