"""One upstream call from method to record: credentials, deadline, span, errors by their codes.

`Services` lives as long as the process, `Caller` as long as a request. Retry and breaker are not
here; which requests share a call is decided in `coalesce.py`.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

import msgspec
import orjson
from opentelemetry.trace import Span

from bff.config import ServiceConfig
from bff.contract import Scope
from bff.errors import (
    DeadlineExceeded,
    FieldError,
    InternalError,
    NotFound,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from bff.request import Arrival, ClientIdentity, Deadline, Viewer
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Attribute, Lineage, Tracing
from bff.upstreams.call_log import CallLog
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.credentials import Signer
from bff.upstreams.method import Method, salvage
from bff.upstreams.refusals import bad_response, refused, undelivered
from bff.upstreams.transport import Incoming, Outgoing, Transport, TransportError

A = TypeVar("A", bound=msgspec.Struct)
log = logger(__name__)

LEAST_USEFUL_S = 0.005
CANCELLED = "CANCELLED"  # in metrics only: the operation was given up while the call ran
JSON = "application/json"


@dataclass(frozen=True)
class Services:
    """All that calls share in this process. Without a `coalescer` every request's calls are its
    own."""

    configs: Mapping[str, ServiceConfig]
    transport: Transport
    signer: Signer
    metrics: Metrics
    tracing: Tracing
    max_calls: int = 100
    coalescer: Coalescer | None = None


class Caller:
    """Makes the calls of one request: in its deadline, for its viewer, under its id."""

    __slots__ = ("_arrival", "_askers", "_lineage", "_services", "coalescer", "log", "viewer")

    def __init__(self, services: Services, arrival: Arrival, call_log: CallLog) -> None:
        self._services = services
        self._arrival = arrival
        # Of a call that several requests share: where it stands in their traces, and their ids.
        self._lineage: Lineage | None = None
        self._askers: tuple[str, ...] = ()
        self.coalescer = services.coalescer
        self.log = call_log
        self.viewer: Viewer | None = None

    @property
    def deadline(self) -> Deadline:
        return self._arrival.deadline

    def here(self) -> Span:
        """The span a call made now would stand under."""
        return self._services.tracing.here()

    def for_all(self, askers: Sequence[tuple[Caller, Span]]) -> Caller:
        """A caller of nobody's for what these requests ask together, each with its span: no
        viewer, no client, until the longest of their deadlines.

        Its request id is its own: an id may be of an app's choosing, and a service's log must not
        book one request's keys under another's. Ours names all of theirs when a call fails.
        """
        deadline = max((caller.deadline for caller, _ in askers), key=lambda one: one.at)
        arrival = Arrival(uuid.uuid4().hex, ClientIdentity(), deadline)
        made = Caller(self._services, arrival, CallLog())
        made._lineage = Lineage.of([span for _, span in askers])
        made._askers = tuple(caller._arrival.request_id for caller, _ in askers)
        return made

    def admit(self, service: str) -> float:
        """Seconds left for one more call. Raises UPSTREAM_OVERLOADED when the request has made
        `max_calls` already, DEADLINE_EXCEEDED when no useful time is left."""
        if self.log.asked >= self._services.max_calls:
            raise UpstreamOverloaded("This request needs too many calls; ask for less at once.")
        left = self._arrival.deadline.remaining()
        if left < LEAST_USEFUL_S:
            raise DeadlineExceeded(f"No time was left to ask the {service} service.")
        return left

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

        Raises a FieldError: what `admit` raises, without calling, UPSTREAM_TIMEOUT,
        UPSTREAM_UNAVAILABLE, UPSTREAM_OVERLOADED, UPSTREAM_BAD_RESPONSE, or what the service
        refused with.
        """
        config = self._services.configs.get(method.service)
        if config is None:
            raise UpstreamUnavailable(
                f"The {method.service} service is not set up here.",
                detail=f"upstreams.services.{method.service} is not set",
            )
        left = self.admit(method.service)
        url = config.url + _target(method.path, path, query)
        headers = self._headers(method, left, idempotency_key)
        content = None
        if body is not None:
            headers["content-type"] = JSON
            content = orjson.dumps(body)
        timeout = min(config.timeout_ms / 1000, left)
        outgoing = Outgoing(method.verb, url, headers, content, timeout)
        return await self._observed(method, outgoing, keys, timeout == left)

    async def _observed(
        self, method: Method[A], outgoing: Outgoing, keys: int, by_deadline: bool
    ) -> A:
        """Counts one call and draws its span, whatever it ends with."""
        self.log.add(method.service)
        services = self._services
        started = time.perf_counter()
        outcome = CANCELLED
        try:
            with services.tracing.call(method.label, outgoing.headers, self._lineage) as span:
                recorded = span.is_recording()
                if recorded:
                    _describe(span, method, keys)
                incoming = await self._send(method, outgoing, by_deadline)
                if recorded:
                    span.set_attribute(Attribute.STATUS, incoming.status)
                    span.set_attribute(Attribute.BYTES, len(incoming.body))
                answer = self._read(method, incoming)
            outcome = "ok"
            return answer
        except FieldError as error:
            outcome = error.code
            self._report(method, error)
            raise
        except Exception:
            outcome = InternalError.code
            raise
        finally:
            seconds = time.perf_counter() - started
            services.metrics.called(method.service, method.name, outcome, seconds)

    def _report(self, method: Method[Any], error: FieldError) -> None:
        askers = {"askers": self._askers} if self._askers else {}
        log.warning(
            "upstream_failed",
            upstream=method.service,
            method=method.name,
            code=error.code,
            detail=error.detail,
            request_id=self._arrival.request_id,
            **askers,
        )

    def _headers(
        self, method: Method[Any], left: float, idempotency_key: str | None
    ) -> dict[str, str]:
        signer = self._services.signer
        headers = {
            "authorization": signer.credential(method.service),
            "x-request-id": self._arrival.request_id,
            "x-deadline-ms": str(int(left * 1000)),
            "accept": JSON,
        }
        if method.scope is Scope.VIEWER and self.viewer is not None:
            headers["x-viewer"] = signer.assertion(self.viewer, self._arrival.client)
        if idempotency_key is not None:
            headers["idempotency-key"] = idempotency_key
        return headers

    async def _send(self, method: Method[Any], outgoing: Outgoing, by_deadline: bool) -> Incoming:
        """Failure policy: never a second try here; the field is null and says why."""
        try:
            return await self._services.transport.send(outgoing)
        except TransportError as error:
            raise undelivered(method.service, error, by_deadline=by_deadline) from error

    def _read(self, method: Method[A], incoming: Incoming) -> A:
        if not 200 <= incoming.status < 300:
            raise refused(method, incoming)
        kind = incoming.content_type
        if kind != JSON and kind.partition(";")[0].strip().lower() != JSON:
            raise bad_response(method, f"content type {kind!r}")
        try:
            return method.decoder.decode(incoming.body)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            if method.exact:
                raise bad_response(method, str(error)) from error
            return self._salvage(method, incoming)

    def _salvage(self, method: Method[A], incoming: Incoming) -> A:
        try:
            answer, dropped = salvage(method, bytes(incoming.body))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise bad_response(method, str(error)) from error
        self._services.metrics.dropped(method.service, method.name, dropped)
        log.warning(
            "upstream_values_dropped", upstream=method.service, method=method.name, count=dropped
        )
        return answer


def _target(path: str, parts: Mapping[str, str] | None, query: Mapping[str, object] | None) -> str:
    if parts:
        path = path.format(**{name: _segment(value) for name, value in parts.items()})
    given = "&".join(
        f"{name}={value if type(value) is int else quote_plus(str(value))}"
        for name, value in (query or {}).items()
        if value is not None
    )
    return f"{path}?{given}" if given else path


def _segment(value: str) -> str:
    """One part of a path. Empty ones and dots would make the path another one (RFC 3986 section
    6.2.2.3, escaped dots included), so that an app's id would choose what is called."""
    if value in ("", ".", ".."):
        raise NotFound("There is nothing with this id; check it.")
    return quote(value, safe="")


def _describe(span: Span, method: Method[Any], keys: int) -> None:
    span.set_attributes(
        {
            Attribute.SERVICE: method.service,
            Attribute.METHOD: method.name,
            Attribute.SCOPE: method.scope.value,
            Attribute.KEYS: keys,
        }
    )


__all__ = ["CallLog", "Caller", "Services"]
