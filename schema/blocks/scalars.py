"""Scalars GraphQL lacks: instants as the services write them, and integers beyond 32 bit."""

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

# Beyond this a JavaScript number is not exact any more.
LARGEST_LONG = 2**53 - 1


def _long(value: Any) -> int:
    if type(value) is not int or abs(value) > LARGEST_LONG:
        raise GraphQLError(f"Long must be an integer between -{LARGEST_LONG} and {LARGEST_LONG}")
    return value


Long = NewType("Long", int)

LONG = strawberry.scalar(
    name="Long",
    description="An integer of up to 53 bit, sent as a JSON number; Int holds only 32 bit.",
    serialize=_long,
    parse_value=_long,
)

SCALARS: dict[object, Any] = {DateTime: DATE_TIME, Long: LONG}
