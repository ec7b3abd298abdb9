"""Where a document feels a change: the nodes of it that lean on what changed.

What makes a document invalid and nothing else is left to the validator; here stands what it cannot
see, and what it sees under another name than the change's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from graphql import Node

from persisted_queries.changes.model import Change, Kind, Verdict
from persisted_queries.uses import Uses, place_through


def touching(changes: Iterable[Change], uses: Uses) -> Iterator[tuple[Change, list[Node]]]:
    """The changes that a document feels, each with the nodes that feel it."""
    for change in changes:
        nodes = FELT_AT[change.kind](change, uses)
        if nodes:
            yield change, nodes


def owner_of(change: Change) -> str:
    """`Type` of `Type.field`, `Type.field` of `Type.field(argument:)`."""
    if change.coordinate.endswith(")"):
        return change.coordinate.partition("(")[0]
    return change.coordinate.partition(".")[0]


FeltAt = Callable[[Change, Uses], list[Node]]


def _at(*held: str) -> FeltAt:
    """Felt where the coordinate stands in the first of these that has it."""

    def look(change: Change, uses: Uses) -> list[Node]:
        return _first(uses, held, change.coordinate)

    return look


def _atowner_of(*held: str) -> FeltAt:
    def look(change: Change, uses: Uses) -> list[Node]:
        return _first(uses, held, owner_of(change))

    return look


def _first(uses: Uses, held: Iterable[str], key: str) -> list[Node]:
    found = (getattr(uses, one).get(key) for one in held)
    return next((nodes for nodes in found if nodes), [])


def _unfelt(_change: Change, _uses: Uses) -> list[Node]:
    """Only documents that become invalid feel it, which is the validator's to say."""
    return []


def _retyped_field(change: Change, uses: Uses) -> list[Node]:
    # A type may narrow what its interface promises: who asks through the interface decodes the
    # wider one, but loses the parent to a null all the same.
    breaking = change.verdict is Verdict.BREAKING
    return (uses.fields if breaking else uses.reached).get(change.coordinate, [])


def _argument_added(change: Change, uses: Uses) -> list[Node]:
    breaking = change.verdict is Verdict.BREAKING
    return (uses.fields if breaking else uses.reached).get(owner_of(change), [])


def _input_field(change: Change, uses: Uses) -> list[Node]:
    """An input field removed, added or retyped: variables may hold it. A value written out shows
    whether it stays valid; whether it means the same only people know."""
    held = ("inputs",) if change.verdict is Verdict.BREAKING else ("inputs", "literals")
    return _first(uses, held, owner_of(change)) or uses.nullable.get(change.coordinate, [])


def _input_default(change: Change, uses: Uses) -> list[Node]:
    return uses.inputs.get(owner_of(change), []) or uses.left_out.get(change.coordinate, [])


def _member_removed(change: Change, uses: Uses) -> list[Node]:
    return [*uses.given.get(change.coordinate, []), *uses.inputs.get(owner_of(change), [])]


def _possible_type(change: Change, uses: Uses) -> list[Node]:
    return uses.outputs.get(change.other, [])


def _left_interface(change: Change, uses: Uses) -> list[Node]:
    return uses.through.get(place_through(change.coordinate, change.other), [])


def _left_union(change: Change, uses: Uses) -> list[Node]:
    return uses.through.get(place_through(change.other, change.coordinate), [])


def _root(change: Change, uses: Uses) -> list[Node]:
    return uses.operations.get(change.kind.partition("_")[0].lower(), [])


def _applied(change: Change, uses: Uses) -> list[Node]:
    if not change.coordinate:
        return [node for nodes in uses.operations.values() for node in nodes]
    held = ("reached", "types", "outputs", "inputs", "given", "left_out")
    return _first(uses, held, change.coordinate)


def _used_directive(change: Change, uses: Uses) -> list[Node]:
    return uses.left_out.get(change.coordinate, [])


FELT_AT: Mapping[Kind, FeltAt] = {
    Kind.QUERY_ROOT_CHANGED: _root,
    Kind.MUTATION_ROOT_CHANGED: _root,
    Kind.SUBSCRIPTION_ROOT_CHANGED: _root,
    Kind.TYPE_ADDED: _unfelt,
    Kind.TYPE_REMOVED: _at("conditions", "inputs"),
    Kind.TYPE_KIND_CHANGED: _at("types", "outputs", "inputs", "conditions"),
    Kind.FIELD_ADDED: _unfelt,
    Kind.FIELD_REMOVED: _at("fields"),
    Kind.FIELD_TYPE_CHANGED: _retyped_field,
    Kind.ARGUMENT_ADDED: _argument_added,
    Kind.ARGUMENT_REMOVED: _at("given"),
    Kind.ARGUMENT_TYPE_CHANGED: _at("nullable"),
    Kind.ARGUMENT_DEFAULT_CHANGED: _at("left_out"),
    Kind.INPUT_FIELD_ADDED: _input_field,
    Kind.INPUT_FIELD_REMOVED: _input_field,
    Kind.INPUT_FIELD_TYPE_CHANGED: _input_field,
    Kind.INPUT_FIELD_DEFAULT_CHANGED: _input_default,
    Kind.ONE_OF_ADDED: _at("inputs"),
    Kind.ONE_OF_REMOVED: _unfelt,
    Kind.ENUM_VALUE_ADDED: _atowner_of("outputs"),
    Kind.ENUM_VALUE_REMOVED: _member_removed,
    Kind.UNION_MEMBER_ADDED: _at("outputs"),
    Kind.UNION_MEMBER_REMOVED: _left_union,
    Kind.INTERFACE_ADDED: _possible_type,
    Kind.INTERFACE_REMOVED: _left_interface,
    Kind.DIRECTIVE_ADDED: _unfelt,
    Kind.DIRECTIVE_REMOVED: _unfelt,
    Kind.DIRECTIVE_LOCATION_ADDED: _unfelt,
    Kind.DIRECTIVE_LOCATION_REMOVED: _unfelt,
    Kind.DIRECTIVE_REPEATABLE_ADDED: _unfelt,
    Kind.DIRECTIVE_REPEATABLE_REMOVED: _unfelt,
    Kind.DIRECTIVE_ARGUMENT_ADDED: _unfelt,
    Kind.DIRECTIVE_ARGUMENT_REMOVED: _unfelt,
    Kind.DIRECTIVE_ARGUMENT_TYPE_CHANGED: _at("nullable"),
    Kind.DIRECTIVE_ARGUMENT_DEFAULT_CHANGED: _used_directive,
    Kind.APPLIED: _applied,
    Kind.UNAPPLIED: _applied,
    Kind.APPLIED_ARGUMENT_CHANGED: _applied,
    Kind.DEPRECATED: _unfelt,
    Kind.UNDEPRECATED: _unfelt,
    Kind.DEPRECATION_REASON_CHANGED: _unfelt,
    Kind.DESCRIPTION_CHANGED: _unfelt,
}
