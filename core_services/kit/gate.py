"""The ASGI gate before every route.

Request id, trace, deadline, caller, viewer, body cap, log line.

It answers refusals itself and turns what routes let escape into 500 INTERNAL; it parses no JSON.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from core_services.kit.callers import VIEWER_HEADER, CallerCheck, Facts
from core_services.kit.deadlines import HEADER as DEADLINE_HEADER
from core_services.kit.deadlines import begin_deadline
from core_services.kit.errors import (
    BadRequest,
    BodyTooLarge,
    CallerUnknown,
    Internal,
    Overloaded,
    Problem,
    UnsupportedMediaType,
    ViewerInvalid,
)
from core_services.kit.freshness import CONTROL_HEADER, NO_STORE
from core_services.kit.places import Places
from core_services.kit.telemetry import Metrics, Traces, trace_id_of
from core_services.kit.tokens import NotNowError

# What gateways ask every few seconds, whoever uses them: no news unless it fails.
POLLED = frozenset({"/v1/revocations", "/.well-known/jwks.json"})
LARGEST_BODY = 64 * 1024
REQUEST_ID_HEADER = "x-request-id"
PUBLIC_PATHS = frozenset({"/healthz", "/readyz", "/metrics", "/openapi.json"})

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_JSON = re.compile(r"application/json\s*(;\s*charset=\"?utf-8\"?\s*)?", re.IGNORECASE)
_NO_STORE = (CONTROL_HEADER.encode(), NO_STORE.encode())
_log = structlog.get_logger("core_services")


class ClientGoneError(Exception):
    """The caller closed the connection before its body was complete; nobody reads an answer."""


@dataclass(frozen=True, slots=True)
class GateParts:
    """What the gate leans on, one set a process."""

    callers: CallerCheck
    metrics: Metrics
    traces: Traces
    places: Places
    public_paths: frozenset[str] = PUBLIC_PATHS


class Gate:
    """Pure ASGI middleware; everything about one request lives in `_Exchange`."""

    def __init__(self, app: ASGIApp, parts: GateParts) -> None:
        self._app = app
        self._parts = parts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, send, self._parts)
        with self._parts.metrics.in_flight.track_inprogress():
            try:
                await exchange.answer(self._app, receive)
            finally:
                exchange.finish()


class _Exchange:
    """One request and its answer."""

    def __init__(self, scope: Scope, send: Send, parts: GateParts) -> None:
        self._started = time.perf_counter()
        self._scope = scope
        self._send = send
        self._parts = parts
        self._status = 0
        self._headers = _single_headers(scope)
        self._span = parts.traces.begin(scope["method"], self._headers)
        given = self._headers.get(REQUEST_ID_HEADER, "")
        self._facts = Facts(
            request_id=given if _REQUEST_ID.fullmatch(given) else uuid4().hex,
            trace_id=trace_id_of(self._span, self._headers.get("traceparent")),
        )
        scope["facet"] = self._facts

    async def answer(self, app: ASGIApp, receive: Receive) -> None:
        """Admit the request and pass it on, or send the problem that stands in its way."""
        try:
            self._admit()
            body = await self._read_body(receive)
            # Not before: whoever sends slowly takes no place. What gateways judge tokens by needs
            # none: few ask, and news of a sign-out must not wait for a rush to be over.
            polled = self._scope["path"] in POLLED
            with self._parts.places.one(public=polled or self._is_public()):
                await app(self._scope, _replay(body, receive), self._send_with_id)
        except ClientGoneError:
            self._status = 499
        except Problem as problem:
            if isinstance(problem, Overloaded):
                self._parts.metrics.shed.inc()
            await self._refuse(problem)
        except Exception as failure:
            _log.error("request failed", request_id=self._facts.request_id, exc_info=failure)
            await self._refuse(Internal())

    def _admit(self) -> None:
        deadline = self._headers.get(DEADLINE_HEADER)
        begin_deadline(None if deadline is None else deadline.encode("latin-1"))
        if self._is_public():
            return
        try:
            self._facts.caller = self._parts.callers.caller(self._headers.get("authorization"))
            assertion = self._headers.get(VIEWER_HEADER)
            if assertion is not None:
                self._facts.viewer = self._parts.callers.viewer(assertion, self._facts.caller)
        except (CallerUnknown, ViewerInvalid) as refusal:
            self._alarm(refusal)
            raise

    def _is_public(self) -> bool:
        return self._scope["path"] in self._parts.public_paths

    def _alarm(self, refusal: Problem) -> None:
        """Tell the operator what the caller is not told: clocks apart look like forgery."""
        cause = refusal.__cause__
        ahead_s = round(cause.ahead_s, 1) if isinstance(cause, NotNowError) else None
        kind = "caller" if isinstance(refusal, CallerUnknown) else "viewer"
        self._parts.metrics.refused(kind, "forged" if ahead_s is None else "clock")
        _log.warning(
            "credential refused",
            request_id=self._facts.request_id,
            kind=kind,
            cause=str(cause or "none sent"),
            ahead_s=ahead_s,
        )

    async def _read_body(self, receive: Receive) -> bytes:
        """Read the whole body, at most LARGEST_BODY bytes: routes never see a part of one."""
        length = self._headers.get("content-length", "0")
        if not length.isdecimal():
            raise BadRequest("Send content-length as a whole number.")
        if int(length) > LARGEST_BODY:
            raise BodyTooLarge
        if length == "0" and "transfer-encoding" not in self._headers:
            return b""
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            body += message.get("body", b"")
            more = message.get("more_body", False)
            if len(body) > LARGEST_BODY:
                raise BodyTooLarge
        if body and not self._is_plain_json():
            raise UnsupportedMediaType
        return bytes(body)

    def _is_plain_json(self) -> bool:
        encoding = self._headers.get("content-encoding", "identity")
        content_type = self._headers.get("content-type", "")
        return encoding == "identity" and _JSON.fullmatch(content_type) is not None

    async def _refuse(self, problem: Problem) -> None:
        if self._status:  # the answer has begun: cutting it off is all that is left
            raise problem
        await problem.response()(self._scope, _nothing, self._send_with_id)

    async def _send_with_id(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            request_id = self._facts.request_id.encode("latin-1")
            headers = [*message["headers"], (b"x-request-id", request_id)]
            if all(name != _NO_STORE[0] for name, _ in headers):
                headers.append(_NO_STORE)
            message["headers"] = headers
        await self._send(message)

    def finish(self) -> None:
        """Write the metrics, the span and the log line of this exchange."""
        seconds = time.perf_counter() - self._started
        method, route = _known_method(self._scope["method"]), _route_of(self._scope)
        self._parts.metrics.answered(method, route, self._status, seconds)
        attributes: dict[str, str | int] = {
            "http.request.method": method,
            "http.route": route,
            "http.response.status_code": self._status,
            "facet.request_id": self._facts.request_id,
            "facet.caller": self._facts.caller or "",
        }
        self._parts.traces.end(self._span, f"{method} {route}", attributes)
        facts = {
            "request_id": self._facts.request_id,
            "trace_id": self._facts.trace_id,
            "method": method,
            "route": route,
            "status": self._status,
            "ms": round(seconds * 1000, 2),
            "caller": self._facts.caller,
        }
        if route in POLLED and self._status < 400:
            _log.debug("request", **facts)
        else:
            _log.info("request", **facts)


def _single_headers(scope: Scope) -> dict[str, str]:
    # ASGI gives names in lower case. A repeated header keeps its first value.
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
    return headers


def _route_of(scope: Mapping[str, Any]) -> str:
    return getattr(scope.get("route"), "path", "unmatched")


def _known_method(method: str) -> str:
    # Whatever a client invents must not become a metric label.
    return method if method in {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"} else "other"


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a receive that hands out the body already read, then what the server still says."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return messages.pop() if messages else await receive()

    return next_message


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
