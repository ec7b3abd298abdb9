"""When a call leaves: a wave is one loader at one level, sent once all that feeds it is done.

Nothing here knows how a call is made. A wave whose feeders take too long leaves when its join
budget is spent; keys that come after gather in a follow-up, which is counted as late (DESIGN D2).
"""

from __future__ import annotations

from asyncio import TimerHandle
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

# container, key or index in it, how the record becomes the value, the place of that value
Slot: TypeAlias = "tuple[Any, Any, Any, Any]"

JOIN_SHARE = 0.25


@dataclass(frozen=True, slots=True)
class WavePlan:
    """One planned call. `feeders` and `feeds` are indexes of waves of the same group; `calls_left`
    is how many calls stand one after another from here, this one included; `budget_s` is the
    shortest budget of the sections it belongs to."""

    index: int
    group: int
    loader: type
    of_viewer: bool
    level: int
    feeders: tuple[int, ...]
    feeds: tuple[int, ...]
    calls_left: int
    budget_s: float | None = None


def join_budget(remaining: float, calls_left: int) -> float:
    """Seconds a wave may wait for its feeders, from the moment its first key is there: a quarter
    of the time left, and less where so many calls follow that each would get less than that."""
    return min(remaining * JOIN_SHARE, remaining / (1 + calls_left))


class OpenWave:
    """A wave in one run. `waiting` counts what can still bring keys: waves that are not done and
    values that are awaited; `in_flight` its calls without an answer."""

    __slots__ = ("done", "in_flight", "keys", "overdue", "plan", "sent", "timer", "waiting")

    def __init__(self, plan: WavePlan) -> None:
        self.plan = plan
        # Where each key's record goes; generated functions append to it.
        self.keys: defaultdict[Any, list[Slot]] = defaultdict(list)
        self.waiting = len(plan.feeders)
        self.in_flight = 0
        self.timer: TimerHandle | None = None
        self.overdue = False
        self.sent = False
        self.done = False

    def take(self) -> tuple[dict[Any, list[Slot]], bool]:
        """The gathered keys with their slots, and whether they are late: the wave had left."""
        keys, self.keys = self.keys, defaultdict(list)
        late, self.sent = self.sent, True
        self.in_flight += 1
        self.overdue = False
        self.stop_timer()
        return keys, late

    def stop_timer(self) -> None:
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


def close_finished(waves: Sequence[OpenWave], everything: Sequence[OpenWave]) -> None:
    """Mark what is over; this travels down at once, as waves stand in the order of their levels."""
    for wave in waves:
        if not (wave.done or wave.waiting or wave.in_flight or wave.keys):
            wave.done = True
            for index in wave.plan.feeds:
                everything[index].waiting -= 1
