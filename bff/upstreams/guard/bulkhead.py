"""So many calls of one service at a time, and a short queue for the next ones.

The transport's pool has room for all services' slots, so nothing queues behind this unseen.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections import deque


class Bulkhead:
    """`slots` calls may be in flight; at most as many wait, each `max_wait_s` seconds at most.

    Until it is full it is one counter: no queue is looked at, nothing is awaited.
    """

    __slots__ = ("_max_wait_s", "_waiters", "in_flight", "slots")

    def __init__(self, slots: int, max_wait_s: float) -> None:
        self.slots = slots
        self.in_flight = 0
        self._max_wait_s = max_wait_s
        self._waiters: deque[Future[bool]] = deque()

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def take(self) -> bool:
        """Take a slot if one is free. Nobody overtakes: slots are handed to waiters directly."""
        if self.in_flight >= self.slots:
            return False
        self.in_flight += 1
        return True

    def force(self) -> None:
        """Take a slot beyond those there are, for what must not wait."""
        self.in_flight += 1

    async def wait(self, most_s: float) -> bool:
        """Take the next free slot within `most_s` seconds; False if it was refused or late."""
        wait_s = min(self._max_wait_s, most_s)
        if len(self._waiters) >= self.slots or wait_s <= 0:
            return False
        loop = asyncio.get_running_loop()
        waiter: Future[bool] = loop.create_future()
        timer = loop.call_later(wait_s, _give_up, waiter)
        self._waiters.append(waiter)
        try:
            return await waiter
        except asyncio.CancelledError:
            # Cancelled in the moment it was given a slot: the next one gets it.
            if waiter.done() and not waiter.cancelled() and waiter.result():
                self.leave()
            raise
        finally:
            timer.cancel()
            if waiter in self._waiters:
                self._waiters.remove(waiter)

    def leave(self) -> None:
        """Give a slot back: to who has waited longest, else to whoever comes."""
        if self._waiters and self.in_flight <= self.slots:
            while self._waiters:
                waiter = self._waiters.popleft()
                if not waiter.done():
                    waiter.set_result(True)
                    return
        self.in_flight -= 1

    def leave_in(self, seconds: float) -> None:
        """Give a slot back later: a call given up from outside still holds its connection until
        its own time is up (the default transport), and its service may be at work on it."""
        if seconds > 0:
            asyncio.get_running_loop().call_later(seconds, self.leave)
        else:
            self.leave()


def _give_up(waiter: Future[bool]) -> None:
    if not waiter.done():
        waiter.set_result(False)
