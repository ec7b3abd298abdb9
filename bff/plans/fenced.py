"""Executes within a fence: graphql-core's executor, and the run of a compiled plan.

Both leave a mark and a note where a value is withheld and execute nothing of a held field; what
becomes of the marks is `withheld.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, cast

from graphql import (
    ExecutionResult,
    GraphQLEnumType,
    GraphQLNonNull,
    GraphQLObjectType,
)
from graphql.execution import Executor
from graphql.execution.collect_fields import GroupedFieldSet, collect_fields
from graphql.pyutils import Path

from bff.errors import FieldSunset
from bff.fence import NOTHING_WITHHELD, Withheld
from bff.plans.fencing import Touched
from bff.plans.places import FieldPlan, Place, path_list, type_at
from bff.plans.run import Run
from bff.plans.withheld import WITHHELD, Note, settled


def sunset(parent: str, field: str) -> FieldSunset:
    """What a field in a brown-out says."""
    return FieldSunset(
        f"{parent}.{field} will be removed and is not answered for now; "
        "use an app release that does not ask for it."
    )


class FencedRun(Run):
    """The run of a plan that was compiled for a fence class. `notes` are shared with graphql-core's
    executor for what is not compiled."""

    __slots__ = ("notes",)

    notes: list[Note]

    def withhold(self, place: Place, instead: str | None = None) -> object:
        """Leave a mark at a place."""
        self.notes.append(Note(place, path_list, _nullable, instead))
        return WITHHELD

    def sunset(self, field: FieldPlan, above: Place | None) -> None:
        """A field in a brown-out: null and an error, or raised if it must not be null."""
        self.fail(field, above, sunset(field.parent_type.name, field.name))


def withhold(_value: Any, place: Place, run: Run) -> object:
    """Settles any value of a type that is not sent at this position."""
    return cast("FencedRun", run).withhold(place)


def _nullable(place: Place | None) -> Iterator[bool]:
    while place is not None:
        yield not isinstance(type_at(place), GraphQLNonNull)
        place = place[0]


class FencedExecutor(Executor[Any]):
    """graphql-core's executor within the part of a fence that its operation meets. `notes` are its
    own unless it serves a compiled run; `withheld` is what it changed, once it has answered."""

    def __init__(
        self, *arguments: Any, touched: Touched, notes: list[Note] | None = None, **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.touched = touched
        self.notes: list[Note] = [] if notes is None else notes
        self.withheld: Withheld = NOTHING_WITHHELD

    def build_response(self, data: dict[str, Any] | None) -> Any:
        """See graphql-core; nothing is withheld any more that is still in the answer."""
        result: Any = super().build_response(data)
        found, errors, self.withheld = settled(result.data, result.errors or [], self.notes)
        return ExecutionResult(found, list(errors) or None)

    def execute_field(
        self, parent_type: GraphQLObjectType, source: Any, details: Any, path: Path, context: Any
    ) -> Any:
        """See graphql-core; a held field is not executed."""
        name = details[0].node.name.value
        held = self.touched.held.get((parent_type.name, name))
        if held is None:
            return super().execute_field(parent_type, source, details, path, context)
        if held == "absent":
            return self._withhold(path)
        field = parent_type.fields[name]
        self.handle_field_error(sunset(parent_type.name, name), field.type, details, path)
        return None

    def complete_value(
        self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        """See graphql-core; a mark stands for a member that is not sent."""
        found = super().complete_value(return_type, details, info, path, result, context)
        if isinstance(return_type, GraphQLEnumType):
            members = self.touched.enums.get(return_type.name)
            if members is not None and found in members.withheld:
                return self._withhold(path, members.instead)
        return found

    def complete_object_value(
        self, return_type: Any, details: Any, info: Any, path: Path, result: Any, context: Any
    ) -> Any:
        """See graphql-core; a mark stands for an object of a type that is not sent here."""
        if self.touched.types and return_type.name in self.touched.types_at(details):
            return self._withhold(path)
        return super().complete_object_value(return_type, details, info, path, result, context)

    def _withhold(self, path: Path, instead: str | None = None) -> object:
        self.notes.append(Note(path, Path.as_list, self._nullable, instead))
        return WITHHELD

    @cached_property
    def _root_fields(self) -> GroupedFieldSet:
        root = self.schema.get_root_type(self.operation.operation)
        found = collect_fields(
            self.schema,
            self.fragments,
            self.variable_values,
            cast("GraphQLObjectType", root),
            self.operation,
        )
        return found.grouped_field_set

    def _nullable(self, path: Path) -> list[bool]:
        """By the fields that were collected on the way."""
        found: list[bool] = []
        fields: GroupedFieldSet | None = self._root_fields
        details: Any = None
        declared: Any = None
        for part in _parts(path):
            if isinstance(part.key, int):
                nullable = declared.of_type if isinstance(declared, GraphQLNonNull) else declared
                declared = nullable.of_type
            else:
                parent = cast("GraphQLObjectType", self.schema.get_type(str(part.typename)))
                if details is not None:
                    fields = self.collect_subfields(parent, details).grouped_field_set
                details = cast("GroupedFieldSet", fields)[part.key]
                declared = parent.fields[details[0].node.name.value].type
            found.append(not isinstance(declared, GraphQLNonNull))
        found.reverse()
        return found


def _parts(path: Path | None) -> list[Path]:
    parts = []
    while path is not None:
        parts.append(path)
        path = path.prev
    parts.reverse()
    return parts
