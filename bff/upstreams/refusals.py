"""What it means when a service does not answer as promised: one error of ours for each way, what it
says about the service, and whether the same call may be tried again.

Words of a service reach an app only with the codes that speak of the app's input.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import IntEnum
from typing import Any

import msgspec
from strawberry.utils.str_converters import to_camel_case

from bff.errors import (
    BadUserInput,
    Conflict,
    DeadlineExceeded,
    FieldError,
    FieldRateLimited,
    Forbidden,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    NotFound,
    Unauthenticated,
    UpstreamBadResponse,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from bff.upstreams.guard.verdict import Verdict
from bff.upstreams.method import Method
from bff.upstreams.transport import (
    AnswerTooLarge,
    CallUnsendable,
    Incoming,
    NotConnected,
    TransportError,
    TransportTimeout,
)

MOST_FIELDS = 20
# Of a longer pause apps hear this much of it.
MOST_RETRY_AFTER_S = 3600.0

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
    "RATE_LIMITED": FieldRateLimited,
}


class Again(IntEnum):
    """Which calls may be tried once more after a failure. `READS`: a write may have happened, or
    be under way still. `ALL`: reads, and writes that carry a key."""

    NEVER = 0
    READS = 1
    ALL = 2


class Failure:
    """How an attempt failed. A value, not an exception: those who decide about a second try must
    not be kept alive by the error an app gets. `undone`: a write was certainly not done; of any
    other nobody knows."""

    __slots__ = ("again", "error", "retry_after_s", "undone", "verdict")

    def __init__(
        self,
        error: FieldError,
        verdict: Verdict,
        again: Again = Again.NEVER,
        retry_after_s: float | None = None,
        *,
        undone: bool = False,
    ) -> None:
        self.error = error
        self.verdict = verdict
        self.again = again
        self.retry_after_s = retry_after_s
        # Refused as it stands, or never sent in full.
        self.undone = undone or verdict in (Verdict.GOOD, Verdict.CUT)


class Problem(msgspec.Struct):
    """The part of RFC 9457 problem details that a gateway needs."""

    code: str = ""
    detail: str = ""
    errors: list[dict[str, Any]] = msgspec.field(default_factory=list)


_problems = msgspec.json.Decoder(Problem)
# What decoding raises over a body that is no JSON, not UTF-8, or nested without end.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def refused(method: Method[Any], incoming: Incoming) -> Failure:
    """The failure that a non-2xx answer is."""
    try:
        problem = _problems.decode(incoming.body)
    except UNREADABLE:
        problem = Problem()
    detail = f"status {incoming.status} {problem.code} {problem.detail}"
    retry_after_s = _retry_after(incoming) if incoming.status in (429, 503) else None
    spoken = _spoken(problem, detail, retry_after_s)
    if incoming.status < 500:
        error = spoken or _of_4xx(method, incoming.status, detail, retry_after_s)
        # A redirect is no answer of a service that is well; a 4xx is: the call was at fault.
        return Failure(error, Verdict.GOOD if incoming.status >= 400 else Verdict.BAD)
    if isinstance(spoken, DeadlineExceeded):
        return Failure(spoken, Verdict.CUT)
    error = spoken or _of_5xx(method.service, incoming.status, detail, retry_after_s)
    again = Again.ALL if incoming.status in (502, 503, 504) else Again.READS
    return Failure(error, Verdict.BAD, again, retry_after_s, undone=incoming.status == 503)


def _spoken(problem: Problem, detail: str, retry_after_s: float | None) -> FieldError | None:
    """The error a service itself named."""
    if problem.code in REFUSALS:
        extensions: dict[str, Any] = {"fields": _fields(problem)} if problem.errors else {}
        if retry_after_s is not None:
            extensions["retryAfterMs"] = round(retry_after_s * 1000)
        said = problem.detail or "The request was refused."
        return REFUSALS[problem.code](said, extensions=extensions)
    if problem.code == "VIEWER_REQUIRED":
        return Unauthenticated("Sign in to see this.", detail=detail)
    return None


def _of_4xx(
    method: Method[Any], status: int, detail: str, retry_after_s: float | None
) -> FieldError:
    if status == 429:
        return _busy(method.service, detail, retry_after_s)
    return bad_response(method, detail)


def _of_5xx(service: str, status: int, detail: str, retry_after_s: float | None) -> FieldError:
    if status == 503:
        return _busy(service, detail, retry_after_s)
    if status == 504:
        return too_late(service, detail)
    return UpstreamUnavailable(f"The {service} service failed; try again later.", detail=detail)


def _busy(service: str, detail: str, retry_after_s: float | None) -> UpstreamOverloaded:
    told = None if retry_after_s is None else {"retryAfterMs": round(retry_after_s * 1000)}
    return UpstreamOverloaded(
        f"The {service} service is busy; try again later.", detail=detail, extensions=told
    )


def _retry_after(incoming: Incoming) -> float | None:
    """Seconds (RFC 9110 section 10.2.3: a number, or a date); None if it says nothing usable."""
    given = (incoming.retry_after or "").strip()
    try:
        if given.isascii() and given.isdecimal():
            left = float(given)
        else:
            left = (parsedate_to_datetime(given) - datetime.now(UTC)).total_seconds()
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(0.0, left), MOST_RETRY_AFTER_S)


def undelivered(service: str, error: TransportError, *, by_deadline: bool) -> Failure:
    """The failure that a call without an answer is. `by_deadline`: the request's time would have
    run out before the service's own."""
    detail = str(error)
    if isinstance(error, TransportTimeout):
        if by_deadline:
            return Failure(deadline_passed(service, detail), Verdict.CUT)
        return Failure(too_late(service, detail), Verdict.LATE, Again.READS)
    if isinstance(error, AnswerTooLarge):
        return Failure(_unreadable(service, f"too large: {error}"), Verdict.BAD)
    unreached = UpstreamUnavailable(
        f"The {service} service cannot be reached; try again later.", detail=detail
    )
    if isinstance(error, CallUnsendable):
        return Failure(unreached, Verdict.CUT)
    undone = isinstance(error, NotConnected)
    return Failure(unreached, Verdict.BAD, Again.ALL, undone=undone)


def too_late(service: str, detail: str | None = None) -> UpstreamTimeout:
    """The FieldError of a service that used up its own time."""
    return UpstreamTimeout(
        f"The {service} service did not answer in time; try again.", detail=detail
    )


def deadline_passed(service: str, detail: str | None = None) -> DeadlineExceeded:
    """The FieldError of who cannot wait for the service any longer."""
    return DeadlineExceeded(
        f"The {service} service did not answer before the deadline.", detail=detail
    )


def bad_response(method: Method[Any], detail: str) -> UpstreamBadResponse:
    """The FieldError of an answer that is not what the method promises."""
    return _unreadable(method.service, detail)


def _unreadable(service: str, detail: str) -> UpstreamBadResponse:
    return UpstreamBadResponse(
        f"The {service} service answered in a way this gateway cannot read.", detail=detail
    )


def _fields(problem: Problem) -> list[dict[str, str]]:
    """The input fields at fault by the names an app knows: its own are in camelCase, a service's
    names of types (upper-case) mean nothing to it, and the service's words stay with us."""
    fields = []
    for error in problem.errors[:MOST_FIELDS]:
        parts = [part for part in str(error.get("field", "")).split(".") if not part[:1].isupper()]
        name = ".".join(to_camel_case(part) for part in parts)
        fields.append({"field": name, "code": str(error.get("code", "INVALID"))})
    return fields
