"""Every answer that is not a success, as problem details (RFC 9457).

Routes raise these, the kit sends them.

Problem
├── BadRequest 400 · IdempotencyKeyRequired 400
├── CallerUnknown · ViewerRequired · ViewerInvalid · InvalidCredentials 401
├── NotFound 404 · MethodNotAllowed 405 · RequestTimeout 408 (the transport's own)
├── Conflict 409 (services subclass it) · IdempotencyInProgress 409
├── BodyTooLarge 413 · UnsupportedMediaType 415
├── BadInput 422 · BadCursor 422 · IdempotencyKeyReused 422
├── RateLimited 429 · HeadTooLarge 431 (the transport's own)
└── Internal 500 · DatabaseUnavailable 503 · Overloaded 503 · DeadlineSpent 504
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "retry-after"


class Problem(Exception):
    """An answer with a stable code; `detail` may be shown to anybody and says a way out."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL"
    title: ClassVar[str] = "Something went wrong here"
    detail: str = "The request could not be answered; try again later."

    def __init__(
        self,
        detail: str | None = None,
        *,
        errors: Sequence[Mapping[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail or self.detail)
        self.detail = detail or self.detail
        self.errors = list(errors)
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the problem document as JSON."""
        document: dict[str, Any] = {
            "type": f"urn:facet:problem:{self.code.lower().replace('_', '-')}",
            "title": self.title,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = self.errors
        return orjson.dumps(document)

    def response(self) -> Response:
        """Return the answer a route or a middleware sends."""
        return Response(self.body(), self.status, self.headers, MEDIA_TYPE)


class BadRequest(Problem):
    status, code, title = 400, "BAD_REQUEST", "The request cannot be read"
    detail = "Send a JSON body and well-formed headers."


class IdempotencyKeyRequired(Problem):
    status, code, title = 400, "IDEMPOTENCY_KEY_REQUIRED", "A repeat-safe id is missing"
    detail = (
        "Send the header idempotency-key: 1 to 255 visible ASCII characters, new for each intent."
    )


class CallerUnknown(Problem):
    status, code, title = 401, "CALLER_UNKNOWN", "The calling service is not known"
    detail = "Send authorization: Bearer with a credential signed by a key in this service's file."

    def __init__(self) -> None:
        super().__init__(headers={"www-authenticate": "Bearer"})


class ViewerRequired(Problem):
    status, code, title = 401, "VIEWER_REQUIRED", "This operation needs a viewer"
    detail = "Send the header x-viewer with an assertion of who is asking."


class ViewerInvalid(Problem):
    status, code, title = 401, "VIEWER_INVALID", "The viewer assertion is not valid"
    detail = "Sign a fresh assertion with the caller's own key; it lives 60 seconds at most."


class InvalidCredentials(Problem):
    status, code, title = 401, "INVALID_CREDENTIALS", "Handle or password is wrong"
    detail = "Check handle and password and sign in again."


class NotFound(Problem):
    status, code, title = 404, "NOT_FOUND", "There is nothing here for this caller"
    detail = "Check the path and the ids; a record of somebody else answers the same."


class MethodNotAllowed(Problem):
    status, code, title = 405, "METHOD_NOT_ALLOWED", "The path does not take this method"
    detail = "Use one of the methods in the header allow."


class RequestTimeout(Problem):
    status, code, title = 408, "REQUEST_TIMEOUT", "The request did not arrive in time"
    detail = "Send head and body without pauses."


class Conflict(Problem):
    status, code, title = 409, "CONFLICT", "The record has changed meanwhile"
    detail = "Read the record again and repeat with its revision."


class IdempotencyInProgress(Problem):
    status, code, title = 409, "IDEMPOTENCY_IN_PROGRESS", "The same call is still being answered"
    detail = "Repeat with the same idempotency-key in a moment."


class BodyTooLarge(Problem):
    status, code, title = 413, "REQUEST_TOO_LARGE", "The body is too large"
    detail = "Send at most 65536 bytes; split the ids over several calls."


class UnsupportedMediaType(Problem):
    status, code, title = 415, "UNSUPPORTED_MEDIA_TYPE", "The body is not plain JSON"
    detail = "Send content-type: application/json and no content-encoding."


class BadInput(Problem):
    status, code, title = 422, "BAD_INPUT", "A value is not acceptable"
    detail = "Correct the fields named in errors."


class BadCursor(Problem):
    status, code, title = 422, "BAD_CURSOR", "The cursor is not one of ours"
    detail = "Leave out after to begin again, or send next_cursor of an earlier answer unchanged."


class IdempotencyKeyReused(Problem):
    status, code, title = 422, "IDEMPOTENCY_KEY_REUSED", "The key already stands for another call"
    detail = "Use a new idempotency-key for a new intent."


class RateLimited(Problem):
    status, code, title = 429, "RATE_LIMITED", "Too many attempts"
    detail = "Wait a moment and try again."

    def __init__(self, retry_after_s: int) -> None:
        super().__init__(headers={RETRY_AFTER: str(retry_after_s)})


class HeadTooLarge(Problem):
    status, code, title = 431, "REQUEST_TOO_LARGE", "The request's head is too large"
    detail = "Send at most 100 headers, and at most 32768 bytes of request line and headers."


class Internal(Problem):
    """A defect of ours: its cause is in the log under the request id, never in the answer."""


class DatabaseUnavailable(Problem):
    status, code, title = 503, "DATABASE_UNAVAILABLE", "The database does not answer"
    detail = "Try again in a moment."

    def __init__(self) -> None:
        super().__init__(headers={RETRY_AFTER: "1"})


class Overloaded(Problem):
    status, code, title = 503, "OVERLOADED", "More is asked than this process can answer"
    detail = "Try again in a moment, with less at once."

    def __init__(self) -> None:
        super().__init__(headers={RETRY_AFTER: "1"})


class DeadlineSpent(Problem):
    status, code, title = 504, "DEADLINE_SPENT", "No time is left to answer"
    detail = "Call earlier, or with a larger x-deadline-ms."


class FieldError(BaseModel):
    """One refused value; `field` is its dotted path in the body, query or path."""

    field: str
    code: str
    message: str


class ProblemBody(BaseModel):
    """The wire form of a problem, for the OpenAPI document."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    code: str = Field(pattern="^[A-Z][A-Z_]+$")
    detail: str
    errors: list[FieldError] | None = None


def problems(*kinds: type[Problem]) -> dict[int | str, dict[str, Any]]:
    """Return the `responses=` of a route for what it alone may raise.

    The kit adds the common ones.
    """
    answers: dict[int | str, dict[str, Any]] = {}
    for kind in kinds:
        known = answers.get(kind.status)
        codes = f"{known['description']}, {kind.code}" if known else kind.code
        answers[kind.status] = {
            "description": codes,
            "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemBody"}}},
        }
    return answers
