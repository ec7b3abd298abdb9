"""A real uvicorn around an application that echoes, and HTTP written by hand over sockets."""

from __future__ import annotations

import asyncio
import json
import select
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import uvicorn
from starlette.types import Receive, Scope, Send

TIMEOUT_S = 20


@dataclass(frozen=True)
class RawAnswer:
    """One answer as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def seen(self) -> dict[str, Any]:
        """What the application that echoes saw."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Seen:
    """What reached the application: how many, and whether a client left before its end."""

    begun: int = 0
    left: threading.Event = field(default_factory=threading.Event)
    answer_now: bool = False  # before the body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.begun += 1
        body, more = b"", not self.answer_now
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                self.left.set()
                return
            body, more = body + message.get("body", b""), message.get("more_body", False)
        headers = [[name.decode(), value.decode("latin-1")] for name, value in scope["headers"]]
        told = {"method": scope["method"], "path": scope["path"], "headers": headers}
        answer = json.dumps({**told, "body": body.decode("latin-1")}).encode()
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": answer})


@contextmanager
def echoing(protocol: type[asyncio.Protocol], app: Seen) -> Iterator[int]:
    """The port of a real server in a thread of this process."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=protocol, loop="uvloop", ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join()


class Wire:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_S)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream: BinaryIO = self.socket.makefile("rb")

    def __enter__(self) -> Wire:
        return self

    def __exit__(self, *_: object) -> None:
        self._stream.close()
        self.socket.close()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)

    def send_until_answered(self, piece: bytes, most: int) -> int:
        """Send a piece over and over; gives how many bytes went before an answer came, or `most`
        at least."""
        sent = 0
        while sent < most and not select.select([self.socket], [], [], 0)[0]:
            try:
                sent += self.socket.send(piece)
            except ConnectionError:
                break
        return sent

    def read(self) -> RawAnswer:
        """The next answer. Raises EOFError where the connection ends instead."""
        line = self._stream.readline()
        if not line:
            raise EOFError
        headers: dict[str, str] = {}
        while (field_line := self._stream.readline().strip()) != b"":
            name, _, value = field_line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self._stream.read(int(headers.get("content-length", "0")))
        return RawAnswer(int(line.split()[1]), headers, body)

    def rest(self) -> bytes:
        """All that still comes until the server closes its side."""
        return self._stream.read()

    def is_readable(self, within_s: float) -> bool:
        """Whether something comes, be it the end; waits so long at most."""
        return bool(select.select([self.socket], [], [], within_s)[0])

    def is_ended(self) -> bool:
        """Whether the server closed its side; waits for it to do or to say something."""
        return self._stream.read(1) == b""

    def is_let_go(self) -> bool:
        """Whether the server soon reads no more: a byte now and then is refused in the end."""
        deadline = time.monotonic() + TIMEOUT_S
        while time.monotonic() < deadline:
            try:
                self.send(b"p")
            except ConnectionError:
                return True
            time.sleep(0.005)
        return False


def head_of(size: int, target: str = "/x", method: str = "GET") -> bytes:
    """A whole head of exactly that many bytes, in one large header."""
    start, end = f"{method} {target} HTTP/1.1\r\nhost: facet\r\npadding: ".encode(), b"\r\n\r\n"
    return start + b"p" * (size - len(start) - len(end)) + end
