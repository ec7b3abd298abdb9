"""What a schema announces of its fields: which of them end, and which need a capability."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import NamedTuple

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
)

from bff.contract.directives import Sunset, required_capability, sunset_of
from bff.errors import ConfigError
from bff.fence import never_null


class Ending(NamedTuple):
    """A field with `@sunset`: from releases below `releases_below` it may go after that day.
    `since` is the day of its deprecation, where the schema's author says so. `nullable`: in every
    type that implements it, too."""

    after: date
    releases_below: str
    reason: str
    since: date | None
    nullable: bool


class Lifecycle(NamedTuple):
    """By field (`Type.field`): its end; the capability it needs."""

    endings: Mapping[str, Ending]
    needs: Mapping[str, str]

    @property
    def capabilities(self) -> frozenset[str]:
        """Every capability the schema knows of."""
        return frozenset(self.needs.values())


def lifecycle_of(schema: GraphQLSchema) -> Lifecycle:
    """Read off the directives of all fields. Raises ConfigError for a date that is none, and for
    `@requires` on a field that cannot be null."""
    endings: dict[str, Ending] = {}
    needs: dict[str, str] = {}
    for coordinate, field in fields_of(schema):
        sunset = sunset_of(field)
        if sunset is not None:
            nullable = not never_null(schema, [coordinate])
            endings[coordinate] = _ending(coordinate, field, sunset, nullable=nullable)
        capability = required_capability(field)
        if capability is not None:
            if never_null(schema, [coordinate]):
                raise ConfigError(
                    f"{coordinate} has @requires and cannot be null; make it nullable"
                )
            needs[coordinate] = capability
    return Lifecycle(endings, needs)


def fields_of(schema: GraphQLSchema) -> Iterator[tuple[str, GraphQLField]]:
    """Every field of a schema's objects and interfaces, by `Type.field`."""
    for name, declared in schema.type_map.items():
        if isinstance(declared, GraphQLObjectType | GraphQLInterfaceType):
            if name.startswith("__"):
                continue
            for field_name, field in declared.fields.items():
                yield f"{name}.{field_name}", field


def _ending(coordinate: str, field: GraphQLField, sunset: Sunset, *, nullable: bool) -> Ending:
    try:
        after = date.fromisoformat(sunset.after)
        since = date.fromisoformat(sunset.since) if sunset.since else None
    except ValueError as error:
        raise ConfigError(f"{coordinate} @sunset: {error}; write a day as 2027-03-31") from error
    return Ending(after, sunset.releases_below, field.deprecation_reason or "", since, nullable)
