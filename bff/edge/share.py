"""Workers that accept from one socket take turns by how many connections each has.

Without it the first to wake takes all that wait: connections that a proxy opens at once, and keeps,
would all be one worker's. The counts stand in memory that the workers share; nobody waits for a
worker that does not accept, and for none longer than a moment.
"""

from __future__ import annotations

import asyncio
import mmap
import os
import socket
from collections.abc import Callable

ABSENT = -1
# How much more than the least busy worker one may have and still be first.
AHEAD = 1
# The others' time to come before, and how often it is given for one connection.
TURN_S, TURNS = 0.002, 5
NO_FILES_PAUSE_S = 0.1
BACKLOG = 2048
# Connections taken in by one round of the loop, at most.
AT_ONCE = 64


class Shares:
    """The counts of all workers, by slot, in a file that only exists in memory."""

    def __init__(self, descriptor: int) -> None:
        self._memory = mmap.mmap(descriptor, os.fstat(descriptor).st_size)
        self._counts = memoryview(self._memory).cast("i")

    def set(self, slot: int, count: int) -> None:
        """So many connections, or ABSENT."""
        self._counts[slot] = count

    def add(self, slot: int) -> None:
        """One connection more."""
        self._counts[slot] += 1

    def is_ahead(self, slot: int) -> bool:
        """Whether another worker should have the next connection."""
        least = min((count for count in self._counts if count != ABSENT), default=0)
        return self._counts[slot] - least > AHEAD


class Turn:
    """One worker's place among the others."""

    def __init__(self, shares: Shares, slot: int) -> None:
        self._shares, self._slot = shares, slot
        self._takes_part = True

    def tell(self, count: int) -> None:
        """So many connections are open."""
        if self._takes_part:
            self._shares.set(self._slot, count)

    def is_ahead(self) -> bool:
        """Whether another worker should have the next connection."""
        return self._shares.is_ahead(self._slot)

    def took_one(self) -> None:
        """One more is on its way in; the next word of how many are open counts it."""
        if self._takes_part:
            self._shares.add(self._slot)

    def leave(self) -> None:
        """Accepts no more; its successor may have the place already."""
        if self._takes_part:
            self._takes_part = False
            self._shares.set(self._slot, ABSENT)


class Acceptor:
    """Accepts connections, where there are other workers when it is this one's turn."""

    def __init__(
        self, listener: socket.socket, make: Callable[[], asyncio.Protocol], turn: Turn | None
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make = make
        self._turn = turn
        self._waited = 0
        self._open = True
        self.entering: set[asyncio.Task[object]] = set()
        listener.listen(BACKLOG)
        if turn is not None:
            turn.tell(0)
        self._watch()

    def close(self) -> None:
        """Accept no more; the socket itself is the caller's."""
        if self._open:
            self._open = False
            if self._turn is not None:
                self._turn.leave()
            self._loop.remove_reader(self._listener)

    def _watch(self) -> None:
        if self._open:
            self._loop.add_reader(self._listener, self._knock)

    def _pause(self, seconds: float) -> None:
        self._loop.remove_reader(self._listener)
        self._loop.call_later(seconds, self._watch)

    def _knock(self) -> None:
        """Take in who waits at the door. uvloop's own servers take one connection in each round of
        the loop: before a loop that is late callers would stand there for seconds."""
        for _ in range(AT_ONCE):
            if not self._take_in():
                return

    def _take_in(self) -> bool:
        turn = self._turn
        if turn is not None and self._waited < TURNS and turn.is_ahead():
            self._waited += 1
            self._pause(TURN_S)
            return False
        self._waited = 0
        try:
            connection, _ = self._listener.accept()
        except (BlockingIOError, InterruptedError, ConnectionError):
            return False  # another was quicker, or whoever knocked has left
        except OSError:
            self._pause(NO_FILES_PAUSE_S)
            return False
        if turn is not None:
            turn.took_one()
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        task = self._loop.create_task(self._loop.connect_accepted_socket(self._make, connection))
        self.entering.add(task)
        task.add_done_callback(self.entering.discard)
        return True
