"""Leaky buckets by theoretical arrival time (GCRA, ITU-T I.371), kept in this process; whose they
are, and what follows from an empty one, is the caller's to know.

A bucket is one number: the instant at which it will be full again. Taking from it moves that
instant on; there is enough as long as it lies no further ahead than a whole bucket takes to fill.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

# What a bucket must be short of, as a part of the whole, before anybody else is told: what most
# callers ever do stays in the process they do it in.
TELL_FROM = 0.05
# What sums of floating-point numbers may be off by.
ROUNDING_S = 1e-9
# A caller is told how he stands once less than this part is left.
NEARLY_EMPTY = 0.25


class Rate(NamedTuple):
    """So many a minute, and so many at once by who has rested."""

    per_minute: int
    burst: int

    @property
    def every_s(self) -> float:
        """The time in which one comes back."""
        return 60.0 / self.per_minute

    @property
    def depth_s(self) -> float:
        """The time in which an empty bucket fills."""
        return self.every_s * self.burst


class Buckets:
    """The buckets of one kind, by key. Instants are seconds of one monotonic clock, the caller's.

    `most` keys are remembered, in two generations: once the newer is half of that the older is
    forgotten, so whoever floods with ever new keys takes no memory, and costs no sweep.
    `processes` share what there is while they cannot count together: `apart` tells that.
    """

    def __init__(
        self, name: str, rate: Rate, most: int, *, processes: int = 1, shared: bool = False
    ) -> None:
        self.name = name
        self.rate = rate
        self._processes = processes
        self._half = max(1, most // 2)
        self._full_at: dict[Hashable, float] = {}
        self._older: dict[Hashable, float] = {}
        # Taken since the others were told, by key: of those that are short of something.
        self.untold: dict[Hashable, float] | None = {} if shared else None
        self._warm_s = rate.depth_s * TELL_FROM
        self.set_apart(not shared)

    def set_apart(self, apart: bool) -> None:
        """Allow this process its part of the limit, or all of it."""
        self._every_s = self.rate.every_s * (self._processes if apart else 1)
        # Not less than one, or nothing would ever be allowed.
        self._depth_s = max(self.rate.depth_s, self._every_s)
        # A bucket is nearly empty when `take` returns more than that.
        self.nearly_s = -NEARLY_EMPTY * self._depth_s

    def take(self, key: Hashable, n: float, now: float) -> float:
        """Take `n` if there are so many. Returns the seconds to wait: at most 0 if they were taken,
        and the further below, the more is left. More than a whole bucket counts as a whole one."""
        full_at = self._full_at.get(key)
        if full_at is None:
            full_at = self._older.get(key, now)
        depth = self._depth_s
        needed = min(n * self._every_s, depth)
        full_at = (full_at if full_at > now else now) + needed
        wait = full_at - now - depth
        if wait > ROUNDING_S:
            self._set(key, full_at - needed)  # or whoever keeps coming in vain would be forgotten
            return wait
        self._set(key, full_at)
        if self.untold is not None:
            self._note(self.untold, key, needed, full_at - now)
        return wait if wait < 0.0 else 0.0

    def give_back(self, key: Hashable, n: float) -> None:
        """Put back what was taken a moment ago."""
        full_at = self._full_at.get(key)
        if full_at is not None:
            self._full_at[key] = full_at - n * self._every_s
            if self.untold is not None and key in self.untold:
                self.untold[key] -= n

    def short_s(self, key: Hashable, now: float) -> float:
        """Seconds until a bucket is full again."""
        full_at = self._full_at.get(key) or self._older.get(key, now)
        return max(0.0, full_at - now)

    def learn(self, key: Hashable, short_s: float, now: float) -> None:
        """What all processes together have taken; what was not told them yet comes on top. What
        this one knows to be missing stays so: a Redis that was emptied knows less."""
        untold = self.untold.get(key, 0.0) if self.untold is not None else 0.0
        full_at = now + short_s + untold * self._every_s
        if full_at - now > self.short_s(key, now):
            self._set(key, full_at)

    def left(self, short_s: float) -> int:
        """How many may be taken at once from a bucket that is so far from full."""
        return max(0, int((self._depth_s - short_s) / self._every_s + 1e-6))

    def __len__(self) -> int:
        return len(self._full_at) + len(self._older)

    def _set(self, key: Hashable, full_at: float) -> None:
        if len(self._full_at) >= self._half and key not in self._full_at:
            self._older, self._full_at = self._full_at, {}
        self._full_at[key] = full_at

    def _note(
        self, untold: dict[Hashable, float], key: Hashable, taken_s: float, short_s: float
    ) -> None:
        if key in untold:
            untold[key] += taken_s / self._every_s
        elif short_s > self._warm_s and len(untold) < self._half:
            # The first time, all that is missing is news.
            untold[key] = short_s / self._every_s
