"""Compares two schemas: every change between them, each with its verdict.

The schemas must be built from SDL on both sides (`build_schema`): where directives are applied is
read from their syntax. Standard scalars, introspection and the specification's own directives are
left out: what uses them is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from graphql import (
    ConstDirectiveNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    is_introspection_type,
    is_specified_scalar_type,
)

from persisted_queries.changes.directives import compare_applied, compare_directives
from persisted_queries.changes.model import Change, Kind, Verdict
from persisted_queries.changes.outputs import (
    compare_enums,
    compare_fielded,
    compare_unions,
    implements,
)
from persisted_queries.changes.values import compare_input_objects
from persisted_queries.changes.words import described

NOUNS: dict[type[GraphQLNamedType], str] = {
    GraphQLObjectType: "object",
    GraphQLInterfaceType: "interface",
    GraphQLUnionType: "union",
    GraphQLEnumType: "enum",
    GraphQLInputObjectType: "input",
}
COMPARED: dict[type[GraphQLNamedType], Callable[[Any, Any], Iterator[Change]]] = {
    GraphQLObjectType: compare_fielded,
    GraphQLInterfaceType: compare_fielded,
    GraphQLUnionType: compare_unions,
    GraphQLEnumType: compare_enums,
    GraphQLInputObjectType: compare_input_objects,
}
WORST_FIRST = (Verdict.BREAKING, Verdict.DANGEROUS, Verdict.SAFE)


def compare(old: GraphQLSchema, new: GraphQLSchema) -> tuple[Change, ...]:
    """Every change from `old` to `new`, worst first, then by coordinate."""
    found = [
        *_roots(old, new),
        *_types(old, new),
        *compare_directives(old.directives, new.directives),
        *compare_applied("", _on(old), _on(new)),
    ]
    return tuple(
        sorted(found, key=lambda one: (WORST_FIRST.index(one.verdict), one.coordinate, one.kind))
    )


def _roots(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    for kind, before, after in (
        (Kind.QUERY_ROOT_CHANGED, old.query_type, new.query_type),
        (Kind.MUTATION_ROOT_CHANGED, old.mutation_type, new.mutation_type),
        (Kind.SUBSCRIPTION_ROOT_CHANGED, old.subscription_type, new.subscription_type),
    ):
        was, now = (one.name if one else "none" for one in (before, after))
        if was == now:
            continue
        noun = kind.partition("_")[0].lower()
        told = f"the {noun} root was {was} and is {now}"
        if before is None:
            yield Change(kind, "", told, Verdict.SAFE, "", now)
        else:
            yield Change(kind, "", told, Verdict.BREAKING, f"keep {was} as the {noun} root", now)


def _types(old: GraphQLSchema, new: GraphQLSchema) -> Iterator[Change]:
    before, after = own_types(old), own_types(new)
    for name in sorted(before.keys() - after.keys()):
        told = f"{noun_of(before[name])} {name} was removed"
        way_out = "keep it until no supported release's documents name it"
        yield Change(Kind.TYPE_REMOVED, name, told, Verdict.BREAKING, way_out)
    for name in sorted(after.keys() - before.keys()):
        told = f"{noun_of(after[name])} {name} was added"
        yield Change(Kind.TYPE_ADDED, name, told, Verdict.SAFE)
        for interface in getattr(after[name], "interfaces", ()):
            if interface.name in before:
                yield implements(name, interface.name)
    for name in sorted(before.keys() & after.keys()):
        yield from _compare_type(before[name], after[name])


def _compare_type(old: GraphQLNamedType, new: GraphQLNamedType) -> Iterator[Change]:
    yield from described(old.name, old, new)
    if type(old) is not type(new):
        told = f"{old.name} was of kind {noun_of(old)} and is of kind {noun_of(new)}"
        way_out = "add a type of another name and a field that answers it"
        yield Change(Kind.TYPE_KIND_CHANGED, old.name, told, Verdict.BREAKING, way_out)
        return
    compared = COMPARED.get(type(old))
    if compared is not None:
        yield from compared(old, new)
    then, now = dict(_applied_within(old)), dict(_applied_within(new))
    for place in then.keys() & now.keys():
        yield from compare_applied(place, then[place], now[place])


def own_types(schema: GraphQLSchema) -> dict[str, GraphQLNamedType]:
    """The types a schema declares itself, by name."""
    return {
        name: found
        for name, found in schema.type_map.items()
        if not is_introspection_type(found) and not is_specified_scalar_type(found)
    }


def noun_of(named: GraphQLNamedType) -> str:
    """What people call this kind of type: object, interface, union, enum, input or scalar."""
    return NOUNS.get(type(named), "scalar")


def _applied_within(named: GraphQLNamedType) -> Iterator[tuple[str, list[ConstDirectiveNode]]]:
    """Every place of a type where a directive may stand, and what stands there."""
    yield named.name, _on(named)
    for name, field in getattr(named, "fields", {}).items():
        yield f"{named.name}.{name}", _on(field)
        for argument, declared in getattr(field, "args", {}).items():
            yield f"{named.name}.{name}({argument}:)", _on(declared)
    for name, member in getattr(named, "values", {}).items():
        yield f"{named.name}.{name}", _on(member)


def _on(declared: Any) -> list[ConstDirectiveNode]:
    """The directives that stand on a declaration and on its extensions."""
    nodes = (declared.ast_node, *(getattr(declared, "extension_ast_nodes", ()) or ()))
    return [
        cast("ConstDirectiveNode", directive)
        for node in nodes
        if node is not None
        for directive in node.directives or ()
    ]
