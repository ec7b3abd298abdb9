"""Scalars: instants travel as the services write them, checked once, never re-formatted."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NewType

import strawberry
from graphql import GraphQLError


def _parse(value: Any) -> str:
    if not isinstance(value, str):
        raise GraphQLError("DateTime must be a string such as 2026-11-20T08:00:00Z")
    try:
        datetime.fromisoformat(value)
    except ValueError as error:
        raise GraphQLError("DateTime must be RFC 3339, such as 2026-11-20T08:00:00Z") from error
    return value


DateTime = NewType("DateTime", str)

DATE_TIME = strawberry.scalar(
    name="DateTime",
    description="An instant, RFC 3339 in UTC, e.g. 2026-11-20T08:00:00.000Z.",
    specified_by_url="https://datatracker.ietf.org/doc/html/rfc3339",
    serialize=str,
    parse_value=_parse,
)

SCALARS: dict[object, Any] = {DateTime: DATE_TIME}
