"""Stops asking a service that fails or is slow, and finds out alone when it is back.

Judged over a sliding window by shares of calls: failed and slow ones count alike. The clock is the
caller's, in seconds, and only ever moves forward.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum

from bff.config import GuardConfig
from bff.upstreams.guard.verdict import Verdict

BUCKETS = 10
# Of the time it stays open, so that the processes of a fleet do not probe all at once.
JITTER = 0.2
# What those are told who come while the probe is out.
PROBE_HINT_S = 0.5


class State(IntEnum):
    """As the metric shows it."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Breaker:
    """`closed` is all a call looks at while its service is well."""

    def __init__(self, config: GuardConfig, draw: Callable[[], float]) -> None:
        self.closed = True
        self._draw = draw
        self._open_s = config.open_ms / 1000
        self._least = config.breaker_calls
        self._share = config.breaker_share
        self._bucket_s = config.breaker_window_s / BUCKETS
        self._until = 0.0
        self._probing = False
        self._at = 0
        self._turn = float("-inf")
        self._calls = [0] * BUCKETS
        self._bad = [0] * BUCKETS

    def state(self, now: float) -> State:
        if self.closed:
            return State.CLOSED
        return State.HALF_OPEN if self._probing or now >= self._until else State.OPEN

    def seen(self) -> tuple[int, int]:
        """Calls in the window, and how many of them were failed or slow."""
        return sum(self._calls), sum(self._bad)

    def knock(self, now: float) -> float:
        """For a call that comes while it is not closed: 0 makes it the probe, whose end must be
        told to `probed`; else the seconds until another try makes sense."""
        if self._probing:
            return PROBE_HINT_S
        if now < self._until:
            return self._until - now
        self._probing = True
        return 0.0

    def probed(self, verdict: Verdict, now: float) -> None:
        """The end of the probe. One that was cut short leaves the question open."""
        self._probing = False
        if verdict is Verdict.GOOD:
            self.closed = True
            self._forget()
        elif verdict is Verdict.CUT:
            self._until = now
        else:
            self._open(now)

    def good(self, now: float) -> None:
        """A call that ended well, and in time."""
        if now >= self._turn:
            self._roll(now)
        self._calls[self._at] += 1

    def bad(self, now: float) -> bool:
        """A call that failed or was slow; whether that opened it. Stragglers sent before it
        opened change nothing."""
        if not self.closed:
            return False
        self.good(now)
        self._bad[self._at] += 1
        calls, bad = self.seen()
        if calls < self._least or bad < calls * self._share:
            return False
        self._open(now)
        return True

    def _open(self, now: float) -> None:
        self.closed = False
        self._until = now + self._open_s * (1 - JITTER * self._draw())

    def _forget(self) -> None:
        self._calls = [0] * BUCKETS
        self._bad = [0] * BUCKETS

    def _roll(self, now: float) -> None:
        """Go on to the bucket of this moment, emptying those between."""
        if now - self._turn >= self._bucket_s * BUCKETS:
            self._forget()
            self._turn = now + self._bucket_s
            return
        while now >= self._turn:
            self._at = (self._at + 1) % BUCKETS
            self._calls[self._at] = self._bad[self._at] = 0
            self._turn += self._bucket_s
