"""Refuses what a schema cannot hold: a section that must not be null, an empty value there is not.

Checked once, when a gateway loads its schema.
"""

from __future__ import annotations

from graphql import (
    GraphQLField,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
)

from bff.contract import Section, SectionFallback, screen_of, section_of
from bff.errors import ConfigError

MOST_MS = 60_000


def check_screens(schema: GraphQLSchema) -> None:
    """Raises ConfigError naming the field (`Type.field`) that breaks the screen contract."""
    queries = {schema.query_type, schema.mutation_type, schema.subscription_type}
    for name, declared in schema.type_map.items():
        if not isinstance(declared, GraphQLObjectType) or name.startswith("__"):
            continue
        for key, field in declared.fields.items():
            _check_screen(f"{name}.{key}", field, is_root=declared in queries)
            section = section_of(field)
            if section is not None:
                _check_section(f"{name}.{key}", field, section)
                if declared is schema.mutation_type:
                    raise ConfigError(f"{name}.{key} has @section and is a write; take it away")


def _check_screen(coordinate: str, field: GraphQLField, *, is_root: bool) -> None:
    screen = screen_of(field)
    if screen is None:
        return
    if not is_root:
        raise ConfigError(f"{coordinate} has @screen and is no root field; use @section")
    _check_time(coordinate, "@screen(deadlineMs)", screen.deadline_ms)


def _check_section(coordinate: str, field: GraphQLField, section: Section) -> None:
    if isinstance(field.type, GraphQLNonNull):
        raise ConfigError(f"{coordinate} has @section and cannot be null; make it nullable")
    _check_time(coordinate, "@section(budgetMs)", section.budget_ms)
    if section.fallback is SectionFallback.EMPTY and not has_empty_value(field):
        raise ConfigError(
            f"{coordinate} has @section(fallback: EMPTY) and its type has no empty value; use OMIT "
            "or STALE, or make it a list, or an object whose fields are all nullable or lists"
        )


def _check_time(coordinate: str, named: str, given: int | None) -> None:
    if (given or given == 0) and not 1 <= given <= MOST_MS:
        raise ConfigError(f"{coordinate} {named} is {given}; write 1 to {MOST_MS} ms")


def has_empty_value(field: GraphQLField) -> bool:
    """Whether a nullable field's type has one: a list, or an object whose every field is a list or
    may be null."""
    declared = field.type
    if isinstance(declared, GraphQLList):
        return True
    if not isinstance(declared, GraphQLObjectType):
        return False
    return all(_may_be_empty(one) for one in declared.fields.values())


def _may_be_empty(field: GraphQLField) -> bool:
    declared = field.type
    if not isinstance(declared, GraphQLNonNull):
        return True
    return isinstance(declared.of_type, GraphQLList)
