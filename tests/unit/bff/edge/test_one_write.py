"""bff/edge/one_write.py over real sockets: the bytes of uvicorn's own protocol, in one write."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bff.edge.one_write import OneWriteProtocol
from tests.harness.raw_http import Seen, Wire, echoing

TEXT = (b"content-type", b"text/plain")


def start(status: int, *headers: tuple[bytes, bytes]) -> Message:
    return {"type": "http.response.start", "status": status, "headers": [*headers]}


def piece(body: bytes, more: bool = False) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": more}


def length(size: int) -> tuple[bytes, bytes]:
    return (b"content-length", b"%d" % size)


WHOLE: dict[str, list[Message]] = {
    "/answer": [start(200, TEXT, length(5)), piece(b"hello")],
    "/large": [start(200, TEXT, length(300_000)), piece(b"p" * 300_000)],
    "/empty": [start(404, length(0)), piece(b"")],
    "/known": [start(304, (b"etag", b'W/"a"')), piece(b"")],
    "/tab": [start(200, (b"x-tab", b"a\tb"), length(1)), piece(b"x")],
}
OTHER: dict[str, list[Message]] = {
    "/pieces": [start(200, TEXT, length(5)), piece(b"he", more=True), piece(b"llo")],
    "/unannounced": [start(200, TEXT), piece(b"hello")],
    "/headless": [{"type": "http.response.start", "status": 200}, piece(b"hello")],
    "/no-content": [start(204), piece(b"")],
    "/twice": [start(200, length(5), length(5)), piece(b"hello")],
    "/closing": [start(200, (b"connection", b"close"), length(5)), piece(b"hello")],
    "/chunked": [start(200, (b"transfer-encoding", b"chunked")), piece(b"hello")],
    "/capital": [start(200, (b"Content-Length", b"5")), piece(b"hello")],
    "/short": [start(200, length(9)), piece(b"hello")],
    "/long": [start(200, length(2)), piece(b"hello")],
    "/split": [start(200, (b"x", b"a\r\nset-cookie: b"), length(1)), piece(b"x")],
    "/name": [start(200, (b"x\n", b"a"), length(1)), piece(b"x")],
    "/start-alone": [start(200, length(5))],
    "/body-alone": [piece(b"hello")],
    "/nothing": [],
}
# uvicorn has sent the head of these by the time it sees what is wrong, and hangs up.
CUT_SHORT = ("/short", "/long", "/start-alone")


class Answering(Seen):
    """Answers by path; what the server raises for a wrong answer ends the request."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        for message in (WHOLE | OTHER)[scope["path"]]:
            await send(message)


class Counted:
    """A transport that counts what is written at once."""

    def __init__(self, transport: asyncio.Transport, writes: list[int]) -> None:
        self._transport, self._writes = transport, writes

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        self._writes.append(1)
        self._transport.write(data)

    def writelines(self, data: tuple[bytes, ...]) -> None:
        self._writes.append(len(data))
        self._transport.writelines(data)


WRITES: list[int] = []


class CountedProtocol(OneWriteProtocol):
    def connection_made(self, transport: Any) -> None:
        super().connection_made(Counted(transport, WRITES))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def ports() -> Iterator[tuple[int, int]]:
    """Where uvicorn's own protocol answers, and ours."""
    with ExitStack() as stack:
        theirs, ours = (
            stack.enter_context(echoing(protocol, Answering()))
            for protocol in (HttpToolsProtocol, CountedProtocol)
        )
        yield theirs, ours


def asked(port: int, *paths: str, method: str = "GET", version: str = "1.1") -> bytes:
    """All that comes back for these requests, sent at once, but for the date."""
    heads = [f"{method} {path} HTTP/{version}\r\nhost: facet\r\n" for path in paths]
    with Wire(port) as wire:
        # In one piece: a server that closes on unread bytes resets, and what it said may be lost.
        wire.send(("\r\n".join(heads) + "connection: close\r\n\r\n").encode())
        lines = wire.rest().splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith(b"date: "))


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("path", [path for path in WHOLE | OTHER if path not in CUT_SHORT])
def test_same_bytes_as_uvicorn(ports: tuple[int, int], path: str, method: str) -> None:
    """Whatever an application sends, on a connection that goes on, that closes and of HTTP/1.0,
    the client gets what uvicorn's own protocol gives it."""
    theirs, ours = ports
    for paths in ((path,), (path, "/answer"), ("/answer", path, path)):
        assert asked(ours, *paths, method=method) == asked(theirs, *paths, method=method)
    old = asked(ours, path, method=method, version="1.0")
    assert old == asked(theirs, path, method=method, version="1.0")


@pytest.mark.parametrize("path", CUT_SHORT)
def test_wrong_lengths_are_cut_short(ports: tuple[int, int], path: str) -> None:
    """A body that is not what its head announced never looks whole, and the connection ends."""
    with Wire(ports[1]) as wire:
        wire.send(f"GET {path} HTTP/1.1\r\nhost: facet\r\n\r\n".encode())
        head, _, body = wire.rest().partition(b"\r\n\r\n")
    announced = next(m for m in OTHER[path][:1])["headers"][-1][1]
    assert head.startswith(b"HTTP/1.1 500") or len(body) < int(announced)


@pytest.mark.parametrize("path", WHOLE)
def test_whole_answers_are_one_write(ports: tuple[int, int], path: str) -> None:
    """Head and body leave together, also one after another on a connection."""
    with Wire(ports[1]) as wire:
        for _ in range(2):
            WRITES.clear()
            wire.send(f"GET {path} HTTP/1.1\r\nhost: facet\r\n\r\n".encode())
            wire.read()
            assert WRITES == [2]
