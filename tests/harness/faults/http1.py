"""Reads whole HTTP/1.1 messages from a stream, as they came; understands no more than framing."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

_BODILESS = (b" 204", b" 304", b" 100")


class Message(NamedTuple):
    """A message as bytes: the head with its empty line, the body still framed."""

    head: bytes
    body: bytes

    @property
    def line(self) -> str:
        return self.head.partition(b"\r\n")[0].decode("latin-1")

    @property
    def path(self) -> str:
        """Of a request's target, the query left out."""
        words = self.line.split(" ")
        return words[1].partition("?")[0] if len(words) > 1 else ""


async def read_message(reader: asyncio.StreamReader, *, request: bool) -> Message | None:
    """The next message; None where the connection ends instead."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        return Message(head, await _body(reader, head.lower(), request))
    except (asyncio.IncompleteReadError, ConnectionError):
        return None


async def _body(reader: asyncio.StreamReader, lower: bytes, request: bool) -> bytes:
    if b"\r\ntransfer-encoding: chunked" in lower:
        return await _chunks(reader)
    _, found, rest = lower.partition(b"\r\ncontent-length:")
    if found:
        return await reader.readexactly(int(rest.partition(b"\r\n")[0]))
    if request or lower[8:12] in _BODILESS:
        return b""
    return await reader.read(-1)


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    whole = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line.split(b";")[0], 16)
        whole += line + await reader.readexactly(size + 2)
        if size == 0:
            return whole
