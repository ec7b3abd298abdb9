"""bff/edge/share.py: workers that accept from one socket get about as many connections each."""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
from collections.abc import Callable, Iterator

import pytest

from bff.edge.share import ABSENT, AHEAD, Acceptor, Shares, Turn


@pytest.fixture
def shares() -> Iterator[Shares]:
    """Three places, nobody there."""
    with tempfile.TemporaryFile() as file:
        os.ftruncate(file.fileno(), 12)
        found = Shares(file.fileno())
        for slot in range(3):
            found.set(slot, ABSENT)
        yield found


class Counting(asyncio.Protocol):
    """Tells its worker's turn how many connections there are."""

    def __init__(self, turn: Turn, open_ones: list[asyncio.BaseTransport]) -> None:
        self._turn, self._open = turn, open_ones

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open.append(transport)
        self._turn.tell(len(self._open))


def making(turn: Turn, found: list[asyncio.BaseTransport]) -> Callable[[], asyncio.Protocol]:
    return lambda: Counting(turn, found)


def test_the_least_busy_is_first(shares: Shares) -> None:
    """Who has a few connections more than the least busy lets it come before."""
    one, other = Turn(shares, 0), Turn(shares, 1)
    one.tell(AHEAD)
    other.tell(0)
    assert not one.is_ahead()
    one.tell(AHEAD + 1)
    assert one.is_ahead()
    assert not other.is_ahead()


def test_nobody_waits_for_the_absent(shares: Shares) -> None:
    """A place where nobody accepts counts for nothing, be it never taken or left."""
    one, other = Turn(shares, 0), Turn(shares, 1)
    one.tell(50)
    assert not one.is_ahead()
    other.tell(0)
    assert one.is_ahead()
    other.leave()
    assert not one.is_ahead()
    other.tell(0)  # one of its last connections ends
    assert not one.is_ahead()


def test_a_successor_keeps_its_place(shares: Shares) -> None:
    """A worker that has left does not write over what its successor in the same place tells."""
    old, new = Turn(shares, 0), Turn(shares, 0)
    old.tell(9)
    old.leave()
    new.tell(1)
    old.tell(8)
    old.leave()
    Turn(shares, 1).tell(3)
    assert Turn(shares, 1).is_ahead()  # of the one that the successor has


async def test_a_burst_is_shared(shares: Shares) -> None:
    """Connections that come all at once are dealt out evenly."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    doors = [listener, listener.dup()]
    loads: list[list[asyncio.BaseTransport]] = [[], []]
    calling = [socket.create_connection(listener.getsockname()) for _ in range(24)]
    acceptors = []
    for slot, (door, load) in enumerate(zip(doors, loads, strict=True)):
        turn = Turn(shares, slot)
        acceptors.append(Acceptor(door, making(turn, load), turn))
    async with asyncio.timeout(10):
        while sum(map(len, loads)) < len(calling):
            await asyncio.sleep(0.01)
    assert abs(len(loads[0]) - len(loads[1])) <= 2 * (AHEAD + 1)
    for acceptor in acceptors:
        acceptor.close()
    for transport in (*loads[0], *loads[1]):
        transport.close()
    for end in (*calling, *doors):
        end.close()


async def test_a_stuck_worker_holds_up_nobody(shares: Shares) -> None:
    """A worker that has few connections and does not accept is waited for a moment only."""
    Turn(shares, 1).tell(0)
    turn, load = Turn(shares, 0), list[asyncio.BaseTransport]()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        acceptor = Acceptor(listener, making(turn, load), turn)
        calling = [socket.create_connection(listener.getsockname()) for _ in range(6)]
        async with asyncio.timeout(10):
            while len(load) < len(calling):
                await asyncio.sleep(0.01)
        acceptor.close()
        for transport in load:
            transport.close()
        for end in calling:
            end.close()
