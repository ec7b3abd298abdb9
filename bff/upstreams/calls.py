"""One upstream call from method to record: credentials, deadline, span, errors by their codes.

`Services` lives as long as the process, `Caller` as long as a request. Second tries are made in
`attempts.py`, services watched in `guard/`; who shares a call is decided in `coalesce.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import getrandbits
from typing import Any, TypeVar, cast
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
from bff.store.freshness import read_tags
from bff.store.records import RecordCache, viewer_tag
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Attribute, Lineage, Tracing
from bff.upstreams.attempts import DEADLINE, IDEMPOTENCY_KEY, Ask, Sender
from bff.upstreams.call_log import CallLog
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.credentials import Signer
from bff.upstreams.guard import Effects, Guards
from bff.upstreams.hearing import HEARD
from bff.upstreams.method import Method
from bff.upstreams.reading import JSON
from bff.upstreams.refusals import Failure, deadline_passed, too_late
from bff.upstreams.transport import Incoming, Outgoing, Transport

A = TypeVar("A", bound=msgspec.Struct)
log = logger(__name__)

LEAST_USEFUL_S = 0.005
CANCELLED = "CANCELLED"  # in metrics only: the operation was given up while the call ran


@dataclass(frozen=True)
class Services:
    """All that calls share in this process. Without a `coalescer` every request's calls are its
    own. Before the transport is closed, wait for the writes under way:
    `await effects.settle(seconds)`."""

    configs: Mapping[str, ServiceConfig]
    transport: Transport
    signer: Signer
    metrics: Metrics
    tracing: Tracing
    max_calls: int = 100
    coalescer: Coalescer | None = None
    cache: RecordCache | None = None
    guards: Guards = field(init=False)
    effects: Effects = field(init=False)
    sender: Sender = field(init=False)

    def __post_init__(self) -> None:
        guards = self.metrics.guards
        object.__setattr__(self, "guards", Guards(self.configs, guards))
        object.__setattr__(self, "effects", Effects(guards))
        object.__setattr__(self, "sender", Sender(self.transport, self.metrics))


class Caller:
    """Makes the calls of one request: in its deadline, for its viewer, under its id."""

    __slots__ = (
        "_arrival",
        "_askers",
        "_lineage",
        "_services",
        "cache",
        "coalescer",
        "log",
        "viewer",
    )

    def __init__(self, services: Services, arrival: Arrival, call_log: CallLog) -> None:
        self._services = services
        self._arrival = arrival
        # Of a call that several requests share: where it stands in their traces, and their ids.
        self._lineage: Lineage | None = None
        self._askers: tuple[str, ...] = ()
        self.coalescer = services.coalescer
        self.cache = services.cache
        self.log = call_log
        self.viewer: Viewer | None = None

    @property
    def deadline(self) -> Deadline:
        return self._arrival.deadline

    def here(self) -> Span:
        """The span a call made now would stand under."""
        return self._services.tracing.here()

    @property
    def client(self) -> ClientIdentity:
        """Which app build asks; services are told its release beside the viewer."""
        return self._arrival.client

    def for_all(
        self, askers: Sequence[tuple[Caller, Span]], until: Deadline | None = None
    ) -> Caller:
        """A caller of nobody's for what these requests ask together, each with its span: no
        viewer, no client, until the longest of their deadlines, or `until` if nobody waits.

        Its request id is its own: an id may be of an app's choosing, and a service's log must not
        book one request's keys under another's. Ours names all of theirs when a call fails.
        """
        deadline = until or max((caller.deadline for caller, _ in askers), key=lambda one: one.at)
        # Unique, no secret: the system's own random bytes take a system call.
        arrival = Arrival(f"{getrandbits(128):032x}", ClientIdentity(), deadline)
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
        guard = self._services.guards.get(method.service)
        if guard is None:
            raise UpstreamUnavailable(
                f"The {method.service} service is not set up here.",
                detail=f"upstreams.services.{method.service} is not set",
            )
        left = self.admit(method.service)
        patience = min(guard.timeout_s, left)
        url = guard.config.url + _target(method.path, path, query)
        headers = self._headers(method, patience, idempotency_key)
        content = None
        if body is not None:
            headers["content-type"] = JSON
            content = orjson.dumps(body)
        timeout = guard.effect_timeout_s if method.effect else patience
        outgoing = Outgoing(method.verb, url, headers, content, timeout)
        deadline = self._arrival.deadline
        by_deadline = patience == left and not method.effect
        ask = Ask(method, outgoing, guard, deadline, by_deadline, self._heard)
        # What is taken here the attempt gives back: nothing may fail in between.
        if method.critical:
            guard.bulkhead.force()
        elif not guard.breaker.closed or not guard.bulkhead.take():
            ask = await self._held_up(ask)
        if method.effect:
            return cast("A", await self._effect(ask, keys, patience))
        return cast("A", await self._observed(ask, keys))

    async def _held_up(self, ask: Ask) -> Ask:
        """Where the breaker is not closed, or no slot is free: what may be sent all the same."""
        guard = ask.guard
        probe = not guard.breaker.closed and guard.knock()
        if not guard.bulkhead.take():
            probe = await guard.wait(probe, self._arrival.deadline.remaining())
            ask = ask.retimed()
        return ask.as_probe() if probe else ask

    async def _effect(self, ask: Ask, keys: int, patience: float) -> Any:
        """A write, to its end in a task of its own: neither a client that leaves nor a deadline
        that passes stops it once it was sent (DESIGN D10: its key finds the outcome)."""
        effects, service = self._services.effects, ask.method.service
        task = effects.start(self._observed(ask, keys))
        try:
            await asyncio.wait((task,), timeout=patience)
        finally:
            if not task.done():
                effects.leave(task, service, ask.method.name, self._arrival.request_id)
        if task.done():
            return task.result()
        if patience < ask.guard.timeout_s:
            raise deadline_passed(service, "the write goes on")
        raise too_late(service, "the write goes on")

    async def _observed(self, ask: Ask, keys: int) -> Any:
        """Counts one call and draws its span, whatever it ends with. A write that may have been
        done, or not, makes old what is kept for its viewer."""
        method, services = ask.method, self._services
        self.log.add(method.service)
        ask.guard.calls += 1
        started = time.perf_counter()
        outcome, unknown = CANCELLED, method.effect
        try:
            with services.tracing.call(method.label, ask.outgoing.headers, self._lineage) as span:
                recorded = span if span.is_recording() else None
                if recorded is not None:
                    _describe(recorded, method, keys)
                answer = await services.sender.first(ask, recorded)
                if isinstance(answer, Failure):
                    # Whatever a second try says, the first may have been done.
                    first, unknown = answer, unknown and not answer.undone
                    answer = await services.sender.second(ask, recorded, first)
                    if isinstance(answer, Failure):
                        unknown = method.effect and not (first.undone and answer.undone)
                        raise answer.error
            outcome, unknown = "ok", False  # it has said itself what is old
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
            if unknown and self.cache is not None and self.viewer is not None:
                self.cache.outdated([viewer_tag(self.viewer.account_id)])

    def _heard(self, method: Method[Any], incoming: Incoming) -> None:
        """A good answer: what it says of its freshness, and of what a write has made old."""
        if not method.effect:
            heard = HEARD.get()
            if heard is not None:
                heard.append(incoming if incoming.cache_control is not None else None)
        elif self.cache is not None:
            tags = list(read_tags(incoming.invalidates))
            if self.viewer is not None:
                tags.append(viewer_tag(self.viewer.account_id))
            self.cache.outdated(tags)

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
        self, method: Method[Any], patience: float, idempotency_key: str | None
    ) -> dict[str, str]:
        signer = self._services.signer
        headers = {
            "authorization": signer.credential(method.service),
            "x-request-id": self._arrival.request_id,
            DEADLINE: str(int(patience * 1000)),
            "accept": JSON,
        }
        if method.scope is Scope.VIEWER and self.viewer is not None:
            headers["x-viewer"] = signer.assertion(self.viewer, self._arrival.client)
        if idempotency_key is not None:
            headers[IDEMPOTENCY_KEY] = idempotency_key
        return headers


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
