"""From an execution result to the envelope: masked errors, who may cache it, development facts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from graphql import GraphQLError

from bff.errors import InternalError
from bff.fence import NOTHING_WITHHELD, Withheld
from bff.request import ClientIdentity
from bff.response.envelope import CacheScope, Envelope
from bff.response.freshness import holds_of, told_to_app
from bff.response.masking import MASKED, field_entries
from bff.screens.report import Report
from bff.standing import NOTHING_TOLD, Told
from bff.telemetry.logs import logger
from bff.telemetry.metrics import NO_SCREEN, Metrics
from bff.upstreams.calls import CallLog

FENCE = "fence"
SECTIONS = "sections"

log = logger(__name__)


class Result(Protocol):
    """What execution brought; `plan` tells how: `compiled`, or `generic` with the reason."""

    @property
    def data(self) -> dict[str, Any] | None: ...
    @property
    def errors(self) -> Sequence[GraphQLError]: ...
    @property
    def plan(self) -> str: ...
    @property
    def withheld(self) -> Withheld: ...
    @property
    def sections(self) -> Report: ...


def kept_by(public: bool, by_release: bool) -> CacheScope:
    """Who may keep an answer without errors. `public` is the proof that no viewer is in it;
    `by_release` that some release is sent another one: a CDN would have to know releases as we do,
    with every capability an app may tell, to give each its own."""
    return "public" if public and not by_release else "private"


def shape(
    result: Result,
    request_id: str,
    kept: CacheScope,
    calls: CallLog | None,
    told: Told = NOTHING_TOLD,
    asked: CallLog | None = None,
) -> Envelope:
    """The envelope of an executed operation. `kept`: by whom it may be, if it has no errors; one
    with errors, or without some section, is private, so that a passing failure is not cached for
    everybody; without a critical section nobody keeps it. `calls`
    (development only) are shown to the developer; `told` is what the app is told beside; what was
    `asked` of the services says how long the answer holds."""
    errors = field_entries(result.errors, request_id)
    sections, extensions = result.sections, told.extensions
    cache: CacheScope = "private" if errors or sections.told else kept
    if sections.told:
        extensions = {**extensions, SECTIONS: sections.told}
        if sections.is_failed:
            cache = "no-store"
    if result.withheld != NOTHING_WITHHELD:
        extensions = {**extensions, FENCE: result.withheld._asdict()}
    facts = _development(calls, result.plan) if calls is not None else {}
    if asked is not None and cache == "private":  # of a public one, the header says it to everybody
        facts |= told_to_app(asked, whole=not errors and not sections.told)
    return Envelope(
        data=result.data,
        errors=errors or None,
        extensions=extensions,
        notice=told.notice,
        facts=facts,
        executed=True,
        cache=cache,
        sections=sections,
        holds=holds_of(asked) if asked is not None and cache == "public" else None,
    )


def _development(calls: CallLog, plan: str) -> dict[str, Any]:
    upstream = {
        "calls": calls.total,
        "late": calls.late,
        "joins": calls.joins,
        "cached": calls.cached,
        "byService": dict(calls.by_service),
    }
    return {"upstream": upstream, "plan": plan}


class Asked(Protocol):
    """The operation that was asked for, as far as counting goes."""

    @property
    def screen(self) -> str | None: ...
    @property
    def counted_as(self) -> str: ...


Used = tuple[str, bool]
"""What usage counts of an answer: the document ("" for none that is registered), whether it holds
an error."""


def count(
    metrics: Metrics,
    envelope: Envelope,
    asked: Asked | None,
    client: ClientIdentity,
    seconds: float,
) -> Used:
    """Counts one answered operation and the codes of its fields, and says what it counts as;
    refusals are the edge's to count, which makes some of them itself."""
    screen, document = (asked.screen, asked.counted_as) if asked else (None, "")
    metrics.answered(screen, client.release, envelope.outcome, seconds)
    if envelope.sections.counted:
        metrics.screens.answered(screen or NO_SCREEN, envelope.sections.counted)
    if envelope.code is None:
        for error in envelope.errors or ():
            metrics.field_error(error["extensions"]["code"])
    for change, times in envelope.extensions.get(FENCE, {}).items():
        metrics.withheld(change, times)
    return document, bool(envelope.errors)


def failure(error: Exception, request_id: str) -> Envelope:
    """The envelope of a fault of ours: only the code leaves."""
    log.error("request_failed", request_id=request_id, exc_info=error)
    entry = {"message": MASKED, "extensions": {"code": InternalError.code}}
    return Envelope(errors=[entry], code=InternalError.code)
