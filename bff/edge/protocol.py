"""Bounds the head of a request while it arrives and drops trailers (RFC 9110 §6.5.1); a body is the
application's to bound. Stands twice, word for word: bff/edge and core_services/kit share no code.

Leans on uvicorn 0.54: `data_received` feeds the parser, which calls `on_header` for head and
trailers alike, `on_headers_complete`, `on_body`, `on_message_complete`; what those raise ends in
`send_400_response`; `url` is the target; `cycle` is the newest request with a whole head, and
`pipeline` holds those that wait for an earlier answer.
"""

from collections.abc import Mapping
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

MAX_HEADERS = 100
# A socket closed on unread bytes is reset, and may take the answer along (RFC 9112 §9.6): so much
# more is read and dropped, for so long.
LINGER_BYTES, LINGER_S = 262_144, 1.0


class OverLimitError(Exception):
    """Stops the parser."""


class LimitedProtocol(HttpToolsProtocol):
    """One connection; `max_head_bytes` is of request line and headers, and again of trailers."""

    max_head_bytes: int
    refusals: Mapping[int, bytes]  # the bodies of 400 and 431
    media_type: bytes

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self._in_body = self._refused = False
        self._size = self._headers = 0
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
        self._headers += 1
        self._size += len(name) + len(value) + len(": \r\n")
        if self._size > self.max_head_bytes or self._headers > MAX_HEADERS:
            raise OverLimitError
        if not self._in_body:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._size += len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1\r\n\r\n")
        if self._size > self.max_head_bytes:
            raise OverLimitError
        if self.url == b"*":  # the server as a whole (RFC 9112 §3.2.4), which uvicorn cannot parse
            self.url = b"/"
        super().on_headers_complete()
        self._in_body, self._size, self._headers, self._pending = True, 0, 0, 0

    def on_body(self, body: bytes) -> None:
        self._pending = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._in_body, self._size, self._headers, self._pending = False, 0, 0, 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Say why the parser stopped."""
        over = self._size > self.max_head_bytes or self._headers > MAX_HEADERS
        self._refuse(431 if over else 400)

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


def limited(max_head_bytes: int, media_type: str, refusals: Mapping[int, bytes]) -> type[Any]:
    """The class for `uvicorn.Config(http=…)` that answers with bodies of this media type."""
    members = {"max_head_bytes": max_head_bytes, "refusals": refusals}
    return type("Limited", (LimitedProtocol,), members | {"media_type": media_type.encode()})
