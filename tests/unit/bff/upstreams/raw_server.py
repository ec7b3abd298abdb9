"""A core service that speaks raw HTTP/1.1, so that it can misbehave in every way one can."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

CAP = 1000
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"

Writer = asyncio.StreamWriter


@dataclass
class Request:
    """What arrived: names of headers in lower case."""

    verb: str
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class RawServer:
    """Answers by path; `requests` are all that arrived."""

    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        try:
            with suppress(asyncio.IncompleteReadError, ConnectionError):
                while not writer.is_closing():
                    request = await _read(reader)
                    self.requests.append(request)
                    await ANSWERS[request.path.partition("?")[0]](writer)
                    await writer.drain()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request:
    lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    verb, path, _ = lines[0].split(" ")
    headers = dict(line.split(": ", 1) for line in lines[1:] if line)
    headers = {name.lower(): value for name, value in headers.items()}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(verb, path, headers, body)


def _whole(body: bytes, extra: bytes = b"") -> Callable[[Writer], Awaitable[None]]:
    async def write(writer: Writer) -> None:
        writer.write(HEAD + extra + b"content-length: %d\r\n\r\n" % len(body) + body)

    return write


def _raw(*pieces: bytes, close: bool = False) -> Callable[[Writer], Awaitable[None]]:
    async def write(writer: Writer) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if close:
            writer.close()

    return write


def _chunk(body: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(body), body)


def _drip(head: bytes, piece: bytes) -> Callable[[Writer], Awaitable[None]]:
    """A byte every 20 ms for a minute: no read ever times out, only the whole call can."""

    async def write(writer: Writer) -> None:
        writer.write(head)
        for _ in range(3000):
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.02)

    return write


async def _silence(_: Writer) -> None:
    await asyncio.sleep(60)


async def _reset(writer: Writer) -> None:
    connection: socket.socket = writer.get_extra_info("socket")
    # Lingering for no time makes close() send RST instead of FIN.
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


LONG = b"x" * (CAP + 1)

ANSWERS: dict[str, Callable[[Writer], Awaitable[None]]] = {
    "/whole": _whole(b'{"a":1}'),
    "/chunked": _raw(CHUNKED, _chunk(b'{"a"'), _chunk(b":1}"), b"0\r\n\r\n"),
    "/until-close": _raw(HEAD + b"connection: close\r\n\r\n", b'{"a":1}', close=True),
    "/empty": _raw(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "/full": _whole(b"x" * CAP),
    "/long": _whole(LONG),
    "/long-chunked": _raw(CHUNKED, *(_chunk(b"x" * 100) for _ in range(11)), b"0\r\n\r\n"),
    "/long-until-close": _raw(HEAD + b"connection: close\r\n\r\n", LONG, close=True),
    "/long-under-a-false-length": _raw(
        HEAD + b"content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        _chunk(LONG),
        b"0\r\n\r\n",
    ),
    "/endless": _drip(CHUNKED, _chunk(b"x" * 65_536)),
    "/redirect": _raw(b"HTTP/1.1 307 Go\r\nlocation: /whole\r\ncontent-length: 0\r\n\r\n"),
    "/broken": _raw(b"HTTP/1.1 500 Oh\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\nno"),
    "/gzipped": _whole(b"not gzip at all", b"content-encoding: gzip\r\n"),
    "/fresh": _whole(
        b"{}",
        b"cache-control: private, max-age=5\r\ncache-tag: account:1,feed:1\r\n"
        b"cache-invalidate: feed:1\r\n",
    ),
    "/undeclared": _whole(b"{}", b"cache-tag: feed:1\r\n"),
    "/busy": _raw(b"HTTP/1.1 503 No\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n"),
    "/odd-header": _raw(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/\xffjson\r\ncontent-length: 2\r\n\r\n{}"
    ),
    "/long-head": _whole(b"{}", b"x-long: " + b"x" * 2_000_000 + b"\r\n"),
    "/cookie": _whole(b"{}", b"set-cookie: viewer=one; Path=/\r\n"),
    "/silent": _silence,
    "/drip": _drip(HEAD + b"content-length: %d\r\n\r\n" % CAP, b"x"),
    "/drip-chunked": _drip(CHUNKED, _chunk(b"x")),
    "/reset": _reset,
    "/cut": _raw(HEAD + b"content-length: 10\r\n\r\nabc", close=True),
    "/cut-chunked": _raw(CHUNKED + _chunk(b"abc"), close=True),
    "/hung-up": _raw(close=True),
    "/no-http": _raw(b"hello\r\n\r\n", close=True),
}


@asynccontextmanager
async def raw_server() -> AsyncIterator[RawServer]:
    """A server on a free port of 127.0.0.1, gone at the end with all it was still writing."""
    server = RawServer()
    open_connections: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: Writer) -> None:
        server.connections += 1
        task = asyncio.create_task(server.serve(reader, writer))
        open_connections.add(task)

    listener = await asyncio.start_server(connected, "127.0.0.1", 0)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        await asyncio.sleep(0)  # what was just accepted becomes a task
        for task in open_connections:
            task.cancel()
        await asyncio.gather(*open_connections, return_exceptions=True)
