"""Which documents select a field of a type, through interfaces and fragments too. How often they
are asked for is `usage.py`."""

from __future__ import annotations

from collections.abc import Iterable

from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLSchema,
    is_interface_type,
    parse,
)

from persisted_queries.uses import uses_of

UNREADABLE = "?"


class UnknownFieldError(Exception):
    """A field the schema does not have: what was asked for, and what there is."""


def field_of(schema: GraphQLSchema, wanted: str) -> tuple[str, str]:
    """Take `Type.field` apart. Raises UnknownFieldError for what the schema does not have."""
    type_name, _, field_name = wanted.partition(".")
    found = schema.type_map.get(type_name)
    if not field_name or not isinstance(found, GraphQLObjectType | GraphQLInterfaceType):
        raise UnknownFieldError(
            f"{wanted}: the schema has no object or interface {type_name}; write Type.field"
        )
    if field_name not in found.fields:
        names = ", ".join(sorted(found.fields))
        raise UnknownFieldError(f"{wanted}: {type_name} has no such field; it has {names}")
    return type_name, field_name


def selecting(
    schema: GraphQLSchema, texts: Iterable[tuple[str, str]], type_name: str, field_name: str
) -> dict[str, list[str]]:
    """Document hash → the types it selects the field on, sorted; of `texts` (hash, text).

    A selection on an interface reads the field of every type that implements it, and one on such a
    type reads what the interface promises: both count. A text that cannot be read as GraphQL counts
    as selecting it, on UNREADABLE: what is not known is not called unused.
    """
    places = {f"{one}.{field_name}": one for one in related(schema, type_name)}
    found: dict[str, list[str]] = {}
    for hashed, text in texts:
        if field_name not in text:
            continue
        try:
            read = uses_of(schema, parse(text, no_location=True)).fields.keys()
        except GraphQLError:
            found[hashed] = [UNREADABLE]
            continue
        selected = sorted(places[place] for place in places.keys() & read)
        if selected:
            found[hashed] = selected
    return found


def related(schema: GraphQLSchema, type_name: str) -> frozenset[str]:
    """The type, the interfaces it implements, and the types that implement it."""
    found: set[str] = {type_name}
    named = schema.type_map.get(type_name)
    if isinstance(named, GraphQLObjectType | GraphQLInterfaceType):
        found |= {one.name for one in named.interfaces}
    if is_interface_type(named):
        implementing = schema.get_implementations(named)
        found |= {one.name for one in (*implementing.objects, *implementing.interfaces)}
    return frozenset(found)
