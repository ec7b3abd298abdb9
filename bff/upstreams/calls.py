"""One upstream call from method to record: credentials, deadline, span, errors by their codes.

`Services` lives as long as the process, `Caller` as long as a request. Retry, breaker and
coalescing are not here.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote, urlencode

import msgspec
import orjson
from opentelemetry import trace
from strawberry.utils.str_converters import to_camel_case

from bff.config import ServiceConfig
from bff.contract import Scope
from bff.errors import (
    BadUserInput,
    Conflict,
    DeadlineExceeded,
    FieldError,
    Forbidden,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    InternalError,
    NotFound,
    Unauthenticated,
    UpstreamBadResponse,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from bff.request import Arrival, Viewer
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Attribute, Tracing
from bff.upstreams.credentials import Signer
from bff.upstreams.method import Method, salvage
from bff.upstreams.transport import (
    AnswerTooLarge,
    Incoming,
    Outgoing,
    Transport,
    TransportError,
    TransportTimeout,
)

A = TypeVar("A", bound=msgspec.Struct)
log = logger(__name__)

LEAST_USEFUL_S = 0.005
MOST_FIELDS = 20
CANCELLED = "CANCELLED"  # in metrics only: the operation was given up while the call ran

# What a service's problem code means to an app. Any other code of a 4xx is our own mistake, and
# reads as a bad response.
REFUSALS: Mapping[str, type[FieldError]] = {
    "BAD_INPUT": BadUserInput,
    "BAD_CURSOR": BadUserInput,
    "INVALID_CREDENTIALS": BadUserInput,
    "NOT_FOUND": NotFound,
    "FORBIDDEN": Forbidden,
    "CONFLICT": Conflict,
    "TOO_MANY_ADDRESSES": Conflict,
    "IDEMPOTENCY_KEY_REQUIRED": BadUserInput,
    "IDEMPOTENCY_KEY_REUSED": IdempotencyKeyReused,
    "IDEMPOTENCY_IN_PROGRESS": IdempotencyInProgress,
    "DEADLINE_SPENT": DeadlineExceeded,
}


class Problem(msgspec.Struct):
    """The part of RFC 9457 problem details that a gateway needs."""

    code: str = ""
    detail: str = ""
    errors: list[dict[str, Any]] = msgspec.field(default_factory=list)


_problems = msgspec.json.Decoder(Problem)


@dataclass(frozen=True)
class Services:
    """All that calls share in this process."""

    configs: Mapping[str, ServiceConfig]
    transport: Transport
    signer: Signer
    metrics: Metrics
    tracing: Tracing
    max_calls: int = 100


@dataclass(slots=True)
class CallLog:
    """The upstream calls of one exchange, for `extensions.upstream` and tests."""

    by_service: dict[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_service.values())

    def add(self, service: str) -> None:
        self.by_service[service] = self.by_service.get(service, 0) + 1


class Caller:
    """Makes the calls of one request: in its deadline, for its viewer, under its id."""

    __slots__ = ("_arrival", "_services", "log", "viewer")

    def __init__(self, services: Services, arrival: Arrival, call_log: CallLog) -> None:
        self._services = services
        self._arrival = arrival
        self.log = call_log
        self.viewer: Viewer | None = None

    async def call(
        self,
        method: Method[A],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
        keys: int = 0,
    ) -> A:
        """The decoded answer. `keys` is how many keys the call carries, for traces.

        Raises a FieldError: DEADLINE_EXCEEDED without calling when no useful time is left,
        UPSTREAM_OVERLOADED without calling when the request has made `max_calls` already,
        UPSTREAM_TIMEOUT, UPSTREAM_UNAVAILABLE, UPSTREAM_OVERLOADED, UPSTREAM_BAD_RESPONSE, or
        what the service refused with.
        """
        config = self._services.configs.get(method.service)
        if config is None:
            raise UpstreamUnavailable(
                f"The {method.service} service is not set up here.",
                detail=f"upstreams.services.{method.service} is not set",
            )
        if self.log.total >= self._services.max_calls:
            raise UpstreamOverloaded("This request needs too many calls; ask for less at once.")
        left = self._arrival.deadline.remaining()
        if left < LEAST_USEFUL_S:
            raise DeadlineExceeded(f"No time was left to ask the {method.service} service.")
        target = _target(method.path, path, query)
        headers = self._headers(method, left, idempotency_key)
        content = None
        if body is not None:
            headers["content-type"] = "application/json"
            content = orjson.dumps(body)
        timeout = min(config.timeout_ms / 1000, left)
        outgoing = Outgoing(method.verb, config.url + target, headers, content, timeout)
        with self._observed(method, headers, keys) as span:
            incoming = await self._send(method, outgoing, by_deadline=timeout == left)
            span.set_attribute(Attribute.STATUS, incoming.status)
            span.set_attribute(Attribute.BYTES, len(incoming.body))
            return self._read(method, incoming)

    @contextmanager
    def _observed(
        self, method: Method[Any], headers: dict[str, str], keys: int
    ) -> Iterator[trace.Span]:
        """Counts one call and draws its span, whatever it ends with."""
        self.log.add(method.service)
        started = time.perf_counter()
        outcome = CANCELLED
        with self._services.tracing.call(f"{method.service}.{method.name}", headers) as span:
            _describe(span, method, keys)
            try:
                yield span
                outcome = "ok"
            except FieldError as error:
                outcome = error.code
                log.warning(
                    "upstream_failed",
                    upstream=method.service,
                    method=method.name,
                    code=error.code,
                    detail=error.detail,
                    request_id=self._arrival.request_id,
                )
                raise
            except Exception:
                outcome = InternalError.code
                raise
            finally:
                seconds = time.perf_counter() - started
                self._services.metrics.called(method.service, method.name, outcome, seconds)

    def _headers(
        self, method: Method[Any], left: float, idempotency_key: str | None
    ) -> dict[str, str]:
        signer = self._services.signer
        headers = {
            "authorization": signer.credential(method.service),
            "x-request-id": self._arrival.request_id,
            "x-deadline-ms": str(int(left * 1000)),
            "accept": "application/json",
        }
        if method.scope is Scope.VIEWER and self.viewer is not None:
            headers["x-viewer"] = signer.assertion(self.viewer, self._arrival.client)
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return headers

    async def _send(
        self, method: Method[Any], outgoing: Outgoing, *, by_deadline: bool
    ) -> Incoming:
        """Failure policy: never a second try here; the field is null and says why. `by_deadline`:
        the request's time would run out before the service's own."""
        try:
            return await self._services.transport.send(outgoing)
        except TransportTimeout as error:
            if by_deadline:
                raise DeadlineExceeded(
                    f"The {method.service} service did not answer before the deadline.",
                    detail=str(error),
                ) from error
            raise UpstreamTimeout(
                f"The {method.service} service did not answer in time; try again.",
                detail=str(error),
            ) from error
        except AnswerTooLarge as error:
            raise _bad_response(method, f"too large: {error}") from error
        except TransportError as error:
            raise UpstreamUnavailable(
                f"The {method.service} service cannot be reached; try again later.",
                detail=str(error),
            ) from error

    def _read(self, method: Method[A], incoming: Incoming) -> A:
        if not 200 <= incoming.status < 300:
            raise _refused(method, incoming)
        if incoming.content_type.partition(";")[0].strip().lower() != "application/json":
            raise _bad_response(method, f"content type {incoming.content_type!r}")
        try:
            return method.decoder.decode(incoming.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if method.exact:
                raise _bad_response(method, str(error)) from error
            return self._salvage(method, incoming)

    def _salvage(self, method: Method[A], incoming: Incoming) -> A:
        try:
            answer, dropped = salvage(method, incoming.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise _bad_response(method, str(error)) from error
        self._services.metrics.dropped(method.service, method.name, dropped)
        log.warning(
            "upstream_values_dropped", upstream=method.service, method=method.name, count=dropped
        )
        return answer


def _target(path: str, parts: Mapping[str, str] | None, query: Mapping[str, object] | None) -> str:
    if parts:
        path = path.format(**{name: _segment(value) for name, value in parts.items()})
    given = {k: v for k, v in query.items() if v is not None} if query else None
    return f"{path}?{urlencode(given)}" if given else path


def _segment(value: str) -> str:
    """One part of a path. Empty ones and dots would make the path another one (RFC 3986 section
    6.2.2.3, escaped dots included), so that an app's id would choose what is called."""
    if value in ("", ".", ".."):
        raise NotFound("There is nothing with this id; check it.")
    return quote(value, safe="")


def _describe(span: trace.Span, method: Method[Any], keys: int) -> None:
    if span.is_recording():
        span.set_attributes(
            {
                Attribute.SERVICE: method.service,
                Attribute.METHOD: method.name,
                Attribute.SCOPE: method.scope.value,
                Attribute.KEYS: keys,
            }
        )


def _refused(method: Method[Any], incoming: Incoming) -> FieldError:
    """The FieldError of a non-2xx answer; the service's own words are shown only with the codes
    that speak of the app's input."""
    try:
        problem = _problems.decode(incoming.body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        problem = Problem()
    detail = f"status {incoming.status} {problem.code} {problem.detail}"
    if problem.code in REFUSALS:
        kind = REFUSALS[problem.code]
        extensions = {"fields": _fields(problem)} if problem.errors else None
        return kind(problem.detail or "The request was refused.", extensions=extensions)
    if problem.code == "VIEWER_REQUIRED":
        return Unauthenticated("Sign in to see this.", detail=detail)
    if incoming.status in (429, 503):
        return UpstreamOverloaded(
            f"The {method.service} service is busy; try again later.", detail=detail
        )
    if incoming.status == 504:
        return UpstreamTimeout(
            f"The {method.service} service did not answer in time; try again.", detail=detail
        )
    if incoming.status >= 500:
        return UpstreamUnavailable(
            f"The {method.service} service failed; try again later.", detail=detail
        )
    return _bad_response(method, detail)


def _fields(problem: Problem) -> list[dict[str, str]]:
    """The input fields at fault by the names an app knows: its own are in camelCase, a service's
    names of types (upper-case) mean nothing to it, and the service's words stay with us."""
    fields = []
    for error in problem.errors[:MOST_FIELDS]:
        parts = [part for part in str(error.get("field", "")).split(".") if not part[:1].isupper()]
        name = ".".join(to_camel_case(part) for part in parts)
        fields.append({"field": name, "code": str(error.get("code", "INVALID"))})
    return fields


def _bad_response(method: Method[Any], detail: str) -> UpstreamBadResponse:
    return UpstreamBadResponse(
        f"The {method.service} service answered in a way this gateway cannot read.",
        detail=detail,
    )
