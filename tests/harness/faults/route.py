"""One route of the fault proxy: a port of 127.0.0.1 in front of a server, spoilt as it is told.

HTTP routes read whole messages and decide for each request; other routes move bytes both ways.
A fault replaces the one before it and holds for what happens from then on. Only 127.0.0.1.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from dataclasses import dataclass

from tests.harness.faults.fault import (
    FORGED,
    HTTP_ONLY,
    OF_CONNECTIONS,
    OK,
    Counts,
    Fault,
    Kind,
)
from tests.harness.faults.http1 import Message, read_message
from tests.harness.faults.link import Link
from tests.harness.faults.replies import bomb, forged

_LIMIT = 1 << 22
_BACKLOG = 1_024
_LINGER_RESET = struct.pack("ii", 1, 0)
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@dataclass
class Server:
    """The connection to what stands behind a route."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


class Route:
    """Listens, forwards, spoils, counts. `upstream`: `PORT`, `HOST:PORT` or a unix socket's path;
    a trailing `/http` makes it an HTTP route."""

    def __init__(self, name: str, upstream: str) -> None:
        self.name = name
        self.http = upstream.endswith("/http")
        self._upstream = upstream.removesuffix("/http")
        self.fault = OK
        self.counts = Counts()
        self._dice = random.Random(name)
        self._server: asyncio.Server | None = None
        self._live: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        # Holds the port while nobody listens on it: a connection is refused then.
        self._held = socket.socket()
        self._held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self._held.bind(("127.0.0.1", 0))
        self.port = int(self._held.getsockname()[1])

    async def open(self) -> None:
        self._server = await asyncio.start_server(
            self._accepted,
            "127.0.0.1",
            self.port,
            backlog=_BACKLOG,
            limit=_LIMIT,
            reuse_port=True,
        )

    async def close(self) -> None:
        """End every connection; the port is free again."""
        self._stop_listening()
        self._held.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks)

    async def set(self, fault: Fault) -> None:
        """Do this from now on. Open connections are reset where the fault is one of connections,
        and when such a one ends, so that pools on the other side feel it at once."""
        if fault.kind in HTTP_ONLY and not self.http:
            raise ValueError(f"{fault.kind} needs a route that ends in /http; {self.name} does not")
        if fault.kind is Kind.GZIP_BOMB:
            # Ahead of its use and beside the loop: no other route may wait for it.
            await asyncio.to_thread(bomb, fault.mb)
        was, self.fault = self.fault, fault
        if fault.kind is Kind.REFUSE:
            self._stop_listening()
        elif self._server is None:
            await self.open()
        if {was.kind, fault.kind} & (OF_CONNECTIONS | {Kind.STALL_AFTER, Kind.BANDWIDTH}):
            self.reset_all()

    def zero(self) -> None:
        """Counting begins anew; connections stay open."""
        self.counts = Counts(open=self.counts.open)

    def reset_all(self) -> None:
        """Reset every open connection."""
        for writer in list(self._live):
            reset(writer)

    def _stop_listening(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self.reset_all()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._live.add(writer)
        self.counts.connections += 1
        self.counts.open += 1
        try:
            # Cancelled only by `close`, and nothing follows here that could go on.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._serve(reader, writer)
        finally:
            self.counts.open -= 1
            self._live.discard(writer)
            self._tasks.discard(task)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        kind = self.fault.kind
        sometimes = kind is Kind.RESET_SOMETIMES and not self.http and self._hits("")
        if kind is Kind.RESET or sometimes:
            self.counts.injected += 1
            reset(writer)
            return
        if kind is Kind.BLACKHOLE and not self.http:
            self.counts.injected += 1
            await _swallow(reader)
            return
        try:
            theirs = Server(*await self._connect())
        except OSError:
            reset(writer)  # as the server itself would
            return
        try:
            if self.http:
                await self._messages(reader, writer, theirs)
            else:
                await Link(self, (reader, writer), (theirs.reader, theirs.writer)).run()
        finally:
            theirs.writer.close()

    async def _connect(self) -> Streams:
        if self._upstream.startswith("/"):
            return await asyncio.open_unix_connection(self._upstream, limit=_LIMIT)
        host, _, port = self._upstream.rpartition(":")
        return await asyncio.open_connection(host or "127.0.0.1", int(port), limit=_LIMIT)

    def _hits(self, line: str) -> bool:
        fault = self.fault
        if fault.only and fault.only not in line:
            return False
        return fault.ratio >= 1 or self._dice.random() < fault.ratio

    async def _messages(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, theirs: Server
    ) -> None:
        """Request after request, until either side ends."""
        while (request := await read_message(reader, request=True)) is not None:
            counts, path = self.counts, request.path
            counts.requests += 1
            counts.up_bytes += len(request.head) + len(request.body)
            counts.paths[path] = counts.paths.get(path, 0) + 1
            # One fault a request, whatever is switched while it is under way.
            fault = self.fault if self._hits(request.line) else OK
            if fault.kind is not Kind.OK:
                counts.injected += 1
                counts.injected_paths[path] = counts.injected_paths.get(path, 0) + 1
            if not await self._answer(fault, request, reader, writer, theirs):
                return

    async def _answer(
        self,
        fault: Fault,
        request: Message,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        theirs: Server,
    ) -> bool:
        """Answer one request; False when the connection is of no more use."""
        if fault.kind is Kind.BLACKHOLE:
            await _swallow(reader)
            return False
        if fault.kind is Kind.RESET_SOMETIMES:
            reset(writer)
            return False
        answered = None
        if fault.kind not in FORGED or fault.after:
            for _ in range(2 if fault.kind is Kind.TWICE else 1):
                answered = await self._forward(request, theirs)
            if answered is None:
                reset(writer)
                return False
        if fault.kind in FORGED:
            for piece in forged(fault):
                await self._write(writer, piece)
            return True
        assert answered is not None
        if fault.kind in (Kind.RESET_AFTER, Kind.STALL_AFTER):
            await self._write(writer, (answered.head + answered.body)[: fault.bytes])
            if fault.kind is Kind.STALL_AFTER:
                await _swallow(reader)
            await asyncio.sleep(0.01)
            reset(writer)
            return False
        return await self._spoil(fault, answered, writer)

    async def _forward(self, request: Message, theirs: Server) -> Message | None:
        self.counts.forwarded += 1
        if theirs.reader.at_eof():  # it closes connections that were idle for long
            theirs.writer.close()
            theirs.reader, theirs.writer = await self._connect()
        theirs.writer.write(request.head + request.body)
        await theirs.writer.drain()
        return await read_message(theirs.reader, request=False)

    async def _spoil(self, fault: Fault, answered: Message, writer: asyncio.StreamWriter) -> bool:
        """Pass a real reply on, spoilt; False when the connection ends with it."""
        whole = answered.head + answered.body
        match fault.kind:
            case Kind.LOST:
                reset(writer)
                return False
            case Kind.LATENCY:
                jitter = self._dice.uniform(-fault.jitter_ms, fault.jitter_ms)
                await asyncio.sleep(max(0.0, fault.ms + jitter) / 1_000)
            case Kind.BANDWIDTH:
                await asyncio.sleep((fault.rtt_ms + len(whole) * 8 / fault.down_kbps) / 1_000)
            case Kind.TRUNCATED:
                await self._write(writer, answered.head + answered.body[: len(answered.body) // 2])
                return False
            case Kind.DRIP:
                for n in range(len(whole)):
                    await self._write(writer, whole[n : n + 1])
                    await asyncio.sleep(fault.ms / 1_000)
                return True
        await self._write(writer, whole)
        return True

    async def _write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        self.counts.down_bytes += len(data)
        writer.write(data)
        await writer.drain()


async def _swallow(reader: asyncio.StreamReader) -> None:
    while await reader.read(65_536):
        pass


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST, as a machine does that was switched off."""
    found = writer.get_extra_info("socket")
    if found is not None:
        # ValueError: closed in this very moment.
        with contextlib.suppress(OSError, ValueError):
            found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_RESET)
    writer.transport.abort()
