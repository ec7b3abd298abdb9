"""Compares what is asked for: fields of objects and interfaces, members of enums and unions."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLObjectType,
    GraphQLUnionType,
)
from graphql.utilities.find_schema_changes import (
    is_change_safe_for_object_or_interface_field as is_narrower,
)

from persisted_queries.changes.model import Change, Kind, Verdict
from persisted_queries.changes.values import compare_arguments
from persisted_queries.changes.words import notes

Fielded = GraphQLObjectType | GraphQLInterfaceType

KEEP = "keep it, deprecated with @sunset, until no supported release asks for it"
FENCE = "builds published with their SDL are fenced; declare what the others get"


def compare_fielded(old: Fielded, new: Fielded) -> Iterator[Change]:
    """Changes of an object's or interface's fields and of the interfaces it implements."""
    for name in sorted(old.fields.keys() - new.fields.keys()):
        place = f"{old.name}.{name}"
        told = f"field {place} was removed"
        yield Change(Kind.FIELD_REMOVED, place, told, Verdict.BREAKING, KEEP)
    for name in sorted(new.fields.keys() - old.fields.keys()):
        place = f"{old.name}.{name}"
        told = f"field {place}: {new.fields[name].type} was added"
        yield Change(Kind.FIELD_ADDED, place, told, Verdict.SAFE)
    for name in old.fields.keys() & new.fields.keys():
        yield from _compare_field(f"{old.name}.{name}", old.fields[name], new.fields[name])
    before = {one.name for one in old.interfaces}
    after = {one.name for one in new.interfaces}
    for name in sorted(before - after):
        told = f"{old.name} no longer implements {name}"
        way_out = f"let it implement {name} until no supported release meets it there"
        yield Change(Kind.INTERFACE_REMOVED, old.name, told, Verdict.BREAKING, way_out, name)
    for name in sorted(after - before):
        yield implements(new.name, name)


def implements(name: str, interface: str) -> Change:
    """The change by which a type, new or not, may be met where `interface` is asked for."""
    told = f"{name} implements {interface}"
    return Change(Kind.INTERFACE_ADDED, name, told, Verdict.DANGEROUS, FENCE, interface)


def _compare_field(place: str, old: GraphQLField, new: GraphQLField) -> Iterator[Change]:
    if str(old.type) != str(new.type):
        told = f"field {place} was {old.type} and is {new.type}"
        if is_narrower(old.type, new.type):
            verdict = Verdict.DANGEROUS
            told += ": a null there takes its parent with it from now on"
            way_out = "make it non-null in a new field, or be sure that no null ever comes"
        else:
            verdict = Verdict.BREAKING
            way_out = "add a new field of that type beside it and deprecate this one"
        yield Change(Kind.FIELD_TYPE_CHANGED, place, told, verdict, way_out)
    yield from compare_arguments(place, old.args, new.args)
    yield from notes(place, old, new)


def compare_enums(old: GraphQLEnumType, new: GraphQLEnumType) -> Iterator[Change]:
    """Changes of an enum's members."""
    for name in sorted(old.values.keys() - new.values.keys()):
        place = f"{old.name}.{name}"
        told = f"enum member {place} was removed"
        yield Change(Kind.ENUM_VALUE_REMOVED, place, told, Verdict.BREAKING, KEEP, name)
    for name in sorted(new.values.keys() - old.values.keys()):
        place = f"{old.name}.{name}"
        told = f"enum member {place} was added"
        yield Change(Kind.ENUM_VALUE_ADDED, place, told, Verdict.DANGEROUS, FENCE, name)
    for name in old.values.keys() & new.values.keys():
        yield from notes(f"{old.name}.{name}", old.values[name], new.values[name])


def compare_unions(old: GraphQLUnionType, new: GraphQLUnionType) -> Iterator[Change]:
    """Changes of a union's members."""
    before = {one.name for one in old.types}
    after = {one.name for one in new.types}
    for name in sorted(before - after):
        told = f"{name} was taken out of union {old.name}"
        way_out = "keep it in the union, never answered, until no supported release asks for it"
        yield Change(Kind.UNION_MEMBER_REMOVED, old.name, told, Verdict.BREAKING, way_out, name)
    for name in sorted(after - before):
        told = f"{name} was added to union {old.name}"
        yield Change(Kind.UNION_MEMBER_ADDED, old.name, told, Verdict.DANGEROUS, FENCE, name)
