"""What of a fence one operation meets: most meet nothing, and share the plan of everybody.

Read off the document and the schema alone, when the document is prepared; nothing is executed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol, cast

from cachetools import LRUCache
from graphql import (
    DocumentNode,
    GraphQLEnumType,
    GraphQLObjectType,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import FieldDetails

from bff.contract import fallback_of
from bff.fence import Fence, fence
from bff.plans.reads import Reading, Reads, start_of

# What documents read, in bytes: some twenty thousand documents, so that none of those in use is
# parsed for it again, which would take milliseconds of a request. And what each meets of a fence.
MOST_READ = 16 * 1024 * 1024
PER_READ = 400
MOST_TOUCHED = 16_384
MOST_CLASSES = 1_024

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
            found |= types.get(start_of(one.node), frozenset())
        return found


def class_of(touched: Touched | None) -> str:
    """The fence class for one operation; "" where it is free."""
    return touched.key if touched is not None else ""


class Fencing:
    """Narrows fences to operations of one schema, and remembers."""

    def __init__(self, schema: GraphQLSchema) -> None:
        self._reading = Reading(schema)
        self._reads: LRUCache[Any, Reads] = LRUCache(MOST_READ, lambda one: PER_READ + one.held)
        self._touched: LRUCache[Any, Touched | None] = LRUCache(MOST_TOUCHED)
        self._classes: LRUCache[str, Touched] = LRUCache(MOST_CLASSES)

    def touched(self, operation: Fenceable, fenced: Fence) -> Touched | None:
        """What an operation meets of a fence; None where it meets nothing and is free."""
        if not fenced.key:
            return None
        key = (operation.document_hash, operation.name, fenced.key)
        try:
            return self._touched[key]
        except KeyError:
            found = narrowed(self._reading, self.read(operation), fenced)
            found = self._touched[key] = self._shared(found) if found is not None else None
            return found

    def read(self, operation: Fenceable) -> Reads:
        """What an operation reads; to be called when it was just parsed, and no request waits."""
        key = (operation.document_hash, operation.name)
        found = self._reads.get(key)
        if found is None:
            found = self._reading.read(*operation.parsed())
            if PER_READ + found.held <= MOST_READ:
                self._reads[key] = found
        return found

    def _shared(self, found: Touched) -> Touched:
        """The same, sharing with others of its class what the class alone decides."""
        first = self._classes.setdefault(found.key, found)
        return replace(first, types=found.types) if found.types else first


def touched_by(
    schema: GraphQLSchema,
    document: DocumentNode,
    operation: OperationDefinitionNode,
    fenced: Fence,
) -> Touched | None:
    """The same for an operation that is only known as an object."""
    if not fenced.key:
        return None
    reading = Reading(schema)
    return narrowed(reading, reading.read(document, operation), fenced)


def narrowed(reading: Reading, reads: Reads, fenced: Fence) -> Touched | None:
    """The part of a fence that meets what is read; None where nothing does."""
    schema, asked = reading.schema, list(reading.fields(reads))
    enums = _among({one.enum for one in asked}, fenced.enums)
    types = _among({one.abstract for one in asked}, fenced.types)
    fields = {by for one in asked for by in one.by}
    absent = {one for one in fields if _is_named(schema, one, fenced.absent)}
    sunset = {one for one in fields if _is_named(schema, one, fenced.brownouts)} - absent
    part = fence(enums, types, map(".".join, absent), map(".".join, sunset))
    if not part.key:
        return None
    return Touched(
        part.key,
        {name: _members(schema, name, withheld) for name, withheld in part.enums.items()},
        _places(reading, reads, fenced.types),
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


def _among(
    names: Iterable[str | None], withheld: Mapping[str, frozenset[str]]
) -> dict[str, frozenset[str]]:
    return {name: withheld[name] for name in names if name is not None and name in withheld}


def _places(
    reading: Reading, reads: Reads, withheld: Mapping[str, frozenset[str]]
) -> dict[int, frozenset[str]]:
    found: dict[int, frozenset[str]] = {}
    for start, name in reading.abstract(reads) if withheld else ():
        if name in withheld:
            there = found.get(start)
            found[start] = withheld[name] if there is None else there | withheld[name]
    return found
