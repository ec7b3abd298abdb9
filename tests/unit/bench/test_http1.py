"""Answers read from bytes that come in any pieces."""

from __future__ import annotations

import pytest

from tests.bench.http1 import Reply, read_reply

SIZED = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nx-a: b\r\n\r\nhello"
CHUNKED = (
    b"HTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nA\r\n0123456789\r\n0\r\n\r\n"
)


@pytest.mark.parametrize(
    ("whole", "status", "body"), [(SIZED, 200, b"hello"), (CHUNKED, 404, b"abc0123456789")]
)
def test_reply_waits_until_whole(whole: bytes, status: int, body: bytes) -> None:
    """No prefix of an answer is taken for it, and what follows it is left alone."""
    assert [read_reply(whole[:size]) for size in range(len(whole))] == [None] * len(whole)
    reply = read_reply(whole + b"HTTP/1.1 500")
    assert reply is not None
    assert (reply.status, reply.body, reply.size) == (status, body, len(whole))


def test_length_may_be_last() -> None:
    """A length in the last header line is read like any other."""
    reply = read_reply(b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2\r\n\r\nok")
    assert reply == Reply(200, b"HTTP/1.1 200 OK\r\nx-a: b\r\ncontent-length: 2", b"ok", 48)


def test_unframed_reply_is_refused() -> None:
    """An answer that ends with its connection cannot be measured."""
    with pytest.raises(ValueError, match="without length or chunks"):
        read_reply(b"HTTP/1.1 200 OK\r\n\r\n")
