"""How bytes reach a core service and come back: two implementations behind one small protocol.

Both follow no redirect, send no cookie, ask for no compression, read with a cap, and end by their
own total timeout. What a status or a body means is the caller's (`calls.py`). `pyreqwest` is the
default because a call costs it a tenth of the CPU; `httpx2` is the portable second (pure Python).
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Callable
from datetime import timedelta
from functools import lru_cache
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any, Protocol

import httpx2
import msgspec
from pyreqwest.bytes import Bytes
from pyreqwest.client import ClientBuilder
from pyreqwest.exceptions import PyreqwestError, RequestTimeoutError
from pyreqwest.http import Url
from pyreqwest.response import Response

from bff.config import UpstreamsConfig


class Outgoing(msgspec.Struct, frozen=True):
    """One call as bytes; `timeout` in seconds is of the whole call, the body read included."""

    verb: str
    url: str
    headers: dict[str, str]
    body: bytes | None
    timeout: float


class Incoming(msgspec.Struct, frozen=True):
    """One answer as bytes, the body as whatever holds them: decoders read it without a copy.

    What it says of its freshness as it stands in the header (RFC 9111 section 5.2, RFC 9110
    section 10.2.3): `cache_tags` and `invalidates` are comma-separated tags, the latter of answers
    to writes.
    """

    status: int
    content_type: str
    body: bytes | Bytes
    cache_control: str | None = None
    cache_tags: str | None = None
    invalidates: str | None = None
    retry_after: str | None = None


# pyreqwest's own class for it also stands for connections that broke under a call (0.15: tests hold
# it). Not found, a call counts as one that may have arrived.
UNCONNECTED = "client error (Connect)"


class TransportError(Exception):
    """The call did not bring an answer; the message is for logs and names no path or query, which
    hold what the app asked for."""


class TransportTimeout(TransportError):
    """No whole answer in time. The call may have been executed, whatever phase it was in."""


class TransportFailure(TransportError):
    """No connection, it broke, or what came is no HTTP."""


class CallUnsendable(TransportFailure):
    """The call cannot be written as HTTP: nothing was sent, and no service is to blame."""


class NotConnected(TransportFailure):
    """No connection came about: nothing was sent."""


class AnswerTooLarge(TransportError):
    """The body passed the cap; the rest was not read."""


class Transport(Protocol):
    """One pooled client of all core services."""

    async def send(self, call: Outgoing) -> Incoming:
        """Raises TransportTimeout, TransportFailure or AnswerTooLarge."""
        ...

    async def close(self) -> None: ...


class PyreqwestTransport:
    """The default: reqwest's pool behind its Python binding."""

    def __init__(self, max_connections: int, max_answer_bytes: int, idle_s: float = 4.0) -> None:
        self._cap = max_answer_bytes
        self._client = (
            ClientBuilder()
            .follow_redirects(False)
            .no_proxy()
            .referer(False)
            .gzip(False)
            .brotli(False)
            .zstd(False)
            .deflate(False)
            .max_connections(max_connections)
            .pool_max_idle_per_host(max_connections)
            .pool_idle_timeout(timedelta(seconds=idle_s))
            .build()
        )

    async def send(self, call: Outgoing) -> Incoming:
        task = asyncio.current_task()
        cancels = _cancels(task)
        try:
            found = await self._send(call)
        except Exception:
            _obey_cancel(task, cancels)
            raise
        _obey_cancel(task, cancels)
        return found

    async def _send(self, call: Outgoing) -> Incoming:
        answered = False
        try:
            request = self._client.request(call.verb, _parsed(call.url)).headers(call.headers)
            if call.body is not None:
                request = request.body_bytes(call.body)
            async with request.timeout(_duration(call.timeout)).build_streamed() as response:
                answered = True
                body = await self._read(response)
                return _incoming(call.verb, response.status, response.get_header, body)
        except RequestTimeoutError as error:
            raise TransportTimeout(_causes(error)) from error
        except ValueError as error:  # the binding's BuilderError, too
            if answered:
                raise TransportFailure("a header of the answer is no text") from error
            raise CallUnsendable("a header or the URL cannot be sent") from error
        except PyreqwestError as error:
            said = _causes(error)
            raise (NotConnected if UNCONNECTED in said else TransportFailure)(said) from error

    async def _read(self, response: Response) -> bytes | Bytes:
        declared = response.get_header("content-length")
        # Beside a transfer-encoding the length means nothing (RFC 9112 section 6.3).
        framed = response.get_header("transfer-encoding")
        if declared is not None and declared.isdecimal() and framed is None:
            if int(declared) > self._cap:
                raise AnswerTooLarge(f"content-length {declared[:20]}, cap {self._cap}")
            return await response.bytes()
        chunks: list[bytes] = []
        size = 0
        while (chunk := await response.body_reader.read_chunk()) is not None:
            size += len(chunk)
            if size > self._cap:
                raise AnswerTooLarge(f"more than {self._cap} bytes")
            chunks.append(bytes(chunk))
        return b"".join(chunks)

    async def close(self) -> None:
        await self._client.close()


def _incoming(
    verb: str, status: int, header: Callable[[str], str | None], body: bytes | Bytes
) -> Incoming:
    """An answer with those of its headers that can mean something: each look-up costs."""
    kind = header("content-type") or ""
    if status >= 300:
        return Incoming(status, kind, body, retry_after=header("retry-after"))
    control = header("cache-control")
    tags = header("cache-tag") if control is not None else None
    invalidates = header("cache-invalidate") if verb != "GET" else None
    return Incoming(status, kind, body, control, tags, invalidates)


# Most calls repeat: the same few addresses, and the service's own time limit.
@lru_cache(maxsize=1_024)
def _parsed(url: str) -> Url:
    return Url(url)


@lru_cache(maxsize=256)
def _duration(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)


def _cancels(task: asyncio.Task[Any] | None) -> int:
    """How often the task was told to stop so far."""
    return task.cancelling() if task is not None else 0


def _obey_cancel(task: asyncio.Task[Any] | None, cancels: int) -> None:
    """Raises CancelledError if there were more than `cancels`. An answer or an error that comes in
    the moment of a cancel is given in its place: the cancel would be lost, and a task that goes on
    asking would never end."""
    if _cancels(task) > cancels:
        raise asyncio.CancelledError


# The event loop reads a socket dry before anybody can tell it to stop: with the kernel's own sizes
# an endless answer brings 7 MB at once, however low the cap.
_SOCKET_OPTIONS = [
    (socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536),
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
]


class Httpx2Transport:
    """The portable second: httpx's maintained continuation, pure Python."""

    def __init__(self, max_connections: int, max_answer_bytes: int, idle_s: float = 4.0) -> None:
        self._cap = max_answer_bytes
        limits = httpx2.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=idle_s,
        )
        # The client would keep a service's cookies and send them on, one viewer's for the next.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx2.AsyncClient(
            transport=httpx2.AsyncHTTPTransport(
                trust_env=False, limits=limits, socket_options=_SOCKET_OPTIONS
            ),
            follow_redirects=False,
            trust_env=False,
            timeout=None,
            cookies=no_cookies,
        )

    async def send(self, call: Outgoing) -> Incoming:
        headers = {**call.headers, "accept-encoding": "identity"}
        try:
            # A read timeout restarts with every byte; only a total one is a deadline.
            async with asyncio.timeout(call.timeout):
                request = self._client.build_request(
                    call.verb, call.url, headers=headers, content=call.body
                )
                response = await self._client.send(request, stream=True)
                try:
                    body = await self._read(response)
                finally:
                    await response.aclose()
        except (TimeoutError, httpx2.TimeoutException) as error:
            raise TransportTimeout(str(error) or "no whole answer in time") from error
        except (ValueError, httpx2.InvalidURL, httpx2.LocalProtocolError) as error:
            # Said without the error's own words: they quote the header.
            raise CallUnsendable("a header or the URL cannot be sent") from error
        except httpx2.ConnectError as error:
            raise NotConnected(f"{type(error).__name__}: {error}") from error
        except (httpx2.HTTPError, RuntimeError) as error:  # RuntimeError: the client is closed
            raise TransportFailure(f"{type(error).__name__}: {error}") from error
        return _incoming(call.verb, response.status_code, response.headers.get, body)

    async def _read(self, response: httpx2.Response) -> bytes:
        declared = response.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > self._cap:
            raise AnswerTooLarge(f"content-length {declared[:20]}, cap {self._cap}")
        chunks: list[bytes] = []
        size = 0
        try:
            async for chunk in response.aiter_raw():
                size += len(chunk)
                if size > self._cap:
                    raise AnswerTooLarge(f"more than {self._cap} bytes")
                chunks.append(chunk)
            return b"".join(chunks)
        finally:
            # The traceback of an error keeps this frame, until garbage is collected.
            chunks.clear()

    async def close(self) -> None:
        await self._client.aclose()


def make_transport(config: UpstreamsConfig) -> Transport:
    """The transport the settings name."""
    kind = PyreqwestTransport if config.transport == "pyreqwest" else Httpx2Transport
    return kind(config.pool_size, config.max_answer_bytes, config.idle_connection_s)


def _causes(error: PyreqwestError) -> str:
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    said = ": ".join([type(error).__name__, error.message, *causes])
    return re.sub(r" for url \([^)\s]*\)", "", said)
