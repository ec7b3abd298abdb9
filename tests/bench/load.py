"""The load generator: keep-alive connections that compare every answer, byte for byte.

Closed loop (each connection asks again at once) or open loop (a steady rate, whatever the gateway
does). Runs in the bench's own process, on the core the gateway is not on.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import cast

from tests.bench.http1 import Reply, read_reply

_SEED = 7


@dataclass(frozen=True)
class Ask:
    """One request as bytes, and the body it must be answered with; of that the first `skip` bytes
    may differ (the header of gzip holds the time, RFC 1952 section 2.3)."""

    request: bytes
    body: bytes
    skip: int = 0

    def fits(self, body: bytes) -> bool:
        """Whether an answer's body is the one it must be."""
        return body == self.body if not self.skip else body[self.skip :] == self.body[self.skip :]


@dataclass
class Load:
    """What one phase brought; latencies in seconds, in the order of their answers."""

    done: int = 0
    bad: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0
    body_bytes: int = 0  # of all answers
    latencies: list[float] = field(default_factory=list)


class Connection(asyncio.Protocol):
    """One connection that asks one thing at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._held = b""
        self._begun = 0.0
        self._asked: Ask | None = None
        self.free: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, ask: Ask, begun: float) -> asyncio.Future[None]:
        """Send it; the future is done when the answer was read. `begun` is when it was due."""
        self._begun, self._asked = begun, ask
        self.free = asyncio.get_running_loop().create_future()
        self._transport.write(ask.request)
        return self.free

    def data_received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        reply = read_reply(data)
        if reply is None:
            self._held = data
            return
        self._held = data[reply.size :]
        self._count(reply)
        if self.free is not None and not self.free.done():
            self.free.set_result(None)

    def _count(self, reply: Reply) -> None:
        load = self._load
        load.done += 1
        load.latencies.append(time.perf_counter() - self._begun)
        load.body_bytes += len(reply.body)
        if reply.status != 200 or self._asked is None or not self._asked.fits(reply.body):
            load.bad += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if self.free is not None and not self.free.done():
            self._load.bad += 1
            self.free.set_exception(ConnectionError(f"the gateway hung up: {exc}"))

    def close(self) -> None:
        self._transport.close()


async def closed_loop(port: int, asks: Sequence[Ask], connections: int, seconds: float) -> Load:
    """Each connection asks again as soon as it has its answer, going round `asks`. Raises
    ConnectionError."""
    load = Load()
    opened = [await _open(port, load) for _ in range(connections)]
    started, cpu = time.perf_counter(), time.process_time()
    until = started + seconds

    async def work(connection: Connection, number: int) -> None:
        while (now := time.perf_counter()) < until:
            await connection.ask(asks[number % len(asks)], now)
            number += 1

    await asyncio.gather(*(work(one, number) for number, one in enumerate(opened)))
    return _closed(load, opened, started, cpu)


async def open_loop(port: int, asks: Sequence[Ask], rate: float, seconds: float) -> Load:
    """Requests arrive at random (seeded), `rate` a second. Raises ConnectionError."""
    load = Load()
    opened = [await _open(port, load) for _ in range(8)]
    idle = list(opened)
    under_way: set[asyncio.Task[None]] = set()
    started, cpu = time.perf_counter(), time.process_time()

    async def one(ask: Ask, due: float) -> None:
        # The answer's time counts from when a connection was there: timers are rounded to 1 ms.
        if idle:
            connection, due = idle.pop(), time.perf_counter()
        else:
            connection = await _open(port, load)
            opened.append(connection)
        await connection.ask(ask, due)
        idle.append(connection)

    for number, due in enumerate(arrivals(rate, seconds)):
        await asyncio.sleep(max(0.0, started + due - time.perf_counter()))
        task = asyncio.create_task(one(asks[number % len(asks)], started + due))
        under_way.add(task)
        task.add_done_callback(under_way.discard)
    await asyncio.gather(*under_way)
    return _closed(load, opened, started, cpu)


def arrivals(rate: float, seconds: float) -> list[float]:
    """Instants of a Poisson process, the same at each call."""
    random = Random(_SEED)
    found: list[float] = []
    at = random.expovariate(rate)
    while at < seconds:
        found.append(at)
        at += random.expovariate(rate)
    return found


async def ask_once(port: int, request: bytes) -> Reply:
    """One request on a connection of its own. Raises OSError, ValueError and TimeoutError."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        data = b""
        async with asyncio.timeout(10):
            while (reply := read_reply(data)) is None:
                more = await reader.read(65_536)
                if not more:
                    raise ConnectionError(f"the gateway hung up after {data[:200]!r}")
                data += more
        return reply
    finally:
        writer.close()


async def _open(port: int, load: Load) -> Connection:
    _, protocol = await asyncio.get_running_loop().create_connection(
        lambda: Connection(load), "127.0.0.1", port
    )
    return protocol


def _closed(load: Load, opened: list[Connection], started: float, cpu: float) -> Load:
    load.wall_s = time.perf_counter() - started
    load.cpu_s = time.process_time() - cpu
    for connection in opened:
        connection.free = None
        connection.close()
    return load
