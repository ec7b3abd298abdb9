"""What the edge needs of the rooms behind and beside it, as protocols; it builds none of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec
from prometheus_client import CollectorRegistry

from bff.edge.head import Head
from bff.request import Arrival, ClientIdentity, OperationRequest
from bff.response.envelope import Envelope
from bff.usage.counts import Used

Ready = Callable[[], Awaitable[dict[str, str]]]
"""Readiness checks by name; the value is "ok", or in words what is wrong."""

Scrape = Callable[[], Awaitable[CollectorRegistry]]
"""All metrics of the gateway, of every process of it. Raises OSError where they cannot be had."""


class Exchange(Protocol):
    """One HTTP request: its operations share an identity, a deadline and loaders."""

    @property
    def upstream_calls(self) -> int:
        """Calls to core services made so far."""

    @property
    def used(self) -> Used:
        """What was answered so far, as usage counts it."""

    def together(self) -> None:
        """Several operations are asked at once: none may be told what holds of all their calls."""

    async def answer(self, request: OperationRequest) -> Envelope:
        """Answer one operation; a refusal is an envelope with a code, never an exception."""


class Pipeline(Protocol):
    """Opens exchanges; lives as long as the process."""

    def open(self, arrival: Arrival) -> Exchange:
        """Begin one exchange."""


class AnswerReport(msgspec.Struct):
    """What left, told after it left. `status` is None when the client went away before the answer;
    `codes` are those of refused operations, `field_codes` says how many fields of answered ones
    failed with which code (metrics count these where they happen); `used` are the operations as
    usage counts them; `bytes_out`
    counts the body as sent, compressed or not; `duration_s` runs from the head of the request to
    the last byte handed to the server; `quiet` is set for what is refused by the thousand."""

    route: str
    method: str
    request_id: str
    status: int | None
    codes: tuple[str, ...]
    operations: int
    upstream_calls: int
    bytes_out: int
    content_encoding: str | None
    duration_s: float
    client: ClientIdentity | None
    field_codes: dict[str, int] = {}
    used: Used = ()
    quiet: bool = False


class EdgeTelemetry(Protocol):
    """Told of every request on a GraphQL route, in this order, once each, in the same task: a span
    may be attached in the first and detached in the second. What either raises is logged and
    costs the client nothing."""

    def on_request(self, head: Head) -> object:
        """A request arrived, its body is not read yet. What is returned comes back below."""

    def on_answer(self, begun: object, report: AnswerReport) -> None:
        """The answer left (or the client did)."""


class Untold:
    """The telemetry of routes nobody counts: health checks, metrics, unknown paths."""

    def on_request(self, head: Head) -> object:
        return None

    def on_answer(self, begun: object, report: AnswerReport) -> None:
        return None
