"""Every error the gateway answers with, in one tree; which HTTP status each gets is the edge's.

FacetError                      has a stable `code`; nothing else is promised
├─ ClientError                  the message may be shown to the app and always names a way out
│  ├─ RequestError              refuses the whole request
│  │  ├─ BadRequest             BAD_REQUEST
│  │  ├─ RequestTooLarge        REQUEST_TOO_LARGE
│  │  ├─ RequestTimeout         REQUEST_TIMEOUT
│  │  ├─ UnsupportedMediaType   UNSUPPORTED_MEDIA_TYPE
│  │  ├─ MethodNotAllowed       METHOD_NOT_ALLOWED
│  │  ├─ CsrfBlocked            CSRF_BLOCKED
│  │  ├─ PersistedQueryNotFound PERSISTED_QUERY_NOT_FOUND
│  │  ├─ PersistedQueryMismatch PERSISTED_QUERY_MISMATCH
│  │  ├─ DocumentNotRegistered  DOCUMENT_NOT_REGISTERED
│  │  ├─ DocumentTextNotRegistered DOCUMENT_TEXT_NOT_REGISTERED
│  │  ├─ DocumentIdRequired     DOCUMENT_ID_REQUIRED
│  │  ├─ DocumentNotInRelease   DOCUMENT_NOT_IN_RELEASE
│  │  ├─ ReleaseUnknown         RELEASE_UNKNOWN
│  │  ├─ ReleaseRetired         RELEASE_RETIRED
│  │  ├─ ClientUpgradeRequired  CLIENT_UPGRADE_REQUIRED
│  │  ├─ ClientBlocked          CLIENT_BLOCKED
│  │  ├─ ParseFailed            GRAPHQL_PARSE_FAILED
│  │  ├─ ValidationFailed       GRAPHQL_VALIDATION_FAILED
│  │  ├─ BadVariables           BAD_USER_INPUT
│  │  ├─ RateLimited            RATE_LIMITED
│  │  └─ Overloaded             OVERLOADED
│  └─ FieldError                one field is null, the rest of the screen stands
│     ├─ Unauthenticated        UNAUTHENTICATED (also refuses a request: bad token)
│     ├─ BadUserInput           BAD_USER_INPUT (refused by a core service)
│     ├─ NotFound, Forbidden, Conflict
│     ├─ IdempotencyKeyReused, IdempotencyInProgress
│     ├─ FieldRateLimited       RATE_LIMITED (too many attempts of one kind)
│     ├─ FieldSunset            FIELD_SUNSET (a brown-out: the field ends soon)
│     ├─ UpstreamTimeout, UpstreamUnavailable, UpstreamBadResponse, UpstreamOverloaded
│     └─ DeadlineExceeded       DEADLINE_EXCEEDED
└─ InternalError                only the code (INTERNAL) ever leaves; the message is for logs
   └─ ConfigError               start-up only: names the key, the value and what to do
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar


class FacetError(Exception):
    """Root of the tree; `code` is stable and closed (docs/errors.md)."""

    code: ClassVar[str] = "INTERNAL"


class ClientError(FacetError):
    """A refusal whose message may be shown. `detail` is for logs only and never leaves."""

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.detail = detail
        self.extensions: Mapping[str, Any] = extensions or {}


class RequestError(ClientError):
    """Refuses the whole request. `errors`, if given, replaces the single message in the answer:
    GraphQL error objects (message, locations) of a document or its variables. `client`, if given,
    is what the answer says of the app build (`extensions.client`)."""

    def __init__(
        self,
        message: str,
        *,
        detail: str | None = None,
        extensions: Mapping[str, Any] | None = None,
        errors: Sequence[Mapping[str, Any]] = (),
        client: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message, detail=detail, extensions=extensions)
        self.errors = tuple(errors)
        self.client = client


class BadRequest(RequestError):
    code = "BAD_REQUEST"


class RequestTooLarge(RequestError):
    code = "REQUEST_TOO_LARGE"


class RequestTimeout(RequestError):
    """The request was not whole in time."""

    code = "REQUEST_TIMEOUT"


class UnsupportedMediaType(RequestError):
    code = "UNSUPPORTED_MEDIA_TYPE"


class MethodNotAllowed(RequestError):
    code = "METHOD_NOT_ALLOWED"


class CsrfBlocked(RequestError):
    code = "CSRF_BLOCKED"


class PersistedQueryNotFound(RequestError):
    """Clients match the message itself (Apollo iOS letter by letter): never change it."""

    code = "PERSISTED_QUERY_NOT_FOUND"

    def __init__(self) -> None:
        super().__init__("PersistedQueryNotFound")


class PersistedQueryMismatch(RequestError):
    code = "PERSISTED_QUERY_MISMATCH"


class DocumentNotRegistered(RequestError):
    code = "DOCUMENT_NOT_REGISTERED"


class DocumentTextNotRegistered(RequestError):
    code = "DOCUMENT_TEXT_NOT_REGISTERED"


class DocumentIdRequired(RequestError):
    code = "DOCUMENT_ID_REQUIRED"


class DocumentNotInRelease(RequestError):
    """`extensions.releases` names who has it, newest first."""

    code = "DOCUMENT_NOT_IN_RELEASE"


class ReleaseUnknown(RequestError):
    code = "RELEASE_UNKNOWN"


class ReleaseRetired(RequestError):
    code = "RELEASE_RETIRED"


class ClientUpgradeRequired(RequestError):
    """The app build is below the platform's minimum, and the store has a newer one."""

    code = "CLIENT_UPGRADE_REQUIRED"


class ClientBlocked(RequestError):
    """The release was blocked by hand."""

    code = "CLIENT_BLOCKED"


class ParseFailed(RequestError):
    code = "GRAPHQL_PARSE_FAILED"


class ValidationFailed(RequestError):
    code = "GRAPHQL_VALIDATION_FAILED"


class BadVariables(RequestError):
    code = "BAD_USER_INPUT"


class RateLimited(RequestError):
    """`extensions.retryAfterMs` says when the next request is taken."""

    code = "RATE_LIMITED"


class Overloaded(RequestError):
    """The gateway sheds load; `extensions.retryAfterMs` says when to come back."""

    code = "OVERLOADED"


class FieldError(ClientError):
    """One field is null and says why; its siblings are answered."""


class Unauthenticated(FieldError):
    code = "UNAUTHENTICATED"


class BadUserInput(FieldError):
    code = "BAD_USER_INPUT"


class NotFound(FieldError):
    code = "NOT_FOUND"


class Forbidden(FieldError):
    code = "FORBIDDEN"


class Conflict(FieldError):
    code = "CONFLICT"


class IdempotencyKeyReused(FieldError):
    code = "IDEMPOTENCY_KEY_REUSED"


class IdempotencyInProgress(FieldError):
    code = "IDEMPOTENCY_IN_PROGRESS"


class FieldRateLimited(FieldError):
    """Too many attempts of one kind (sign-in); `extensions.retryAfterMs` where it is known."""

    code = "RATE_LIMITED"


class FieldSunset(FieldError):
    code = "FIELD_SUNSET"


class UpstreamTimeout(FieldError):
    code = "UPSTREAM_TIMEOUT"


class UpstreamUnavailable(FieldError):
    code = "UPSTREAM_UNAVAILABLE"


class UpstreamBadResponse(FieldError):
    code = "UPSTREAM_BAD_RESPONSE"


class UpstreamOverloaded(FieldError):
    code = "UPSTREAM_OVERLOADED"


class DeadlineExceeded(FieldError):
    code = "DEADLINE_EXCEEDED"


class InternalError(FacetError):
    """A fault of ours. The message may hold internals: it goes to the log, never to a client."""


class ConfigError(InternalError):
    """A setting is wrong. Raised before serving; the command line prints it and exits 2."""
