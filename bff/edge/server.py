"""Runs gateways' HTTP on sockets that are bound already: protocol, sweep, and a stop that loses
nothing.

uvicorn does the rest. Leans on its 0.54: `_serve` awaits `startup`, `main_loop` (which calls
`on_tick` ten times a second until it says True) and `shutdown`; `handle_exit` gets the signals.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from types import FrameType
from typing import Any, NamedTuple

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from bff.config import EdgeConfig
from bff.edge.answer import error_answer
from bff.edge.drain import Drain
from bff.edge.negotiation import CONTENT_TYPE, JSON
from bff.edge.one_write import OneWriteProtocol
from bff.edge.protocol import MAX_HEADERS, limited
from bff.edge.receipt import Guard, Told, WatchedProtocol
from bff.edge.share import Acceptor, Turn
from bff.errors import BadRequest, Overloaded, RequestTimeout, RequestTooLarge
from bff.telemetry.logs import logger

SWEEP_TICKS = 2  # of a tenth of a second
CLOSING_TICK_S = 0.05
# How long a connection must have been idle before the end of the process closes it.
IDLE_BEFORE_CLOSE_S = 1.0
# What is under way once nobody wants to wait any longer.
HURRIED_GRACE_S = 1.0
# A scrape and a few people with curl.
OPERATOR_CONNECTIONS = 64

log = logger(__name__)
Go = Callable[[], Awaitable[bool]]


class Door(NamedTuple):
    """One listening socket and what answers behind it."""

    listener: socket.socket
    app: ASGIApp


async def _at_once() -> bool:
    return True


async def _no_words() -> None:
    return None


class Server(uvicorn.Server):
    """Answers at `public`, and for operators at `operator` until the very end.

    `turn` is the process's place among workers that accept from the same socket, None where it is
    the only one. `go` is awaited between the application's start and the first connection; its
    False ends the process. `farewell` is awaited last of all.
    """

    def __init__(
        self,
        edge: EdgeConfig,
        public: Door,
        drain: Drain,
        told: Told,
        *,
        operator: Door | None = None,
        turn: Turn | None = None,
        go: Go = _at_once,
        farewell: Callable[[], Awaitable[None]] = _no_words,
    ) -> None:
        self.guard = Guard(edge, told, busy_answer())
        self.guard.turn = turn
        super().__init__(_config(public.app, protocol(edge, self.guard), "on"))
        self._edge, self._drain = edge, drain
        self._go, self._farewell = go, farewell
        self._public = public
        self._operator = operator
        self._operator_state = ServerState()
        few = edge.model_copy(update={"max_connections": OPERATOR_CONNECTIONS})
        self._operator_guard = Guard(few, told, busy_answer())
        self._operator_servers: list[asyncio.Server] = []
        self._entering: set[asyncio.Task[Any]] = set()
        self._acceptor: Acceptor | None = None
        self._said = False
        self.servers = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])
        if self._operator is not None:
            config = _config(self._operator.app, protocol(self._edge, self._operator_guard), "off")
            opened = await self._open(self._operator, config, self._operator_state)
            self._operator_servers.append(opened)
        if not await self._go():
            self._drain.retire()
        elif not self._drain.is_due():
            self._open_door()

    def _open_door(self) -> None:
        make = self._make(self.config, self.server_state)
        self._acceptor = Acceptor(self._public.listener, make, self.guard.turn)
        self._entering = self._acceptor.entering

    async def _open(self, door: Door, config: uvicorn.Config, state: ServerState) -> asyncio.Server:
        make = self._make(config, state)
        loop = asyncio.get_running_loop()
        return await loop.create_server(make, sock=door.listener, backlog=config.backlog)

    def _make(self, config: uvicorn.Config, state: ServerState) -> Callable[[], asyncio.Protocol]:
        if not config.loaded:
            config.load()

        def make() -> asyncio.Protocol:
            made: asyncio.Protocol = config.http_protocol_class(  # type: ignore[call-arg]
                config=config, server_state=state, app_state=self.lifespan.state
            )
            return made

        return make

    async def on_tick(self, counter: int) -> bool:
        """Once in a tenth of a second; True ends the main loop."""
        await super().on_tick(counter)
        self._operator_state.default_headers = self.server_state.default_headers
        if self._drain.leaving and not self._said:
            self._said = True
            log.info("stop_asked")
        if counter % SWEEP_TICKS == 0:
            self._sweep()
        return self._drain.is_due()

    def _sweep(self) -> None:
        now = asyncio.get_running_loop().time()
        self.guard.sweep(self.server_state.connections, now)  # type: ignore[arg-type]
        self._operator_guard.sweep(self._operator_state.connections, now)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """SIGTERM and SIGINT; nothing is raised again afterwards, so that the exit code is 0. A
        signal may come while a line is being written: it is `on_tick` that tells of it."""
        self._drain.stop()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close the door, answer what is under way, stop the application."""
        log.info("closing", connections=len(self.server_state.connections))
        self._close_door()
        usual = self.server_state.default_headers
        # On every answer from here on: uvicorn then closes the connection behind it.
        self.server_state.default_headers = [*usual, (b"connection", b"close")]
        if not await self._finished():
            tasks = [*self.server_state.tasks]
            log.error("cut_off", requests=len(tasks), after_s=self._edge.shutdown_grace_s)
            for connection in [*self.server_state.connections]:
                connection.cut_off(usual)  # type: ignore[union-attr]
            for task in tasks:
                task.cancel(msg="edge.shutdown_grace_s is over")
            if tasks:
                await asyncio.wait(tasks, timeout=HURRIED_GRACE_S)
        await self.lifespan.shutdown()
        for server in self._operator_servers:
            server.close()
        for connection in [*self.server_state.connections, *self._operator_state.connections]:
            connection.transport.close()
        await self._farewell()

    def _close_door(self) -> None:
        """Take in who knocked already, then close: the system resets whoever still waits."""
        loop, make = asyncio.get_running_loop(), self._make(self.config, self.server_state)
        if self._acceptor is not None:
            for waiting in _accepted(self._public.listener):
                entering = loop.create_task(loop.connect_accepted_socket(make, waiting))
                self._entering.add(entering)
                entering.add_done_callback(self._entering.discard)
            self._acceptor.close()
        self._public.listener.close()

    async def _finished(self) -> bool:
        """Wait for the last answer; whether it left in time."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while self.server_state.connections or self.server_state.tasks or self._entering:
            now = loop.time()
            grace = HURRIED_GRACE_S if self._drain.hurried else self._edge.shutdown_grace_s
            if now - begun > grace:
                return False
            self._sweep()
            quiet_s = IDLE_BEFORE_CLOSE_S if self._drain.lingers else 0.0
            for connection in [*self.server_state.connections]:
                connection.wind_down(now, quiet_s)  # type: ignore[union-attr]
            await asyncio.sleep(CLOSING_TICK_S)
        return True


def _accepted(listener: socket.socket) -> list[socket.socket]:
    """The connections that wait in the system's queue."""
    found: list[socket.socket] = []
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return found
        connection.setblocking(False)
        found.append(connection)


def _config(app: ASGIApp, protocol: type[asyncio.Protocol], lifespan: Any) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=protocol,
        headers=[("x-content-type-options", "nosniff")],  # on every answer, refusals included
        ws="none",
        lifespan=lifespan,
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
    )


def protocol(edge: EdgeConfig, guard: Guard) -> type[asyncio.Protocol]:
    """HTTP/1.1 within the limits; what it refuses never reaches the application."""
    too_large = (
        f"request line and headers are larger than {edge.max_head_bytes} bytes or more than "
        f"{MAX_HEADERS} headers; send fewer and shorter ones, and variables in a body"
    )
    unread = "the request is no HTTP/1.1 that can be read; check request line, headers and chunks"
    slow = (
        f"the request was not whole in time: its head within {edge.head_timeout_s:g} s, its body "
        f"within {edge.body_timeout_s:g} s; send it again"
    )
    refusals = {
        431: error_answer(431, RequestTooLarge.code, too_large).body,
        400: error_answer(400, BadRequest.code, unread).body,
        408: error_answer(408, RequestTimeout.code, slow).body,
    }
    bounded = limited(edge.max_head_bytes, CONTENT_TYPE[JSON][1].decode(), refusals)
    kinds = (WatchedProtocol, bounded, OneWriteProtocol)
    return type("Protocol", kinds, {"guard": guard})


def busy_answer() -> bytes:
    """What a connection beyond the cap is told, from its second header on."""
    words = "the gateway has as many connections as it can serve; try again in a moment"
    body = error_answer(503, Overloaded.code, words).body
    length = b"content-length: %d\r\n" % len(body)
    kind = b"%b: %b\r\n" % CONTENT_TYPE[JSON]
    return kind + length + b"cache-control: no-store\r\nconnection: close\r\n\r\n" + body
