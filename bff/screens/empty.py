"""The empty value of a section's field: an empty list, or an object of nulls and empty lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphql import GraphQLList, GraphQLNonNull, GraphQLObjectType, GraphQLOutputType
from graphql.execution.collect_fields import GroupedFieldSet

# The fields that are selected of an object type.
Selected = Callable[[GraphQLObjectType], GroupedFieldSet]


def empty_value(declared: GraphQLOutputType, selected: Selected) -> Any:
    """As it stands in the answer, each time anew. `declared` passed the check of the schema."""
    if not isinstance(declared, GraphQLObjectType):
        return []
    return {
        key: _of_field(declared, details[0].node.name.value)
        for key, details in selected(declared).items()
    }


def _of_field(parent: GraphQLObjectType, name: str) -> Any:
    if name == "__typename":
        return parent.name
    found: Any = parent.fields[name].type if name in parent.fields else None
    if isinstance(found, GraphQLNonNull):
        found = found.of_type
    return [] if isinstance(found, GraphQLList) else None
