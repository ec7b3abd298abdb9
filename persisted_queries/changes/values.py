"""Compares what is given rather than asked for: arguments and the fields of input objects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from graphql import (
    GraphQLArgument,
    GraphQLInputField,
    GraphQLInputObjectType,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    print_ast,
)
from graphql.utilities.find_schema_changes import (
    is_change_safe_for_input_object_field_or_field_arg as is_safe_for_callers,
)
from graphql.utilities.get_default_value_ast import get_default_value_ast
from graphql.utilities.sort_value_node import sort_value_node

from persisted_queries.changes.model import Change, Kind, Verdict
from persisted_queries.changes.words import notes

Given = GraphQLArgument | GraphQLInputField
CoordinateOf = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class _Kinds:
    """The kinds for one sort of given value, and what people call it."""

    noun: str
    added: Kind
    removed: Kind
    retyped: Kind
    default: Kind


FIELD_ARGUMENT = _Kinds(
    "argument",
    Kind.ARGUMENT_ADDED,
    Kind.ARGUMENT_REMOVED,
    Kind.ARGUMENT_TYPE_CHANGED,
    Kind.ARGUMENT_DEFAULT_CHANGED,
)
DIRECTIVE_ARGUMENT = _Kinds(
    "argument",
    Kind.DIRECTIVE_ARGUMENT_ADDED,
    Kind.DIRECTIVE_ARGUMENT_REMOVED,
    Kind.DIRECTIVE_ARGUMENT_TYPE_CHANGED,
    Kind.DIRECTIVE_ARGUMENT_DEFAULT_CHANGED,
)
INPUT_FIELD = _Kinds(
    "input field",
    Kind.INPUT_FIELD_ADDED,
    Kind.INPUT_FIELD_REMOVED,
    Kind.INPUT_FIELD_TYPE_CHANGED,
    Kind.INPUT_FIELD_DEFAULT_CHANGED,
)


def compare_arguments(
    owner: str,
    old: Mapping[str, GraphQLArgument],
    new: Mapping[str, GraphQLArgument],
    kinds: _Kinds = FIELD_ARGUMENT,
) -> Iterator[Change]:
    """Changes of the arguments of `owner`, a field or a directive."""
    yield from _compare(lambda name: f"{owner}({name}:)", old, new, kinds)


def compare_input_objects(
    old: GraphQLInputObjectType, new: GraphQLInputObjectType
) -> Iterator[Change]:
    """Changes of an input object's fields, and of whether exactly one of them must be given."""
    yield from _compare(lambda name: f"{old.name}.{name}", old.fields, new.fields, INPUT_FIELD)
    if new.is_one_of and not old.is_one_of:
        yield Change(
            Kind.ONE_OF_ADDED,
            old.name,
            f"input {old.name} takes exactly one of its fields from now on",
            Verdict.BREAKING,
            "add a new input with @oneOf beside it, taken by a new argument",
        )
    elif old.is_one_of and not new.is_one_of:
        yield Change(
            Kind.ONE_OF_REMOVED,
            old.name,
            f"input {old.name} no longer takes exactly one of its fields",
            Verdict.SAFE,
        )


def _compare(
    place: CoordinateOf, old: Mapping[str, Given], new: Mapping[str, Given], kinds: _Kinds
) -> Iterator[Change]:
    for name in sorted(old.keys() - new.keys()):
        yield Change(
            kinds.removed,
            place(name),
            f"{kinds.noun} {place(name)} was removed",
            Verdict.BREAKING,
            "keep it, ignored, until no supported release gives it",
        )
    for name in sorted(new.keys() - old.keys()):
        yield _added(place(name), new[name], kinds)
    for name in old.keys() & new.keys():
        yield from _kept(place(name), old[name], new[name], kinds)


def _added(coordinate: str, new: Given, kinds: _Kinds) -> Change:
    if is_required(new):
        return Change(
            kinds.added,
            coordinate,
            f"{kinds.noun} {coordinate}: {new.type} was added and is required",
            Verdict.BREAKING,
            "make it nullable or give it a default",
        )
    told = f"{kinds.noun} {coordinate}: {new.type} was added"
    if kinds is DIRECTIVE_ARGUMENT:
        return Change(kinds.added, coordinate, told, Verdict.SAFE)
    way_out = "let leaving it out mean what the field meant before"
    return Change(kinds.added, coordinate, told, Verdict.DANGEROUS, way_out)


def _kept(coordinate: str, old: Given, new: Given, kinds: _Kinds) -> Iterator[Change]:
    if str(old.type) != str(new.type):
        safe = is_safe_for_callers(old.type, new.type)
        yield Change(
            kinds.retyped,
            coordinate,
            f"{kinds.noun} {coordinate} was {old.type} and is {new.type}",
            Verdict.SAFE if safe else Verdict.BREAKING,
            "" if safe else "add a new one of that type beside it",
        )
    before, after = default_of(old), default_of(new)
    if before != after:
        yield _redefaulted(coordinate, new, (before, after), kinds)
    yield from notes(coordinate, old, new)


def _redefaulted(
    coordinate: str, new: Given, defaults: tuple[str | None, str | None], kinds: _Kinds
) -> Change:
    before, after = defaults
    now = f"is {after}" if after is not None else "is gone"
    was = f"was {before}" if before is not None else "was none"
    told = f"default of {kinds.noun} {coordinate} {was} and {now}"
    if after is None and is_non_null_type(new.type):
        way_out = "keep a default or make it nullable"
        return Change(
            kinds.default, coordinate, f"{told}: it is required", Verdict.BREAKING, way_out
        )
    way_out = "keep what leaving it out means; let new releases give the new value"
    return Change(kinds.default, coordinate, told, Verdict.DANGEROUS, way_out)


def is_required(given: Given) -> bool:
    """Whether leaving it out is an error."""
    if isinstance(given, GraphQLArgument):
        return is_required_argument(given)
    return is_required_input_field(given)


def default_of(given: Given) -> str | None:
    """The default as GraphQL text, object fields in one order; None for no default."""
    found = get_default_value_ast(given)
    return print_ast(sort_value_node(found)) if found is not None else None
