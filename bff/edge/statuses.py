"""The one table from an error code that refuses a request to its HTTP status, by media type.

Where 200 stands beside a refusal it is for Apollo iOS, which reads no body outside 200-299: a
client that cannot read the code can neither retry with text nor sign in again.
"""

from __future__ import annotations

from typing import NamedTuple

from bff.edge.negotiation import GRAPHQL, MediaType


class Statuses(NamedTuple):
    """The status as `application/json` and as `application/graphql-response+json`."""

    json: int
    graphql: int


_READABLE = Statuses(200, 200)

STATUSES: dict[str, Statuses] = {
    # documents
    "PERSISTED_QUERY_NOT_FOUND": _READABLE,
    "PERSISTED_QUERY_MISMATCH": Statuses(400, 400),
    "DOCUMENT_NOT_REGISTERED": _READABLE,
    "DOCUMENT_TEXT_NOT_REGISTERED": _READABLE,
    "DOCUMENT_ID_REQUIRED": Statuses(200, 400),
    "DOCUMENT_NOT_IN_RELEASE": _READABLE,
    "RELEASE_UNKNOWN": _READABLE,
    "RELEASE_RETIRED": _READABLE,
    # the client build
    "CLIENT_UPGRADE_REQUIRED": _READABLE,
    "CLIENT_BLOCKED": _READABLE,
    # the request
    "BAD_REQUEST": Statuses(400, 400),
    "UNSUPPORTED_MEDIA_TYPE": Statuses(415, 415),
    "REQUEST_TOO_LARGE": Statuses(413, 413),
    "REQUEST_TIMEOUT": Statuses(408, 408),
    "METHOD_NOT_ALLOWED": Statuses(405, 405),
    "CSRF_BLOCKED": Statuses(403, 403),
    # GraphQL
    "GRAPHQL_PARSE_FAILED": Statuses(200, 400),
    "GRAPHQL_VALIDATION_FAILED": Statuses(200, 400),
    "BAD_USER_INPUT": Statuses(200, 400),
    # the viewer and the load
    "UNAUTHENTICATED": _READABLE,
    "RATE_LIMITED": Statuses(429, 429),
    "OVERLOADED": Statuses(503, 503),
    # field codes, should one refuse a whole request: as readable as beside data
    "UPSTREAM_TIMEOUT": _READABLE,
    "UPSTREAM_UNAVAILABLE": _READABLE,
    "UPSTREAM_BAD_RESPONSE": _READABLE,
    "UPSTREAM_OVERLOADED": _READABLE,
    "DEADLINE_EXCEEDED": _READABLE,
    "NOT_FOUND": _READABLE,
    "FORBIDDEN": _READABLE,
    "CONFLICT": _READABLE,
    "IDEMPOTENCY_KEY_REUSED": _READABLE,
    "IDEMPOTENCY_IN_PROGRESS": _READABLE,
    "FIELD_SUNSET": _READABLE,
    # ours
    "INTERNAL": Statuses(500, 500),
}


# Codes whose status as plain JSON is `client.upgrade_status`.
_UPGRADES = frozenset({"CLIENT_UPGRADE_REQUIRED", "CLIENT_BLOCKED"})


def status_of(code: str | None, media: MediaType, upgrade_status: int = 200) -> int:
    """The status of an answer; no code means the operation was executed, field errors or not.

    A code outside the table is a fault of ours and gets 500.
    """
    if code is None:
        return 200
    if code in _UPGRADES and media != GRAPHQL:
        return upgrade_status
    statuses = STATUSES.get(code, STATUSES["INTERNAL"])
    return statuses.graphql if media == GRAPHQL else statuses.json
