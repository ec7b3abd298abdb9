"""Where in the answer a value stands: cheap to carry along, turned into a path only when needed.

A place is `(place above, response key or index, field)`; `field` is None for a list item, and the
place above a root field is None.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    get_named_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

from bff.screens.contract import PlannedSection

Place: TypeAlias = "tuple[Place | None, str | int, FieldPlan | None]"


@dataclass(slots=True, eq=False)
class FieldPlan:
    """One field of one object type in one operation. `feeds` are the waves whose keys can come
    from below this field without another call between; `section` is what it is declared to be."""

    key: str
    definition: GraphQLField
    details: FieldDetailsList
    parent_type: GraphQLObjectType
    nodes: list[FieldNode]
    feeds: tuple[int, ...] = ()
    section: PlannedSection | None = None

    @property
    def name(self) -> str:
        return self.nodes[0].name.value

    @property
    def type(self) -> GraphQLOutputType:
        return self.definition.type

    @property
    def is_leaf(self) -> bool:
        """Whether nothing can stand below the field."""
        return is_leaf_type(get_named_type(self.definition.type))

    @property
    def non_null(self) -> bool:
        return isinstance(self.definition.type, GraphQLNonNull)


def field_of(place: Place) -> FieldPlan:
    """The field a place belongs to; for an item, that of its list."""
    return cast("FieldPlan", field_place(place)[2])


def field_place(place: Place) -> Place:
    """The place of the field itself, without the indexes below it."""
    while place[2] is None:
        place = cast("Place", place[0])
    return place


def section_at(place: Place | None) -> PlannedSection | None:
    """The innermost section a place belongs to."""
    while place is not None:
        field = place[2]
        if field is not None and field.section is not None:
            return field.section
        place = place[0]
    return None


def path_list(place: Place | None) -> list[str | int]:
    """The path as it stands in an error of the answer."""
    keys: list[str | int] = []
    while place is not None:
        keys.append(place[1])
        place = place[0]
    keys.reverse()
    return keys


def core_path(place: Place | None) -> Path | None:
    """The same as graphql-core's own path."""
    if place is None:
        return None
    field = place[2]
    name = field.parent_type.name if field is not None else None
    return Path(core_path(place[0]), place[1], name)


def is_under(place: Place | None, ancestor: Place) -> bool:
    """Whether a place is another or stands below it."""
    while place is not None:
        if place is ancestor or (place[1] == ancestor[1] and place == ancestor):
            return True
        place = place[0]
    return False


def type_at(place: Place) -> Any:
    """The declared type at a place: that of the field, without a list for each index."""
    depth = 0
    while place[2] is None:
        depth += 1
        place = cast("Place", place[0])
    found: Any = place[2].type
    for _ in range(depth):
        found = (found.of_type if isinstance(found, GraphQLNonNull) else found).of_type
    return found
