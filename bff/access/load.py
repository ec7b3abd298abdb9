"""How much this process takes on at once: a limit on operations in flight that follows the lag of
the event loop, a short wait beyond it, and who goes first.

A loop that is late has more to do than it gets done: all that is in flight waits for all the rest.
Every TICK_S the lag of one timer is measured. Above `admission.lag_target_ms` (smoothed, so that
one long step, such as a plan being compiled, changes nothing) the limit becomes nine tenths of what
was in flight; well below it, and if the limit makes somebody wait, it grows by a twentieth. Latency
would be the wrong signal: a slow service makes requests long without costing this process anything,
and has limits of its own.

Who finds no room waits, at most `admission.max_wait_ms`: a burst passes, and a caller who comes
back at once is held for a moment instead of costing the loop a refusal each time. Those a person
waits for go first, in turn, or once the wait gets long the newest before the others, who are about
to give up. Prefetches and background work have a part of the limit only, and make way in the queue.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import uniform
from typing import NamedTuple

from bff.config import AdmissionConfig
from bff.errors import Overloaded
from bff.request import Priority
from bff.telemetry.logs import logger

log = logger(__name__)

TICK_S = 0.05
SMOOTHING = 0.3
SHRINK, GROW = 0.9, 0.05
# How many in flight a process begins with: enough to keep a core busy before quick services. What
# is in flight beyond costs each of them more CPU, so it is for a loop that is nearly idle, before
# slow ones. The parts of the lag allowed below which the limit grows, up to that number and above.
FIRST_LIMIT = 64
GROWS_BELOW, GROWS_FAR_BELOW = 0.5, 0.04
# After this part of the longest wait the newest go first: the oldest are about to give up.
NEWEST_AFTER = 0.5
# When a shed caller is asked to come back, in seconds: a person soon, a machine once it is over.
COME_BACK_S = ((1.0, 3.0), (5.0, 15.0), (15.0, 45.0))
TOLD_EVERY_S = 1.0
SHED = "The service is busy; try again after the time in extensions.retryAfterMs."


class _Waiting(NamedTuple):
    until: float
    admitted: asyncio.Future[bool]


Shed = Callable[[str, str], object]
"""Counts one shed request, by priority and reason."""


def _uncounted(_priority: str, _reason: str) -> None:
    """Counts nothing."""


class Load:
    """The load of one process. Whoever entered must leave."""

    def __init__(self, config: AdmissionConfig, count: Shed = _uncounted) -> None:
        self._config = config
        self._count = count
        self._most = config.max_in_flight or 1_000_000_000
        self._least = min(config.min_in_flight, self._most)
        self._target_s = config.lag_target_ms / 1000
        self._wait_s = config.max_wait_ms / 1000
        self.in_flight = 0
        self.lag_s = 0.0
        # Since the last tick: the most in flight, and whether the limit made anybody wait.
        self._peak, self._held_back = 0, False
        self.limit = 0.0
        self._allow(float(max(self._least, min(self._most, FIRST_LIMIT))))
        if not config.max_in_flight:
            self._allow(float(self._most))
        self._queues: tuple[deque[_Waiting], ...] = tuple(deque() for _ in Priority)
        self.waiting = 0
        self._shed = 0  # since an operator was last told
        self._told_at = 0.0
        self._timer: asyncio.TimerHandle | None = None

    def enters(self, priority: Priority) -> bool:
        """Take a place if there is one at once."""
        if self.in_flight >= self._allowed[priority]:
            return False
        self.in_flight += 1
        if self.in_flight > self._peak:
            self._peak = self.in_flight
        return True

    async def waits(self, priority: Priority) -> bool:
        """Take a place once there is one, or none: False for who is shed."""
        if self.waiting >= self._config.max_waiting and not self._make_way(priority):
            self.shed(priority, "full")
            return False
        self._held_back = True
        loop = asyncio.get_running_loop()
        place = _Waiting(loop.time() + self._wait_s, loop.create_future())
        self._queues[priority].append(place)
        self.waiting += 1
        try:
            return await place.admitted
        except asyncio.CancelledError:
            if place.admitted.done() and not place.admitted.cancelled() and place.admitted.result():
                self.leave()
            raise

    def adds(self, n: int) -> None:
        """One that entered turns out to be so many more: members of a JSON array."""
        self.in_flight += n

    def leave(self, n: int = 1) -> None:
        self.in_flight -= n
        if self.waiting:
            self._admit()

    def check(self, priority: Priority) -> None:
        """The second look, for one that is in: its document may say that nobody waits. Raises
        Overloaded for what would not have been let in as what it is."""
        if self.in_flight > self._allowed[priority] and priority is not Priority.USER:
            self.shed(priority, "document")
            raise Overloaded(SHED, extensions={"retryAfterMs": self.come_back_ms(priority)})

    def shed(self, priority: Priority, reason: str) -> None:
        self._shed += 1
        self._count(priority.name.lower(), reason)

    def come_back_ms(self, priority: Priority) -> int:
        """When a shed caller should be back: jittered, so that they do not come together."""
        return int(uniform(*COME_BACK_S[priority]) * 1000)  # noqa: S311 - no secret

    def begin(self) -> None:
        """Watch the running loop until `end`."""
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(TICK_S, self._tick, loop, loop.time() + TICK_S)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self, loop: asyncio.AbstractEventLoop, due: float) -> None:
        now = loop.time()
        self._timer = loop.call_later(TICK_S, self._tick, loop, now + TICK_S)
        self.measured(max(0.0, now - due))
        self._turn_away(now)
        if self._shed and now - self._told_at >= TOLD_EVERY_S:
            log.warning(
                "load_shed",
                requests=self._shed,
                in_flight=self.in_flight,
                limit=int(self.limit),
                waiting=self.waiting,
                lag_ms=round(self.lag_s * 1000, 1),
            )
            self._shed, self._told_at = 0, now

    def measured(self, lag_s: float) -> None:
        """The loop was so late: go by it."""
        self.lag_s += SMOOTHING * (lag_s - self.lag_s)
        peak, self._peak = self._peak, self.in_flight
        held_back, self._held_back = self._held_back, self.waiting > 0
        if not self._config.max_in_flight:
            return
        if self.lag_s > self._target_s:
            # Fewer in flight help only where many are.
            if peak > self._least:
                self._allow(max(self._least, min(self.limit, peak) * SHRINK))
        elif held_back and self.limit < self._most and self.lag_s < self._grows_below():
            self._allow(min(self._most, self.limit + max(1.0, self.limit * GROW)))
            if self.waiting:
                self._admit()

    def _grows_below(self) -> float:
        return self._target_s * (GROWS_BELOW if self.limit < FIRST_LIMIT else GROWS_FAR_BELOW)

    def _allow(self, limit: float) -> None:
        self.limit = limit
        shares = (1.0, self._config.prefetch_share, self._config.background_share)
        self._allowed = tuple(max(1, int(limit * share)) for share in shares)

    def _admit(self) -> None:
        late = asyncio.get_running_loop().time() + self._wait_s * (1 - NEWEST_AFTER)
        for queue, allowed in zip(self._queues, self._allowed, strict=True):
            while queue and self.in_flight < allowed:
                self.waiting -= 1
                place = queue.pop() if queue[0].until < late else queue.popleft()
                if not place.admitted.done():
                    self.in_flight += 1
                    place.admitted.set_result(True)

    def _turn_away(self, now: float) -> None:
        """Those who waited long enough."""
        for priority, queue in zip(Priority, self._queues, strict=True):
            while queue and queue[0].until <= now:
                self._refuse(priority, queue, "late")

    def _make_way(self, priority: Priority) -> bool:
        """Somebody who is less urgent gives up his turn."""
        for other in (Priority.BACKGROUND, Priority.PREFETCH):
            if other > priority and self._queues[other]:
                self._refuse(other, self._queues[other], "displaced")
                return True
        return False

    def _refuse(self, priority: Priority, queue: deque[_Waiting], reason: str) -> None:
        self.waiting -= 1
        place = queue.popleft()
        if not place.admitted.done():
            self.shed(priority, reason)
            place.admitted.set_result(False)
