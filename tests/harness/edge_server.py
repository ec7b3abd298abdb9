"""A gateway's own server, in a thread of this process, around an application of the test's."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Receive, Scope, Send

from bff.config import EdgeConfig
from bff.edge.drain import Drain
from bff.edge.receipt import Told, WatchedProtocol
from bff.edge.server import Door, Server

STARTED_WITHIN_S = 10


@dataclass
class Serving:
    """A running server, and what it counted."""

    server: Server
    drain: Drain
    port: int
    operator_port: int
    refused: Counter[int]
    closed: Counter[str]
    thread: threading.Thread
    loop: list[asyncio.AbstractEventLoop]

    def sweep(self, now: float) -> None:
        """One look at every connection, at this time; returns when it is done."""
        done = threading.Event()

        def look() -> None:
            connections = self.server.server_state.connections
            self.server.guard.sweep(connections, now)  # type: ignore[arg-type]
            done.set()

        self.loop[0].call_soon_threadsafe(look)
        assert done.wait(STARTED_WITHIN_S)

    def connections(self) -> list[WatchedProtocol]:
        """The open ones."""
        return [*self.server.server_state.connections]  # type: ignore[list-item]

    def is_over(self) -> bool:
        return not self.thread.is_alive()


@dataclass
class Slow:
    """Answers with the body it got, or what `answer` says, once `go` is set."""

    go: threading.Event = field(default_factory=threading.Event)
    answer: bytes | None = None
    begun: int = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        self.begun += 1
        body, more = b"", True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        await _until(self.go.is_set)
        answer = body if self.answer is None else self.answer
        headers = [(b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})


async def _lifespan(receive: Receive, send: Send) -> None:
    for _ in range(2):
        message = await receive()
        await send({"type": f"{message['type']}.complete"})


async def _until(holds: Callable[[], bool]) -> None:
    while not holds():
        await asyncio.sleep(0.005)


def until(holds: Callable[[], bool], within_s: float = STARTED_WITHIN_S) -> None:
    """Wait for a condition. Raises TimeoutError."""
    end = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("the condition did not come true")
        time.sleep(0.005)


async def _at_once() -> bool:
    return True


@contextmanager
def serving(
    edge: EdgeConfig,
    app: ASGIApp,
    *,
    operator: ASGIApp | None = None,
    drain: Drain | None = None,
    go: Callable[[], Awaitable[bool]] = _at_once,
) -> Iterator[Serving]:
    """Serve until the end of the context, or until the test stops it."""
    public, operators = _bound(), _bound()
    drain = drain or Drain(0)
    refused: Counter[int] = Counter()
    closed: Counter[str] = Counter()

    def refuse(status: int) -> None:
        refused[status] += 1

    def close(reason: str) -> None:
        closed[reason] += 1

    loop: list[asyncio.AbstractEventLoop] = []

    async def gone() -> bool:
        loop.append(asyncio.get_running_loop())
        return await go()

    server = Server(
        edge,
        Door(public, app),
        drain,
        Told(refuse, close),
        operator=Door(operators, operator) if operator is not None else None,
        go=gone,
    )
    ports = public.getsockname()[1], operators.getsockname()[1]
    thread = threading.Thread(target=server.run)
    thread.start()
    until(lambda: getattr(server, "_acceptor", None) is not None or not thread.is_alive())
    try:
        yield Serving(server, drain, *ports, refused, closed, thread, loop)
    finally:
        drain.stop()
        drain.stop()
        thread.join()
        operators.close()


def _bound() -> socket.socket:
    found = socket.socket()
    found.bind(("127.0.0.1", 0))
    found.setblocking(False)
    return found
