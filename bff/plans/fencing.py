"""What of a fence one operation meets: most meet nothing, and share the plan of everybody.

Read off the document and the schema alone, once for each document; nothing is executed here. The
types that matter are those the document was written against: a field asked of an interface is of
the interface's type, whatever type resolves it (the app's code was generated from just that).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, cast

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLEnumType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
    TypeInfo,
    TypeInfoVisitor,
    Visitor,
    get_named_type,
    is_abstract_type,
    visit,
)
from graphql.execution.collect_fields import FieldDetails

from bff.contract import fallback_of
from bff.fence import Fence, fence

# What documents read (some ten kilobytes each), and what each meets of a fence: a miss costs
# milliseconds.
MOST_DOCUMENTS = 512
MOST_TOUCHED = 16_384

Held = Literal["absent", "brown-out"]
ABSENT: Held = "absent"
BROWN_OUT: Held = "brown-out"


class Fenceable(Protocol):
    """Of an operation, what is needed to know it again and to read it."""

    @property
    def document_hash(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]: ...


class Members(NamedTuple):
    """Members of an enum that are not sent, and the member sent `instead` if there is one."""

    withheld: frozenset[str]
    instead: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """The part of a fence that an operation meets. `types` has, by where a field stands in the
    document, the possible types that are not sent there; `held` the fields, by type and name, that
    are not executed. `key` names the fence class for this operation."""

    key: str
    enums: Mapping[str, Members]
    types: Mapping[int, frozenset[str]]
    held: Mapping[tuple[str, str], Held]

    def types_at(self, details: Sequence[FieldDetails]) -> frozenset[str]:
        """The possible types that are not sent where any of these fields stands."""
        types = self.types
        found: frozenset[str] = frozenset()
        for one in details:
            found |= types.get(_start(one.node), frozenset())
        return found


@dataclass(slots=True)
class _Reads:
    """What an operation reads: enums; fields by the type that may resolve them; and where it
    stands at a union or interface, which one."""

    enums: set[str] = field(default_factory=set)
    fields: set[tuple[str, str]] = field(default_factory=set)
    abstract: dict[int, set[str]] = field(default_factory=dict)


def class_of(touched: Touched | None) -> str:
    """The fence class for one operation; "" where it is free."""
    return touched.key if touched is not None else ""


class Fencing:
    """Narrows fences to operations of one schema, and remembers."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._reads: LRUCache[Any, _Reads] = LRUCache(MOST_DOCUMENTS)
        self._touched: LRUCache[Any, Touched | None] = LRUCache(MOST_TOUCHED)

    def touched(self, operation: Fenceable, fenced: Fence) -> Touched | None:
        """What an operation meets of a fence; None where it meets nothing and is free."""
        if not fenced.key:
            return None
        key = (operation.document_hash, operation.name, fenced.key)
        try:
            return self._touched[key]
        except KeyError:
            found = narrowed(self._schema, self._read(operation), fenced)
            self._touched[key] = found
            return found

    def _read(self, operation: Fenceable) -> _Reads:
        key = (operation.document_hash, operation.name)
        found = self._reads.get(key)
        if found is None:
            document, definition = operation.parsed()
            found = self._reads[key] = read(self._schema, document, definition)
        return found


def touched_by(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    fenced: Fence,
) -> Touched | None:
    """The same for an operation that is only known as an object."""
    return narrowed(schema, read(schema, document, operation), fenced) if fenced.key else None


def read(
    schema: GraphQLSchema, document: DocumentNode, operation: OperationDefinitionNode
) -> _Reads:
    """What an operation reads, skipped or not, and every fragment it spreads."""
    fragments = {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    types = TypeInfo(schema)
    reader = _Reader(schema, types)
    visitor = TypeInfoVisitor(types, reader)
    visit(operation, visitor)
    done: set[str] = set()
    while todo := [name for name in reader.spread - done if name in fragments]:
        for name in todo:
            visit(fragments[name], visitor)
        done.update(todo)
    return reader.reads


class _Reader(Visitor):
    def __init__(self, schema: GraphQLSchema, types: TypeInfo) -> None:
        super().__init__()
        self.reads = _Reads()
        self.spread: set[str] = set()
        self._schema = schema
        self._types = types

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.spread.add(node.name.value)

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        parent = self._types.get_parent_type()
        declared = self._types.get_type()
        if parent is None or declared is None:
            return
        reads, name = self.reads, node.name.value
        reads.fields.update((one, name) for one in self._resolving(parent))
        target = get_named_type(declared)
        if isinstance(target, GraphQLEnumType):
            reads.enums.add(target.name)
        elif is_abstract_type(target):
            reads.abstract.setdefault(_start(node), set()).add(target.name)

    def _resolving(self, parent: GraphQLNamedType) -> list[str]:
        if isinstance(parent, GraphQLInterfaceType):
            return [one.name for one in self._schema.get_possible_types(parent)]
        return [parent.name]


def _start(node: FieldNode) -> int:
    """Where a field stands in the document's text; the same however often that is parsed."""
    return node.loc.start if node.loc is not None else -1


def narrowed(schema: GraphQLSchema, reads: _Reads, fenced: Fence) -> Touched | None:
    """The part of a fence that meets what is read; None where nothing does."""
    enums = {name: fenced.enums[name] for name in reads.enums if name in fenced.enums}
    abstract = {name for names in reads.abstract.values() for name in names}
    types = {name: fenced.types[name] for name in abstract if name in fenced.types}
    absent = {one for one in reads.fields if _is_named(schema, one, fenced.absent)}
    sunset = {one for one in reads.fields if _is_named(schema, one, fenced.brownouts)} - absent
    part = fence(enums, types, map(".".join, absent), map(".".join, sunset))
    if not part.key:
        return None
    return Touched(
        part.key,
        {name: _members(schema, name, withheld) for name, withheld in part.enums.items()},
        _places(reads, part),
        {**dict.fromkeys(absent, ABSENT), **dict.fromkeys(sunset, BROWN_OUT)},
    )


def _is_named(schema: GraphQLSchema, asked: tuple[str, str], among: frozenset[str]) -> bool:
    """Whether a field is among those named; one named of an interface is meant in every type that
    implements it."""
    parent, name = asked
    if not among:
        return False
    declared = schema.get_type(parent)
    above = declared.interfaces if isinstance(declared, GraphQLObjectType) else ()
    return any(f"{one}.{name}" in among for one in (parent, *(one.name for one in above)))


def _members(schema: GraphQLSchema, name: str, withheld: frozenset[str]) -> Members:
    declared = cast("GraphQLEnumType", schema.get_type(name))
    instead = fallback_of(declared)
    known = instead in declared.values and instead not in withheld
    return Members(withheld, instead if known else None)


def _places(reads: _Reads, part: Fence) -> dict[int, frozenset[str]]:
    found = {}
    for start, names in reads.abstract.items():
        withheld = frozenset[str]().union(*(part.types.get(name, ()) for name in names))
        if withheld:
            found[start] = withheld
    return found
