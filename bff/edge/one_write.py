"""An answer that is there whole leaves in one write to the socket; any other is uvicorn's to send.

uvicorn writes head and body apart, each a system call, and searches every header twice: together a
fifth of what the edge takes for a request. Leans on uvicorn 0.54: `_start_asgi_task` runs the
application with the `send` it is given, and a cycle's flags tell how far its answer is.
"""

from __future__ import annotations

from uvicorn._types import (
    ASGI3Application,
    ASGIReceiveCallable,
    ASGISendCallable,
    ASGISendEvent,
    HTTPResponseBodyEvent,
    HTTPResponseStartEvent,
    Scope,
)
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

# No header may hold one of these (RFC 9110 §5.5), or a value could bring headers of its own.
_CONTROLS = bytes(byte for byte in (*range(0x20), 0x7F) if byte != ord("\t"))
# What an answer with one of these means is uvicorn's to know.
_FRAMING = frozenset((b"connection", b"transfer-encoding"))


class OneWriteProtocol(HttpToolsProtocol):
    """Runs the application with a `send` that waits for the body before it writes the head."""

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        sender = _Sender(cycle)

        def run(scope: Scope, receive: ASGIReceiveCallable, _: ASGISendCallable) -> object:
            return app(scope, receive, sender.send)

        super()._start_asgi_task(cycle, run)  # type: ignore[arg-type]


class _Sender:
    """Sends one answer."""

    __slots__ = ("_cycle", "_start")

    def __init__(self, cycle: RequestResponseCycle) -> None:
        self._cycle = cycle
        self._start: HTTPResponseStartEvent | None = None

    async def send(self, message: ASGISendEvent) -> None:
        """ASGI's `send`."""
        if message["type"] == "http.response.start" and not self._cycle.response_started:
            self._start = message
            return
        start, self._start = self._start, None
        if start is not None and message["type"] == "http.response.body":
            if self._sent(start, message):
                return
            await self._cycle.send(start)
        await self._cycle.send(message)

    def _sent(self, start: HTTPResponseStartEvent, message: HTTPResponseBodyEvent) -> bool:
        """Whether it was an answer of the usual kind, which is sent then."""
        cycle, body = self._cycle, message.get("body", b"")
        if message.get("more_body", False) or not cycle.keep_alive:
            return False
        if cycle.disconnected or cycle.flow.write_paused or cycle.scope["method"] == "HEAD":
            return False
        headers = [*cycle.default_headers, *start.get("headers", ())]
        head = _head(start["status"], headers, len(body))
        if head is None:
            return False
        cycle.response_started = cycle.response_complete = True
        cycle.waiting_for_100_continue = False
        cycle.transport.writelines((head, body))
        cycle.message_event.set()
        cycle.on_response()
        return True


def _head(status: int, headers: list[tuple[bytes, bytes]], size: int) -> bytes | None:
    """Status line and headers; None where they do not announce just these bytes of body, or could
    be read in another way than they were meant."""
    sent = dict(headers)
    announced = sent.get(b"content-length")
    if announced != b"%d" % size and not (announced is None and status == 304 and not size):
        return None
    if len(sent) != len(headers) or not _FRAMING.isdisjoint(sent):
        return None
    lines = [STATUS_LINE[status]]
    for name, value in headers:
        lines += (name, b": ", value, b"\r\n")
    lines.append(b"\r\n")
    head = b"".join(lines)
    ends = 2 * (len(headers) + 2)
    return head if len(head.translate(None, _CONTROLS)) == len(head) - ends else None
