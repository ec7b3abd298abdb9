"""Reads HTTP/1.1 answers from bytes, as far as a load generator needs it; decodes no content."""

from __future__ import annotations

from typing import NamedTuple

_LENGTH = b"\r\ncontent-length:"
_CHUNKED = b"\r\ntransfer-encoding: chunked"


class Reply(NamedTuple):
    """One answer; `size` is what it took of the buffer."""

    status: int
    head: bytes
    body: bytes
    size: int


def read_reply(data: bytes) -> Reply | None:
    """The first answer in `data`, None while it is not whole.

    Raises ValueError for one that is framed by neither a length nor chunks.
    """
    end = data.find(b"\r\n\r\n")
    if end < 0:
        return None
    begin = end + 4
    head = data[:end]
    lower = head.lower()
    at = lower.find(_LENGTH)
    if at >= 0:
        stop = lower.find(b"\r\n", at + 2)
        after = begin + int(lower[at + len(_LENGTH) : stop if stop >= 0 else len(lower)])
        if len(data) < after:
            return None
        return Reply(int(head[9:12]), head, data[begin:after], after)
    if _CHUNKED not in lower:
        raise ValueError(f"an answer without length or chunks: {head[:200]!r}")
    return _chunked(data, head, begin)


def _chunked(data: bytes, head: bytes, at: int) -> Reply | None:
    """RFC 9112 section 7.1, without extensions and trailers."""
    parts: list[bytes] = []
    while (end := data.find(b"\r\n", at)) >= 0:
        size = int(data[at:end], 16)
        at = end + 2 + size + 2
        if len(data) < at:
            return None
        if size == 0:
            return Reply(int(head[9:12]), head, b"".join(parts), at)
        parts.append(data[end + 2 : at - 2])
    return None
