"""Replies no honest service gives, as bytes or as a stream of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from functools import lru_cache

from tests.harness.faults.fault import Fault, Kind

# What must never reach an app: tests look for it in answers.
LEAK = "injected by 10.1.2.3"
_JSON = "application/json"
_BLOCK = b'"' + b"x" * 65_533 + b'",'
_MB = 1 << 20


def reply(
    status: int, body: bytes, content_type: str = _JSON, headers: dict[str, str] | None = None
) -> bytes:
    """One framed reply."""
    told = {"content-type": content_type, "content-length": str(len(body)), **(headers or {})}
    lines = [f"HTTP/1.1 {status} Injected", *(f"{name}: {value}" for name, value in told.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def forged(fault: Fault) -> Iterator[bytes]:
    """The pieces of a reply made up for this fault (one of FORGED)."""
    if fault.kind in (Kind.HUGE, Kind.HUGE_CHUNKED):
        return _huge(fault.mb << 20, chunked=fault.kind is Kind.HUGE_CHUNKED)
    return iter((_small(fault),))


def _small(fault: Fault) -> bytes:
    match fault.kind:
        case Kind.STATUS:
            extra = {"retry-after": fault.retry_after} if fault.retry_after else {}
            body = fault.text or f'{{"error": "{LEAK}: sqlite3.OperationalError"}}'
            return reply(fault.status, body.encode(), headers=extra)
        case Kind.MALFORMED:
            return reply(200, f'{{"id": "{LEAK}", "items": [1, 2,'.encode())
        case Kind.WRONG_TYPE:
            page = f"<html><body>502 Bad Gateway, {LEAK}</body></html>"
            return reply(200, page.encode(), "text/html")
        case Kind.WRONG_SHAPE:
            shape = f'{{"unexpected": "{LEAK}", "id": {{"$ne": 1}}, "items": "no list"}}'
            return reply(200, shape.encode())
        case Kind.WRONG_VALUE:
            return reply(200, fault.text.encode())
        case Kind.GZIP_BOMB:
            return reply(200, bomb(fault.mb), headers={"content-encoding": "gzip"})
        case Kind.REDIRECT:
            return reply(302, b"", headers={"location": fault.to})
        case Kind.HEADER_FLOOD:
            flood = {f"x-flood-{n}": "x" * 8_000 for n in range(fault.mb << 7)}
            return reply(200, b"{}", headers=flood)
        case _:
            return reply(200, b"")


def _huge(size: int, *, chunked: bool) -> Iterator[bytes]:
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {size}"
    yield f"HTTP/1.1 200 OK\r\ncontent-type: {_JSON}\r\n{framing}\r\n\r\n".encode()
    for _ in range(size // len(_BLOCK)):
        yield b"%x\r\n%b\r\n" % (len(_BLOCK), _BLOCK) if chunked else _BLOCK
    yield b"0\r\n\r\n" if chunked else b"x" * (size % len(_BLOCK))


@lru_cache(maxsize=4)
def bomb(mb: int) -> bytes:
    """A gzip member of so many megabytes of JSON that begins well and never ends. Made once, which
    takes a while."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    start = packer.compress(b'{"items": "')
    return start + b"".join(packer.compress(b"x" * _MB) for _ in range(mb)) + packer.flush()
