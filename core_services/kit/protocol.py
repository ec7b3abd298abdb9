"""Bounds the head of a request while it arrives and drops trailers (RFC 9110 §6.5.1); a body is the
application's to bound. Stands twice, word for word: bff/edge and core_services/kit share no code.

Leans on uvicorn 0.54: `data_received` feeds the parser, which calls `on_header` for head and
trailers alike, `on_headers_complete`, `on_body`, `on_message_complete`; what those raise ends in
`send_400_response`; `url` is the target; `cycle` is the newest request with a whole head, and
`pipeline` holds those that wait for an earlier answer.
"""

from collections.abc import Mapping
from itertools import chain
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEADERS = 100
# A socket closed on unread bytes is reset, and may take the answer along (RFC 9112 §9.6): so much
# more is read and dropped, for so long.
LINGER_BYTES, LINGER_S = 262_144, 1.0
REQUEST_LINE = len("  HTTP/1.1\r\n\r\n")


class OverLimitError(Exception):
    """Stops the parser."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection; `max_head_bytes` is of request line and headers, and again of trailers."""

    max_head_bytes: int
    refusals: Mapping[int, bytes]  # the bodies of 400 and 431
    media_type: bytes

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._in_body = self._refused = self._over = False
        self._trailers: list[tuple[bytes, bytes]] = []  # measured, and dropped
        # Bytes since the last whole head, piece of body or end of a message: what the parser holds
        # of a line without end, or drops.
        self._pending = 0

    def data_received(self, data: bytes) -> None:
        self._pending += len(data)
        if not self._refused:
            super().data_received(data)
            if self._pending > self.max_head_bytes and not self._refused:
                self._refuse(431)
        elif self._pending > LINGER_BYTES:
            self.transport.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_body:
            self._trailers.append((name, value))
            self._check(self._trailers)
        elif len(self.headers) == MAX_HEADERS:
            self._stop()
        elif len(name) == len(b"expect"):
            super().on_header(name, value)
        else:  # the same without the call, which is a tenth of what the server does for a request
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        # Once, not with every header: until here `_pending` bounds it, and one read of the socket.
        self._check(self.headers, len(self.parser.get_method()) + len(self.url) + REQUEST_LINE)
        if self.url == b"*":  # the server as a whole (RFC 9112 §3.2.4), which uvicorn cannot parse
            self.url = b"/"
        super().on_headers_complete()
        self._in_body, self._pending = True, 0

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._pending = False, 0
        if self._trailers:
            self._trailers.clear()
        super().on_message_complete()

    def _check(self, headers: list[tuple[bytes, bytes]], beside: int = 0) -> None:
        if len(headers) > MAX_HEADERS or _size(headers) + beside > self.max_head_bytes:
            self._stop()

    def _stop(self) -> None:
        self._over = True
        raise OverLimitError

    def send_400_response(self, msg: str) -> None:
        """Say why the parser stopped."""
        head = [] if self._in_body else self.headers or []
        self._refuse(431 if self._over or _size(head) > self.max_head_bytes else 400)

    def _refuse(self, status: int) -> None:
        """Answer, unless that would be read as the answer to another request; then close."""
        self.logger.warning("the transport refused a request with status %d", status)
        self._refused, self._pending, cycle = True, 0, self.cycle
        if self._in_body and not (cycle.response_started or self.pipeline):
            cycle.disconnected = True  # for the application its client has left
            cycle.message_event.set()
        elif self._in_body or (cycle is not None and not cycle.response_complete):
            self.transport.close()
            return
        body, lines = self.refusals[status], [STATUS_LINE[status]]
        lines += [b"%b: %b\r\n" % header for header in self.server_state.default_headers]
        lines.append(b"content-type: %b\r\ncontent-length: %d\r\n" % (self.media_type, len(body)))
        lines.append(b"cache-control: no-store\r\nconnection: close\r\n\r\n")
        self.transport.write(b"".join([*lines, body]))
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


def _size(headers: list[tuple[bytes, bytes]]) -> int:
    """Bytes of these header lines."""
    return sum(map(len, chain.from_iterable(headers))) + len(headers) * len(": \r\n")


def limited(max_head_bytes: int, media_type: str, refusals: Mapping[int, bytes]) -> type[Any]:
    """The class for `uvicorn.Config(http=…)` that answers with bodies of this media type."""
    members = {"max_head_bytes": max_head_bytes, "refusals": refusals}
    return type("Limited", (LimitedProtocol,), members | {"media_type": media_type.encode()})
