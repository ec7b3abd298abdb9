"""HTTP/1.1 as bytes on a socket, so that a recorded request leaves exactly as it is written."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import brotli

TIMEOUT_S = 20
DECODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
}


@dataclass(frozen=True)
class Outgoing:
    """A request: head lines as sent, without Host and lengths, and a body in one piece or, where
    `chunks` is set, chunked without Content-Length."""

    line: str
    headers: tuple[str, ...]
    body: bytes | None = None
    chunks: tuple[bytes, ...] = ()

    def pieces(self, host: str) -> list[bytes]:
        """What goes to the socket, each piece in a write of its own."""
        head = [f"{self.line} HTTP/1.1", f"Host: {host}", *self.headers]
        if self.chunks:
            head.append("Transfer-Encoding: chunked")
        elif self.body is not None:
            head.append(f"Content-Length: {len(self.body)}")
        begin = "\r\n".join([*head, "", ""]).encode()
        if self.chunks:
            framed = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in self.chunks]
            return [begin, *framed, b"0\r\n\r\n"]
        return [begin, self.body or b""]

    def without(self, *names: str) -> Outgoing:
        """The same request, these headers left out."""
        kept = [line for line in self.headers if line.partition(":")[0] not in names]
        return replace(self, headers=tuple(kept))

    def instead(self, old: str, new: str) -> Outgoing:
        """The same request with one header line in place of another."""
        return self.without(old.partition(":")[0]).plus(new)

    def plus(self, *lines: str) -> Outgoing:
        """The same request with further header lines."""
        return replace(self, headers=self.headers + lines)


@dataclass(frozen=True)
class Incoming:
    """An answer, its content coding undone. Header names are lower-case."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers.get("content-type", "").partition(";")[0].strip()


def send(url: str, request: Outgoing) -> Incoming:
    """One exchange on a connection of its own."""
    host = urlsplit(url).netloc
    name, _, port = host.partition(":")
    with socket.create_connection((name, int(port)), timeout=TIMEOUT_S) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in request.pieces(host):
            connection.sendall(piece)
        response = http.client.HTTPResponse(connection, method=request.line.partition(" ")[0])
        response.begin()
        body = response.read()
    headers = {key.lower(): value for key, value in response.getheaders()}
    return Incoming(response.status, headers, _decoded(request, headers, body))


def _decoded(request: Outgoing, headers: dict[str, str], body: bytes) -> bytes:
    coding = headers.get("content-encoding")
    if coding is None:
        return body
    offered = next(line for line in request.headers if line.startswith("Accept-Encoding:"))
    assert coding in offered, f"{coding} was not offered ({offered})"
    return DECODERS[coding](body)
