"""What an answer within a fence has to be, worked out anew from the top down.

The rules are written here a second time and in another way than in the gateway: what a value
becomes follows from what its parts become, each with the type it is declared to have.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphql import GraphQLEnumType, GraphQLList, GraphQLNonNull, get_named_type

from bff.fence import Fence
from tests.compiler.answers import Told
from tests.compiler.fuzz.fences import Where


class Gone(Exception):
    """A value that must not be null is withheld."""


class Leak(Exception):
    """A member or a type is in the answer that the build does not know."""


@dataclass
class Seen:
    """What became of a value and all below it: where it stood and where it stands, and counts."""

    value: Any
    places: dict[Where, Where] = field(default_factory=dict)
    counts: tuple[int, int, int] = (0, 0, 0)

    def take(self, other: Seen) -> None:
        self.places |= other.places
        one, two = self.counts, other.counts
        self.counts = (one[0] + two[0], one[1] + two[1], one[2] + two[2])


@dataclass
class Oracle:
    """Over the answer of graphql-core's executor with its marks, and the types it noted. Methods
    raise Leak for what a mark should stand for, by the whole fence."""

    executor: Any
    fence: Fence

    def answer(self) -> Seen:
        executor = self.executor
        if executor.marked is None:
            return Seen(None, {(): ()})
        root = executor.schema.get_root_type(executor.operation.operation)
        try:
            return self._fields(root, executor._root_fields, executor.marked, (), ())
        except Gone:
            return Seen(None, {}, (0, 1, 0))

    def errors(self, seen: Seen) -> set[Told]:
        """Those errors whose place is still in the answer, with the path it has there."""
        told = set[Told]()
        if seen.value is None and not seen.places:
            return told
        for error in self.executor.raw_errors:
            path = tuple(error.path or ())
            stood = self._nulled(path)
            if stood is None or stood in seen.places:
                one = Told.of(error)
                now = path if stood is None else (*seen.places[stood], *path[len(stood) :])
                told.add(Told(now, one.words))
        return told

    def _nulled(self, path: Where) -> Where | None:
        """Where an error made null; None for one that tells of another place."""
        value = self.executor.marked
        for length, key in enumerate(path):
            if value is None:
                return path[:length]
            try:
                value = value[key]
            except (LookupError, TypeError):
                return None
        return path if value is None else None

    def _value(self, declared: Any, details: Any, value: Any, was: Where, now: Where) -> Seen:
        """Raises Gone where null must not be."""
        if isinstance(declared, GraphQLNonNull):
            found = self._value(declared.of_type, details, value, was, now)
            if found.value is None:
                raise Gone
            return found
        try:
            return self._nullable(declared, details, value, was, now)
        except Gone:
            return Seen(None, {}, (0, 1, 0))

    def _nullable(self, declared: Any, details: Any, value: Any, was: Where, now: Where) -> Seen:
        if value is None:
            return Seen(None, {was: now})
        if repr(value) == "WITHHELD":
            instead = self._instead(get_named_type(declared))
            if instead is None:
                raise Gone
            return Seen(instead, {was: now}, (1, 0, 0))
        if isinstance(declared, GraphQLList):
            return self._items(declared.of_type, details, value, was, now)
        if was in self.executor.objects and not hasattr(declared, "coerce_output_value"):
            kind, below = self.executor.objects[was]
            if kind.name in self.fence.types.get(declared.name, ()):
                raise Leak(f"{kind} at {was}")
            fields = self.executor.collect_subfields(kind, below).grouped_field_set
            found = self._fields(kind, fields, value, was, now)
            found.places[was] = now
            return found
        if value in self.fence.enums.get(declared.name, ()):
            raise Leak(f"{value} at {was}")
        return Seen(value, {was: now})

    def _instead(self, declared: Any) -> str | None:
        if not isinstance(declared, GraphQLEnumType):
            return None
        members = self.executor.touched.enums.get(declared.name)
        definition = declared.extensions.get("strawberry-definition")
        wanted = [one.member for one in getattr(definition, "directives", ())]
        known = [one for one in wanted if one not in (members.withheld if members else ())]
        return known[0] if known and members else None

    def _items(self, item: Any, details: Any, value: Any, was: Where, now: Where) -> Seen:
        found = Seen([], {was: now})
        for index, one in enumerate(value):
            place = (*now, len(found.value))
            try:
                below = self._value(item, details, one, (*was, index), place)
            except Gone:
                found.take(Seen(None, {}, (0, 0, 1)))
                continue
            found.value.append(below.value)
            found.take(below)
        return found

    def _fields(self, kind: Any, fields: Any, value: Any, was: Where, now: Where) -> Seen:
        found = Seen({}, {was: now})
        for key in value:
            details = fields[key]
            name = details[0].node.name.value
            declared = self.executor.schema.get_field(kind, name).type
            if (kind.name, name) in self.executor.touched.held and value[key] is not None:
                if isinstance(declared, GraphQLNonNull):
                    raise Gone
                below = Seen(None, {}, (0, 1, 0))
            else:
                below = self._value(declared, details, value[key], (*was, key), (*now, key))
            found.value[key] = below.value
            found.take(below)
        return found
