"""What one operation reads, as far as a fence may be about it, small enough to keep for every
document there is; what follows from it is `fencing`'s.

The types that matter are those the document was written against: a field asked of an interface is
of the interface's type, whatever type resolves it (the app's code was generated from just that).
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from typing import NamedTuple

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_abstract_type,
)


class Asked(NamedTuple):
    """A field asked of a type: `by`, the fields by type and name that may resolve it; the name of
    its type where that is an enum, or a union or interface (`abstract`); its number."""

    number: int
    by: tuple[tuple[str, str], ...]
    enum: str | None
    abstract: str | None
    target: GraphQLNamedType


class Reads(NamedTuple):
    """`fields`: a bit for the number of each field asked for. `places`: of each field whose type is
    a union or interface, where it stands in the text and its number, one after the other."""

    fields: int
    places: array[int]

    @property
    def held(self) -> int:
        """The memory it takes, in bytes."""
        return sys.getsizeof(self) + sys.getsizeof(self.fields) + sys.getsizeof(self.places)


class Reading:
    """Reads operations of one schema, whose fields are numbered as they are met."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self.schema = schema
        self._fields: list[Asked] = []
        self._known: dict[tuple[str, str], Asked | None] = {}

    def read(self, document: DocumentNode, operation: OperationDefinitionNode) -> Reads:
        """What a valid operation reads, skipped or not, and every fragment it spreads."""
        fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }
        walk = _Walk(self)
        walk.through(operation.selection_set, self.schema.get_root_type(operation.operation))
        done: set[str] = set()
        while todo := [name for name in walk.spread - done if name in fragments]:
            for name in todo:
                walk.named(fragments[name].selection_set, fragments[name].type_condition.name.value)
            done.update(todo)
        return Reads(walk.fields, array("i", walk.places))

    def fields(self, reads: Reads) -> Iterator[Asked]:
        """Every field that is read, once."""
        left = reads.fields
        while left:
            lowest = left & -left
            yield self._fields[lowest.bit_length() - 1]
            left ^= lowest

    def abstract(self, reads: Reads) -> Iterator[tuple[int, str]]:
        """Where an operation stands at a union or interface, and at which."""
        places = iter(reads.places)
        for start, number in zip(places, places, strict=True):
            found = self._fields[number].abstract
            if found is not None:
                yield start, found

    def asked(self, parent: GraphQLNamedType, name: str) -> Asked | None:
        """None for `__typename` and other meta fields, of which no fence can say anything."""
        key = (parent.name, name)
        if key not in self._known:
            self._known[key] = self._declared(parent, name)
        return self._known[key]

    def _declared(self, parent: GraphQLNamedType, name: str) -> Asked | None:
        declared = getattr(parent, "fields", {}).get(name)
        if declared is None:
            return None
        target = get_named_type(declared.type)
        found = Asked(
            len(self._fields),
            tuple((one, name) for one in self._resolving(parent)),
            target.name if isinstance(target, GraphQLEnumType) else None,
            target.name if is_abstract_type(target) else None,
            target,
        )
        self._fields.append(found)
        return found

    def _resolving(self, parent: GraphQLNamedType) -> list[str]:
        if isinstance(parent, GraphQLInterfaceType):
            return [one.name for one in self.schema.get_possible_types(parent)]
        return [parent.name]


class _Walk:
    def __init__(self, reading: Reading) -> None:
        self.fields = 0
        self.places: list[int] = []
        self.spread: set[str] = set()
        self._reading = reading

    def named(self, selections: SelectionSetNode, parent: str) -> None:
        self.through(selections, self._reading.schema.get_type(parent))

    def through(self, selections: SelectionSetNode, parent: GraphQLNamedType | None) -> None:
        if parent is None:
            return
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._field(node, parent)
            elif isinstance(node, FragmentSpreadNode):
                self.spread.add(node.name.value)
            elif isinstance(node, InlineFragmentNode):
                condition = node.type_condition
                named = condition.name.value if condition is not None else parent.name
                self.named(node.selection_set, named)

    def _field(self, node: FieldNode, parent: GraphQLNamedType) -> None:
        found = self._reading.asked(parent, node.name.value)
        if found is None:
            return
        self.fields |= 1 << found.number
        if found.abstract is not None:
            self.places += (start_of(node), found.number)
        if node.selection_set is not None:
            self.through(node.selection_set, found.target)


def start_of(node: FieldNode) -> int:
    """Where a field stands in the document's text; the same however often that is parsed."""
    return node.loc.start if node.loc is not None else -1
