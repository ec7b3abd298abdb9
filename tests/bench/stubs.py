"""The three core services as one process that answers from memory, far quicker than any gateway.

`python -m tests.bench.stubs KEYS_FILE` prints `{service: port}` once it listens. Any port also
answers `GET /__counts` (calls of screens by service) and `GET /__delay?ms=5` (from then on).
"""

from __future__ import annotations

import asyncio
import signal
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import orjson
import uvloop

from tests.bench.answers import BACKGROUND, NOT_FOUND, Answer, answers, http
from tests.bench.data import make_data

COUNTS, DELAY = b"/__counts", b"/__delay"


@dataclass
class State:
    """What the services share."""

    calls: dict[str, int] = field(default_factory=dict)
    delay_s: float = 0.0


class Connection(asyncio.Protocol):
    """One keep-alive connection of one service; HTTP/1.1 as gateways speak it, nothing more."""

    def __init__(self, service: str, paths: dict[bytes, Answer], state: State) -> None:
        self._service = service
        self._paths = paths
        self._state = state
        self._held = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        while (end := data.find(b"\r\n\r\n")) >= 0:
            head, body = data[:end], end + 4
            lower = head.lower()
            after = body + int(value(head, lower, b"\r\ncontent-length:") or 0)
            if len(data) < after:
                break
            self._answer(head, lower, data[body:after])
            data = data[after:]
        self._held = data

    def _answer(self, head: bytes, lower: bytes, body: bytes) -> None:
        path, _, query = head.split(b" ", 2)[1].partition(b"?")
        make = self._paths.get(path)
        if make is None:
            self._transport.write(self._control(path, query))
            return
        if path not in BACKGROUND:
            self._state.calls[self._service] += 1
        found = make(query, value(head, lower, b"\r\nx-viewer:"), body)
        if self._state.delay_s:
            asyncio.get_running_loop().call_later(self._state.delay_s, self._transport.write, found)
        else:
            self._transport.write(found)

    def _control(self, path: bytes, query: bytes) -> bytes:
        if path == DELAY:
            self._state.delay_s = float(query.removeprefix(b"ms=")) / 1000
        return http(orjson.dumps(self._state.calls)) if path in (COUNTS, DELAY) else NOT_FOUND


def value(head: bytes, lower: bytes, name: bytes) -> bytes:
    """A header's value, empty if it was not sent; `name` in lower case, as `CRLF name:`."""
    at = lower.find(name)
    if at < 0:
        return b""
    begin = at + len(name)
    end = head.find(b"\r\n", begin)
    return head[begin : end if end >= 0 else len(head)].strip()


async def serve(services: dict[str, dict[bytes, Answer]]) -> None:
    """Listen on free ports, tell them, and answer until SIGTERM."""
    loop = asyncio.get_running_loop()
    state = State(dict.fromkeys(services, 0))
    ports: dict[str, int] = {}
    servers = []
    for service, paths in services.items():
        server = await loop.create_server(
            lambda service=service, paths=paths: Connection(service, paths, state),  # type: ignore[misc]
            "127.0.0.1",
            0,
            backlog=512,
        )
        servers.append(server)
        ports[service] = server.sockets[0].getsockname()[1]
    sys.stdout.write(orjson.dumps(ports).decode() + "\n")
    sys.stdout.flush()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    for server in servers:
        server.close()


def main() -> None:
    keys: dict[str, Any] = orjson.loads(Path(sys.argv[1]).read_bytes())
    uvloop.run(serve(answers(make_data(), keys)))


if __name__ == "__main__":
    main()
