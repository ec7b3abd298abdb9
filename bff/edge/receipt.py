"""Time limits of connections, and how many there may be; uvicorn has neither.

Nothing is done for a request: five times a second one sweep looks at every connection of the
process, sees from what uvicorn and its parser keep anyway which phase it is in, and remembers since
which sweep. So a limit is kept to within a sweep or two, and costs no timer. (uvicorn's own, one
for each answer on a kept connection, is left out.)

Leans on uvicorn 0.54: `scope` is a new object from the first byte of a head on, and is the newest
cycle's once that head is whole; `_in_body` and `_refused` are of `LimitedProtocol`.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Tally
from collections.abc import Callable, Iterable
from random import randint
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from typing import Any, NamedTuple

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

from bff.config import EdgeConfig
from bff.edge.address import Addresses
from bff.edge.protocol import LINGER_S, LimitedProtocol
from bff.edge.share import Turn

# Connections beyond the cap that are told so at one time; any more are cut without a word.
MOST_TURNED_AWAY = 256
# From three quarters of the cap on, idle connections make room for busy ones.
PRESSURE, IDLE_UNDER_PRESSURE_S = 0.75, 5.0
# Requests sent ahead of their answers; what comes behind is not read, and the connection ends.
MOST_PIPELINED = 32
_RESET = pack("ii", 1, 0)


class Told(NamedTuple):
    """Where refusals and closed connections are counted."""

    refused: Callable[[int], None]  # by status
    closed: Callable[[str], None]  # by reason: silent, idle, slow_reader, pipelined, crowded


class Guard:
    """The limits of one listening socket's connections, and what came of them."""

    def __init__(self, edge: EdgeConfig, told: Told, busy: bytes) -> None:
        self.told = told
        self.most = edge.max_connections
        self.turned_away: set[object] = set()
        self.turn: Turn | None = None
        self._edge = edge
        self._busy = busy  # headers, empty line and body of the 503
        self._by_address: Tally[str] = Tally()
        self._per_address = edge.max_connections_per_address
        self._addresses = Addresses(edge)

    def admits(self, connection: WatchedProtocol, present: int) -> bool:
        """Whether one more connection may stay; `present` counts it. Addresses count as for
        limits, IPv6 by its /64. A proxy that the settings name speaks for many, and has no limit of
        its own."""
        address = connection.address
        if self._per_address and address is not None:
            group = self._addresses.of(address, None)
            self._by_address[group] += 1
            if self._by_address[group] > self._per_address:
                return self._addresses.is_proxy(address) and present <= self.most
        return present <= self.most

    def left(self, connection: WatchedProtocol) -> None:
        """It is gone."""
        address = connection.address
        if self._per_address and address is not None:
            group = self._addresses.of(address, None)
            self._by_address[group] -= 1
            if self._by_address[group] <= 0:
                del self._by_address[group]

    def sweep(self, connections: Iterable[WatchedProtocol], now: float) -> None:
        """End what took too long; `now` in seconds of any steady clock."""
        found = list(connections)
        edge = self._edge
        crowded = len(found) > self.most * PRESSURE
        limits = {
            "silent": edge.head_timeout_s,
            "head": edge.head_timeout_s,
            "body": edge.body_timeout_s,
            "idle": min(edge.idle_timeout_s, IDLE_UNDER_PRESSURE_S)
            if crowded
            else edge.idle_timeout_s,
            "slow_reader": edge.write_timeout_s,
        }
        for connection in found:
            connection.look(now, limits)

    def turn_away(self, transport: asyncio.Transport, headers: list[tuple[bytes, bytes]]) -> None:
        """503 as soon as anything is asked (an answer before the question is an error to many
        clients), the end without a word where too many wait for theirs."""
        if len(self.turned_away) >= MOST_TURNED_AWAY:
            self.told.closed("crowded")
            transport.abort()
            return
        transport.set_protocol(TurnedAway(self.turned_away, transport, self.busy(headers)))

    def busy(self, headers: list[tuple[bytes, bytes]]) -> bytes:
        """The whole 503 that asks to come back; `headers` are those of every answer."""
        self.told.refused(503)
        lines = [STATUS_LINE[503], *(b"%b: %b\r\n" % header for header in headers)]
        lines += (b"retry-after: %d\r\n" % randint(1, 3), self._busy)  # noqa: S311 - no secret
        return b"".join(lines)


class TurnedAway(asyncio.Protocol):
    """A connection that gets one answer, whatever it asks; counts itself in `others`."""

    def __init__(self, others: set[object], transport: asyncio.Transport, answer: bytes) -> None:
        self._others = others
        self._answer: bytes | None = answer
        self._transport = transport
        others.add(self)
        asyncio.get_running_loop().call_later(LINGER_S, transport.abort)

    def data_received(self, data: bytes) -> None:
        answer, self._answer = self._answer, None
        if answer is not None:
            self._transport.write(answer)
            self._transport.write_eof()

    def connection_lost(self, error: Exception | None) -> None:
        self._others.discard(self)


class WatchedProtocol(LimitedProtocol):
    """One connection that the guard watches."""

    guard: Guard

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._phase = ""
        self._of: RequestResponseCycle | None = None
        self._since = 0.0

    @property
    def address(self) -> str | None:
        """The peer's, which may be a proxy's; None on a socket that knows none."""
        return self.client[0] if self.client else None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if not self.guard.admits(self, len(self.connections)):
            self.connections.discard(self)
            self.guard.left(self)
            self.guard.turn_away(transport, self.server_state.default_headers)
        elif self.guard.turn is not None:
            self.guard.turn.tell(len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        self.guard.left(self)
        super().connection_lost(exc)
        if self.guard.turn is not None:
            self.guard.turn.tell(len(self.connections))

    def on_response_complete(self) -> None:
        """uvicorn's own, but for the timer of kept connections."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if len(self.pipeline) > MOST_PIPELINED:
            # The answers that are owed go out; this request is dropped, the one before is the last.
            self.pipeline.popleft()
            self.cycle, _ = self.pipeline[0]
            self.cycle.keep_alive = self._in_body = False
            self._refused = True
            self.guard.told.closed("pipelined")
            self._stop()

    def send_400_response(self, msg: str) -> None:
        if not self._refused:
            super().send_400_response(msg)

    def _refuse(self, status: int) -> None:
        self.guard.told.refused(status)
        super()._refuse(status)

    @property
    def phase(self) -> str:
        """What this connection is busy with; "" while the application answers."""
        cycle = self.cycle
        if self.scope is not None and (cycle is None or self.scope is not cycle.scope):
            return "head"
        if self._in_body:
            return "body"
        if self.transport.get_write_buffer_size():
            return "slow_reader"
        if cycle is None:
            return "silent"
        return "idle" if cycle.response_complete else ""

    def look(self, now: float, limits: dict[str, float]) -> None:
        """End the connection where its phase took longer than its limit."""
        phase, cycle = self.phase, self.cycle
        if phase != self._phase or cycle is not self._of:
            self._phase, self._of, self._since = phase, cycle, now
        elif self._refused and phase != "slow_reader":
            return  # ended by a timer of its own, once the answers that are owed are taken
        elif phase and now - self._since >= limits[phase]:
            self._end(phase)

    def _end(self, phase: str) -> None:
        if phase in ("head", "body"):
            self._refuse(408)
            return
        self.guard.told.closed(phase)
        if phase == "slow_reader":
            # Reset: or the system would hold what is unread, for as long as it pleases the peer.
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, _RESET)
            self.transport.abort()
        else:
            self.transport.close()

    def wind_down(self, now: float, idle_for_s: float) -> None:
        """The process ends: the newest answer that is owed is the last one, and a connection that
        was idle since the sweep so long ago is closed. A younger one may have a request under way
        to us: nothing in HTTP/1.1 could tell its sender that we did not read it."""
        if self.phase in ("idle", "silent", "slow_reader"):
            if self.phase == self._phase and now - self._since >= idle_for_s:
                self.transport.close()  # once all is sent
        elif self.cycle is not None:
            self.cycle.keep_alive = False

    def cut_off(self, headers: list[tuple[bytes, bytes]]) -> None:
        """No time is left: 503 where nothing of an answer has left yet, and the end."""
        cycle = self.cycle
        if cycle is not None and not cycle.response_started and not self.pipeline:
            cycle.disconnected = True  # for the application its client has left
            self.transport.write(self.guard.busy(headers))
        self.transport.close()
