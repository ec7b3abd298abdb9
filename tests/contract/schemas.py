"""The schemas in force and what their Strawberry definitions say, for the contract tests."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

from graphql import GraphQLField, GraphQLObjectType, GraphQLSchema
from strawberry.types import get_object_definition

from bff import config
from bff.app import load_schema
from bff.contract import Screen, batch_of, records_of, strawberry_field
from bff.plans.execute import graphql_schema

PLATFORMS = tuple(config.load().platforms)


@cache
def schema_of(platform: str) -> GraphQLSchema:
    """The graphql-core schema of a platform."""
    return graphql_schema(load_schema(config.load().platforms[platform]))


def object_types(schema: GraphQLSchema) -> Iterator[GraphQLObjectType]:
    """Our own object types, introspection's left out."""
    for name, found in schema.type_map.items():
        if isinstance(found, GraphQLObjectType) and not name.startswith("__"):
            yield found


def origin(found: GraphQLObjectType) -> type:
    """The class a schema author wrote for a type."""
    return found.extensions["strawberry-definition"].origin  # type: ignore[no-any-return]


def records(found: GraphQLObjectType) -> tuple[type, ...]:
    """The record classes of a type; empty for roots and screens."""
    return records_of(origin(found))


def made_by_us(schema: GraphQLSchema) -> set[str]:
    """Names of the roots and the screens: their values are the schema's own, not a record."""
    names = {root.name for root in (schema.query_type, schema.mutation_type) if root}
    for field in schema.query_type.fields.values() if schema.query_type else ():
        definition = strawberry_field(field)
        if definition and any(isinstance(one, Screen) for one in definition.directives):
            screen = get_object_definition(definition.type)
            assert screen is not None
            names.add(screen.name)
    return names


def plain_attribute(field: GraphQLField) -> str | None:
    """The attribute a field without resolver reads off its value; None for a field with one."""
    definition = strawberry_field(field)
    if definition is None or definition.base_resolver or batch_of(field):
        return None
    return definition.python_name
