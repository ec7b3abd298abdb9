"""A transport without a network, and callers over it; everything above the bytes is real."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from joserfc.jwk import ECKey

from bff.config import GuardConfig, ServiceConfig, TelemetryConfig
from bff.request import Arrival, ClientIdentity, Deadline, Viewer
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Tracing
from bff.upstreams.calls import Caller, CallLog, Services
from bff.upstreams.credentials import Signer
from bff.upstreams.transport import Incoming, Outgoing, Transport

KEY = ECKey.generate_key("P-256", {"kid": "bff-ios"}, private=True)
VIEWER = Viewer("account-1", "device-1", "session-1", epoch=3, scopes=("app",))
CLIENT = ClientIdentity(name="ios-app", version="7.3.0", build="4120")

Answering = Callable[[Outgoing], Incoming]


def answer(value: Any, status: int = 200, content_type: str = "application/json") -> Incoming:
    """An answer whose body is `value` as JSON."""
    return Incoming(status, content_type, json.dumps(value).encode())


def problem(status: int, code: str, detail: str = "Said by the service.", **more: Any) -> Incoming:
    """A refusal as services write it (RFC 9457)."""
    body = {"type": "urn:x", "title": "x", "status": status, "code": code, "detail": detail}
    return answer({**body, **more}, status, "application/problem+json")


class FakeTransport:
    """Answers by `answering`, which may raise; keeps every call."""

    def __init__(self, answering: Answering) -> None:
        self.answering = answering
        self.calls: list[Outgoing] = []
        self.closed = False

    async def send(self, call: Outgoing) -> Incoming:
        self.calls.append(call)
        return self.answering(call)

    async def close(self) -> None:
        self.closed = True

    @property
    def paths(self) -> list[str]:
        return [urlsplit(call.url).path for call in self.calls]

    @property
    def bodies(self) -> list[Any]:
        return [json.loads(call.body) if call.body else None for call in self.calls]


def by_path(answers: Mapping[str, Any]) -> FakeTransport:
    """A transport that answers each path with a value, an Incoming, or by a function of the call;
    an exception is raised."""

    def answering(call: Outgoing) -> Incoming:
        found = answers[urlsplit(call.url).path]
        if callable(found):
            found = found(call)
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Incoming) else answer(found)

    return FakeTransport(answering)


def services(
    transport: Transport, telemetry: TelemetryConfig | None = None, **rules: Any
) -> Services:
    """What a process has, over a transport; every service may take a second. A failed call is not
    made again, unless the `rules` of its guard say so."""
    names = ("accounts", "content", "notifications")
    guard = GuardConfig(**{"retry_share": 0, **rules})
    return Services(
        configs={name: ServiceConfig(url=f"http://{name}.test", guard=guard) for name in names},
        transport=transport,
        signer=Signer(KEY),
        metrics=Metrics("ios"),
        tracing=Tracing(telemetry or TelemetryConfig(), "bff-ios"),
    )


def arrival(milliseconds: float = 1500, **fields: Any) -> Arrival:
    """An exchange that arrived just now."""
    return Arrival("request-1", CLIENT, Deadline.after_ms(milliseconds), **fields)


def caller(
    transport: Transport, viewer: Viewer | None = VIEWER, milliseconds: float = 1500
) -> Caller:
    """One request's caller over a transport."""
    made = Caller(services(transport), arrival(milliseconds), CallLog())
    made.viewer = viewer
    return made


def sample(metrics: Metrics, name: str, **labels: str) -> float:
    """The value of one counter, 0 when it was never counted."""
    return metrics.registry.get_sample_value(name, labels) or 0.0
