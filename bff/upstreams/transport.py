"""How bytes reach a core service and come back: two implementations behind one small protocol.

Both follow no redirect, send no cookie, ask for no compression, read with a cap, and end by their
own total timeout. What a status or a body means is the caller's (`calls.py`). `pyreqwest` is the
default because a call costs it a tenth of the CPU; `httpx2` is the portable second (pure Python).
"""

from __future__ import annotations

import asyncio
import re
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
    """One answer as bytes, the body as whatever holds them: decoders read it without a copy."""

    status: int
    content_type: str
    body: bytes | Bytes


class TransportError(Exception):
    """The call did not bring an answer; the message is for logs and names no path or query, which
    hold what the app asked for."""


class TransportTimeout(TransportError):
    """No whole answer in time. The call may have been executed, whatever phase it was in."""


class TransportFailure(TransportError):
    """No connection, it broke, or the call could not be written as HTTP."""


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

    def __init__(self, max_connections: int, max_answer_bytes: int) -> None:
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
            .pool_idle_timeout(timedelta(seconds=15))
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
        try:
            request = self._client.request(call.verb, _parsed(call.url)).headers(call.headers)
            if call.body is not None:
                request = request.body_bytes(call.body)
            async with request.timeout(_duration(call.timeout)).build_streamed() as response:
                body = await self._read(response)
                return Incoming(response.status, response.get_header("content-type") or "", body)
        except RequestTimeoutError as error:
            raise TransportTimeout(_causes(error)) from error
        except PyreqwestError as error:
            raise TransportFailure(_causes(error)) from error
        except ValueError as error:
            raise TransportFailure("a header or the URL cannot be sent") from error

    async def _read(self, response: Response) -> bytes | Bytes:
        declared = response.get_header("content-length")
        # Beside a transfer-encoding the length means nothing (RFC 9112 section 6.3).
        framed = response.get_header("transfer-encoding")
        if declared is not None and declared.isdecimal() and framed is None:
            if int(declared) > self._cap:
                raise AnswerTooLarge(f"content-length {declared}, cap {self._cap}")
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


class Httpx2Transport:
    """The portable second: httpx's maintained continuation, pure Python."""

    def __init__(self, max_connections: int, max_answer_bytes: int) -> None:
        self._cap = max_answer_bytes
        limits = httpx2.Limits(
            max_connections=max_connections,
            max_keepalive_connections=max_connections,
            keepalive_expiry=15,
        )
        # The client would keep a service's cookies and send them on, one viewer's for the next.
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=()))
        self._client = httpx2.AsyncClient(
            limits=limits,
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
            raise TransportFailure("a header or the URL cannot be sent") from error
        except (httpx2.HTTPError, RuntimeError) as error:  # RuntimeError: the client is closed
            raise TransportFailure(f"{type(error).__name__}: {error}") from error
        return Incoming(response.status_code, response.headers.get("content-type", ""), body)

    async def _read(self, response: httpx2.Response) -> bytes:
        chunks: list[bytes] = []
        size = 0
        async for chunk in response.aiter_raw():
            size += len(chunk)
            if size > self._cap:
                raise AnswerTooLarge(f"more than {self._cap} bytes")
            chunks.append(chunk)
        return b"".join(chunks)

    async def close(self) -> None:
        await self._client.aclose()


def make_transport(config: UpstreamsConfig) -> Transport:
    """The transport the settings name."""
    kind = PyreqwestTransport if config.transport == "pyreqwest" else Httpx2Transport
    return kind(config.max_connections, config.max_answer_bytes)


def _causes(error: PyreqwestError) -> str:
    details = getattr(error, "details", None) or {}
    causes = [cause["message"] for cause in details.get("causes") or ()]
    said = ": ".join([type(error).__name__, error.message, *causes])
    return re.sub(r" for url \([^)\s]*\)", "", said)
