"""Transports around the real one: they record calls, hold answers, or make one service late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bff.upstreams.transport import (
    Incoming,
    Outgoing,
    Transport,
    TransportFailure,
    TransportTimeout,
)

# Turns of the loop without a new call, after which the gateway is taken to wait for answers.
QUIET_TURNS = 50
BACKGROUND = ("/.well-known/jwks.json", "/v1/revocations")


@dataclass
class Call:
    """One upstream call of a screen."""

    verb: str
    path: str
    body: bytes | None


class RecordingTransport:
    """Passes everything on; `calls` are those of requests, not of the process itself."""

    def __init__(self, real: Transport) -> None:
        self._real = real
        self.calls: list[Call] = []

    async def send(self, call: Outgoing) -> Incoming:
        path = urlsplit(call.url).path
        if path in BACKGROUND:
            return await self._real.send(call)
        self.calls.append(Call(call.verb, path, call.body))
        return await self.deliver(call, path)

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        return await self._real.send(call)

    async def close(self) -> None:
        await self._real.close()

    @property
    def paths(self) -> list[str]:
        return sorted(call.path for call in self.calls)


class HoldingTransport(RecordingTransport):
    """Holds every answer until nothing more is asked, then lets all go in one turn of the loop.

    So a screen's calls can be counted exactly, whatever the services' own speed.
    """

    def __init__(self, real: Transport) -> None:
        super().__init__(real)
        self._under_way = 0
        self._held: list[asyncio.Future[None]] = []
        self._releasing: asyncio.Task[None] | None = None

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        self._under_way += 1
        if self._releasing is None or self._releasing.done():
            self._releasing = asyncio.create_task(self._release())
        try:
            answer = await self._real.send(call)
            gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._held.append(gate)
        finally:
            self._under_way -= 1
        await gate
        return answer

    async def _release(self) -> None:
        quiet = 0
        while quiet < QUIET_TURNS:
            asked = len(self.calls)
            await asyncio.sleep(0)
            quiet = quiet + 1 if self._under_way == 0 and asked == len(self.calls) else 0
        held, self._held = self._held, []
        for gate in held:
            gate.set_result(None)


@dataclass
class LateTransport(RecordingTransport):
    """Delivers the answers of one path so many seconds later than they came."""

    real: Transport
    late_path: str
    seconds: float
    delayed: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        super().__init__(self.real)

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        answer = await super().deliver(call, path)
        if path == self.late_path:
            self.delayed += 1
            await asyncio.sleep(self.seconds)
        return answer


class GatedTransport(RecordingTransport):
    """Keeps the answers of one path back until another path was asked; without one, until the
    call's own time is up."""

    def __init__(self, real: Transport, kept_path: str, until_path: str | None) -> None:
        super().__init__(real)
        self._kept_path = kept_path
        self._until_path = until_path
        self._asked = asyncio.Event()
        self.kept = 0

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        if path == self._until_path:
            self._asked.set()
        answer = await super().deliver(call, path)
        if path == self._kept_path:
            self.kept += 1
            try:
                async with asyncio.timeout(call.timeout):
                    await self._asked.wait()
            except TimeoutError as error:
                raise TransportTimeout("kept back") from error
        return answer


class DeadTransport(RecordingTransport):
    """Fails every call to the services whose paths are in `dead`; how often, `failed` tells."""

    def __init__(self, real: Transport) -> None:
        super().__init__(real)
        self.dead: set[str] = set()
        self.failed = 0

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        if path in self.dead:
            self.failed += 1
            raise TransportFailure("dead")
        return await super().deliver(call, path)
