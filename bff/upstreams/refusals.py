"""What it means when a service does not answer as promised: one error of ours for each way.

Words of a service reach an app only with the codes that speak of the app's input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from strawberry.utils.str_converters import to_camel_case

from bff.errors import (
    BadUserInput,
    Conflict,
    DeadlineExceeded,
    FieldError,
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
from bff.upstreams.method import Method
from bff.upstreams.transport import AnswerTooLarge, Incoming, TransportError, TransportTimeout

MOST_FIELDS = 20

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


def refused(method: Method[Any], incoming: Incoming) -> FieldError:
    """The FieldError of a non-2xx answer."""
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
    return bad_response(method, detail)


def undelivered(service: str, error: TransportError, *, by_deadline: bool) -> FieldError:
    """The FieldError of a call that brought no answer. `by_deadline`: the request's time would
    have run out before the service's own."""
    if isinstance(error, TransportTimeout) and by_deadline:
        return deadline_passed(service, str(error))
    if isinstance(error, TransportTimeout):
        return UpstreamTimeout(
            f"The {service} service did not answer in time; try again.", detail=str(error)
        )
    if isinstance(error, AnswerTooLarge):
        return _unreadable(service, f"too large: {error}")
    return UpstreamUnavailable(
        f"The {service} service cannot be reached; try again later.", detail=str(error)
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
