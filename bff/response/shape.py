"""From an execution result to the envelope: masked errors, who may cache it, development facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from graphql import GraphQLError

from bff.errors import InternalError
from bff.request import ClientIdentity
from bff.response.envelope import CacheScope, Envelope
from bff.response.masking import MASKED, field_entries
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import CallLog

log = logger(__name__)


class Result(Protocol):
    """What execution brought; `plan` tells how: `compiled`, or `generic` with the reason."""

    @property
    def data(self) -> dict[str, Any] | None: ...
    @property
    def errors(self) -> Sequence[GraphQLError]: ...
    @property
    def plan(self) -> str: ...


def shape(result: Result, request_id: str, public: bool, calls: CallLog | None) -> Envelope:
    """The envelope of an executed operation. `public` is the proof that no viewer is in it; an
    answer with errors is never public, so that a passing failure is not cached for everybody.
    `calls` (development only) are shown to the developer."""
    errors = field_entries(result.errors, request_id)
    cache: CacheScope = "public" if public and not errors else "private"
    return Envelope(
        data=result.data,
        errors=errors or None,
        facts=_development(calls, result.plan) if calls is not None else {},
        executed=True,
        cache=cache,
    )


def _development(calls: CallLog, plan: str) -> dict[str, Any]:
    upstream = {
        "calls": calls.total,
        "late": calls.late,
        "joins": calls.joins,
        "byService": dict(calls.by_service),
    }
    return {"upstream": upstream, "plan": plan}


def count(
    metrics: Metrics, envelope: Envelope, screen: str | None, client: ClientIdentity, seconds: float
) -> None:
    """Counts one answered operation and the codes of its fields; refusals are the edge's to
    count, which makes some of them itself."""
    metrics.answered(screen, client.release, envelope.outcome, seconds)
    if envelope.code is None:
        for error in envelope.errors or ():
            metrics.field_error(error["extensions"]["code"])


def failure(error: Exception, request_id: str) -> Envelope:
    """The envelope of a fault of ours: only the code leaves."""
    log.error("request_failed", request_id=request_id, exc_info=error)
    entry = {"message": MASKED, "extensions": {"code": InternalError.code}}
    return Envelope(errors=[entry], code=InternalError.code)
