"""Directives that schema authors put on fields and enums, and how the gateway reads them."""

from __future__ import annotations

from enum import Enum
from typing import TypeVar

import strawberry
from graphql import GraphQLEnumType, GraphQLField, GraphQLObjectType, GraphQLSchema
from strawberry.schema_directive import Location
from strawberry.types.enum import StrawberryEnumDefinition
from strawberry.types.field import StrawberryField

from bff.contract.backref import strawberry_enum, strawberry_field
from bff.request import Priority

D = TypeVar("D")


@strawberry.enum(description="Who waits for a screen; what is shed under load goes last.")
class ScreenPriority(Enum):
    USER = "user"
    PREFETCH = "prefetch"
    BACKGROUND = "background"


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="This root field is one screen of the app; metrics and budgets carry its name. Its "
    "answer leaves after `deadlineMs` with what is ready, or sooner if the request allows less.",
)
class Screen:
    """`@screen` on a root field. `deadline_ms` counts from when the operation is executed, and
    never makes the request's own deadline longer; `priority` is for who asks without saying one."""

    deadline_ms: int | None = strawberry.UNSET
    priority: ScreenPriority | None = strawberry.UNSET


@strawberry.enum(description="What stands in a section's place when it is late or fails.")
class SectionFallback(Enum):
    STALE = strawberry.enum_value(
        "stale", description="The last good answer, without an error; null where there is none."
    )
    EMPTY = strawberry.enum_value("empty", description="An empty value, without an error.")
    OMIT = strawberry.enum_value("omit", description="Null, with a coded error.")


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="A part of a screen that may be late or fail by itself: after `budgetMs` it is "
    "given up, and the rest waits on. Without a `critical` section the screen counts as failed.",
)
class Section:
    """`@section` on a nullable field of a screen. `budget_ms` counts from when the operation is
    executed; of a mutation, from when its own root field is."""

    critical: bool | None = strawberry.UNSET
    budget_ms: int | None = strawberry.UNSET
    fallback: SectionFallback = SectionFallback.OMIT


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answered whatever the verdict on the app build; with `signedIn` only to a good "
    "token (a write that waited in the app), without it whatever the token (sign-in, sign-out).",
)
class AlwaysAllowed:
    """`@alwaysAllowed` on a root field. `signed_in`: of a dead token the app must hear as of any
    other operation, or it would take a write that nobody did for done."""

    signed_in: bool | None = strawberry.UNSET


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.ENUM_VALUE],
    description="May be removed after this date, from releases below this version.",
)
class Sunset:
    """`@sunset` beside `@deprecated`: a date (YYYY-MM-DD) and the first release without it. `since`
    is the day of the deprecation, where no registry recorded it."""

    after: str
    releases_below: str
    since: str | None = strawberry.UNSET


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Null for an app that does not have this capability.",
)
class Requires:
    """`@requires` on a nullable field: whoever cannot use it is answered null, without an error and
    without a call."""

    capability: str


@strawberry.schema_directive(
    locations=[Location.ENUM],
    description="Sent in place of a member that an app was not built with, if it knows this one.",
)
class Fallback:
    """`@fallback` on an enum: the GraphQL name of one of its members."""

    member: str


def is_screen(field: GraphQLField) -> bool:
    """Whether a root field is declared to be a screen."""
    return Screen in directives_of(field)


def screen_of(field: GraphQLField) -> Screen | None:
    """The screen a root field is declared to be, if it is one."""
    return _declared(strawberry_field(field), Screen)


def priority_of(field: GraphQLField) -> Priority | None:
    """How urgent a screen is, if its declaration says so."""
    screen = screen_of(field)
    return Priority[screen.priority.name] if screen is not None and screen.priority else None


def section_of(field: GraphQLField) -> Section | None:
    """The section a field is declared to be, if it is one."""
    return _declared(strawberry_field(field), Section)


def required_capability(field: GraphQLField) -> str | None:
    """The capability an app must have to be answered this field, if it needs one."""
    found = _declared(strawberry_field(field), Requires)
    return found.capability if found is not None else None


def sunset_of(field: GraphQLField) -> Sunset | None:
    """When a field may go, if that is announced."""
    return _declared(strawberry_field(field), Sunset)


def allowance_of(field: GraphQLField) -> AlwaysAllowed | None:
    """What a root field is spared, if it is spared anything."""
    return _declared(strawberry_field(field), AlwaysAllowed)


def fields_requiring(schema: GraphQLSchema) -> dict[str, frozenset[str]]:
    """Every capability that fields of a schema need, with those fields (`Type.field`)."""
    found: dict[str, set[str]] = {}
    for owner in schema.type_map.values():
        fields = owner.fields if isinstance(owner, GraphQLObjectType) else {}
        for name, field in fields.items():
            capability = required_capability(field)
            if capability is not None:
                found.setdefault(capability, set()).add(f"{owner.name}.{name}")
    return {capability: frozenset(fields) for capability, fields in found.items()}


def fallback_of(declared: GraphQLEnumType) -> str | None:
    """The member of an enum that stands for those an app does not know, if one is declared."""
    found = _declared(strawberry_enum(declared), Fallback)
    return found.member if found is not None else None


def directives_of(field: GraphQLField) -> tuple[type, ...]:
    """The classes of all directives on a field."""
    definition = strawberry_field(field)
    return tuple(type(one) for one in definition.directives) if definition is not None else ()


def _declared(
    definition: StrawberryField | StrawberryEnumDefinition | None, kind: type[D]
) -> D | None:
    found = definition.directives if definition is not None else ()
    return next((one for one in found if isinstance(one, kind)), None)
