"""`python -m tests.harness.faults NAME=UPSTREAM …`: the proxy as a process, told on its stdin.

It prints `{name: port}` once it listens. Each line it reads is an `Order`, each line it answers the
counts of that route before the order was followed. It ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys

import msgspec
import uvloop

from tests.harness.faults.fault import Fault
from tests.harness.faults.route import Route


class Order(msgspec.Struct):
    """What to do with a route: a new fault, counters to zero, or (neither) only to tell."""

    route: str
    fault: Fault | None = None
    zero: bool = False


async def serve(routes: dict[str, Route]) -> None:
    """Listen on every route and follow orders until stdin ends."""
    for route in routes.values():
        await route.open()
    _say(msgspec.json.encode({name: route.port for name, route in routes.items()}))
    reader = asyncio.StreamReader(limit=1 << 22)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    decode = msgspec.json.Decoder(Order).decode
    while line := await reader.readline():
        order = decode(line)
        route = routes[order.route]
        told = msgspec.json.encode(route.counts)
        if order.fault is not None:
            await route.set(order.fault)
        if order.zero:
            route.zero()
        _say(told)


def _say(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")
    sys.stdout.buffer.flush()


def main() -> None:
    """The routes named on the command line."""
    told = [argument.partition("=") for argument in sys.argv[1:]]
    with contextlib.suppress(KeyboardInterrupt):
        uvloop.run(_run({name: upstream for name, _, upstream in told}))


async def _run(told: dict[str, str]) -> None:
    await serve({name: Route(name, upstream) for name, upstream in told.items()})


if __name__ == "__main__":
    main()
