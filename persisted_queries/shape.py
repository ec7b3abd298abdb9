"""Proof that a patched document may be served under the id of a shipped one.

What the app's generated code expects is read from the original and the schema the build was made
from; what the patched text gives, and takes, from the schema in force. Types and members the build
does not know are the decode fence's. Whether the values mean the same is not proven: a person
answers for that.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from graphql import (
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    is_list_type,
    is_non_null_type,
    parse,
    validate,
    value_from_ast_untyped,
)
from graphql.type import GraphQLCompositeType

from persisted_queries.accepted import Inputs, Variables, kind, other_defaults
from persisted_queries.conditions import UndecidedError, describe, same
from persisted_queries.merged import TYPENAME, Key, Part, Reading, marks_of, read

MAX_SHOWN = 3
SHOWN_LETTERS = 300


class Problem(NamedTuple):
    """Why a patched document may not take the place of the original. `path` is the place in the
    answer, `a.b(Type).c` where only values of that type are concerned, in the variables (`$v.f`)
    or in the operation ("")."""

    path: str
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}" if self.path else self.what


def compatible(
    original: str, patched: str, schema_of_build: GraphQLSchema, schema_now: GraphQLSchema
) -> list[Problem]:
    """Every reason why not; empty if the proof succeeds. Texts have one operation each. Never
    raises for what stands in a text."""
    then = _valid(original, schema_of_build, "the published text", "the build's schema")
    now = _valid(patched, schema_now, "the patched text", "the schema in force")
    if isinstance(then, Problem) or isinstance(now, Problem):
        return [one for one in (then, now) if isinstance(one, Problem)]
    before, after = _variables(then), _variables(now)
    new = {
        name: value_from_ast_untyped(one.default_value) if one.default_value else None
        for name, one in after.items()
        if name not in before
    }
    built, current = read(schema_of_build, then, {}), read(schema_now, now, new)
    inputs = Inputs(schema_of_build, schema_now)
    refused = [*inputs.variables(before, after), *other_defaults(before, after, (then, now))]
    return [
        *_operations(built.operation, current.operation),
        *(Problem(one.where, one.problem) for one in refused),
        *_Comparison(built, current).problems(),
    ]


def _valid(text: str, schema: GraphQLSchema, which: str, by_which: str) -> DocumentNode | Problem:
    try:
        document = parse(text)
    except GraphQLError as error:
        return Problem("", f"{which} is no GraphQL: {_placed(error)}")
    found = [one for one in document.definitions if isinstance(one, OperationDefinitionNode)]
    if len(found) != 1:
        return Problem("", f"{which} has {len(found)} operations; it needs exactly one")
    if schema.get_root_type(found[0].operation) is None:
        return Problem("", f"{which} is a {found[0].operation.value}; {by_which} has none")
    errors = validate(schema, document)
    if errors:
        told = "; ".join(_placed(error) for error in errors[:MAX_SHOWN])
        return Problem("", f"{which} is not valid for {by_which}: {told}")
    return document


def _placed(error: GraphQLError) -> str:
    where = error.locations[0] if error.locations else None
    place = f"line {where.line}, column {where.column}: " if where else ""
    return place + error.message[:SHOWN_LETTERS]


def _variables(document: DocumentNode) -> Variables:
    (operation,) = (d for d in document.definitions if isinstance(d, OperationDefinitionNode))
    return {one.variable.name.value: one for one in operation.variable_definitions or ()}


def _operations(then: OperationDefinitionNode, now: OperationDefinitionNode) -> Iterator[Problem]:
    if then.operation != now.operation:
        yield Problem("", f"was a {then.operation.value}, is a {now.operation.value}")
    names = [one.name.value if one.name else "(anonymous)" for one in (then, now)]
    if names[0] != names[1]:
        yield Problem("", f"was named {names[0]}, is named {names[1]}")
    if marks_of(then) != marks_of(now):
        yield Problem("", "has other directives on the operation")


@dataclass(slots=True)
class _Comparison:
    """Walks two readings side by side, runtime type by runtime type."""

    then: Reading
    now: Reading
    _seen: set[tuple[object, ...]] = field(default_factory=set)

    def problems(self) -> Iterator[Problem]:
        then_root, then_parts = self.then.root()
        now_root, now_parts = self.now.root()
        if then_root.name != now_root.name:
            yield Problem("", f"starts at {now_root.name}, not at {then_root.name}")
            return
        yield from self._composite("", then_root, now_root, then_parts, now_parts)

    def _composite(
        self,
        path: str,
        then: GraphQLCompositeType,
        now: GraphQLCompositeType,
        then_parts: Sequence[Part],
        now_parts: Sequence[Part],
    ) -> Iterator[Problem]:
        known, sent = self.then.possible(then), self.now.possible(now)
        for name in sorted(known.keys() & sent.keys()):  # the others are fenced, or never come
            seen = (name, _identity(then_parts), _identity(now_parts))
            if seen in self._seen:
                continue
            self._seen.add(seen)
            at = f"{path}({name})" if path and len(known) > 1 else path
            try:
                before = self.then.keys(known[name], then_parts)
                after = self.now.keys(sent[name], now_parts)
                yield from self._keys(at, before, after)
            except UndecidedError as error:
                yield Problem(at, f"a condition cannot be compared: {error}")

    def _keys(self, path: str, before: dict[str, Key], after: dict[str, Key]) -> Iterator[Problem]:
        for name in [one for one in before if one not in after]:
            yield Problem(_below(path, name), "is dropped; the app reads it")
        for name in [one for one in after if one not in before]:
            yield Problem(_below(path, name), "is added; the app does not know it")
        is_write = self.then.operation.operation is OperationType.MUTATION
        if not path and is_write and list(before) != list(after) and before.keys() == after.keys():
            yield Problem("", f"writes in another order: {', '.join(after)}")
        for name in _exchanged(before, after):
            yield Problem(_below(path, name), f"now gets what {_owner(before, after[name])} got")
        for name in [one for one in before if one in after]:
            yield from self._key(_below(path, name), before[name], after[name])

    def _key(self, path: str, before: Key, after: Key) -> Iterator[Problem]:
        if (before.name == TYPENAME) != (after.name == TYPENAME):
            yield Problem(path, f"was {before.name}, is {after.name}")
        problem = _misfit(before.type, after.type)
        if problem:
            yield Problem(path, f"was {before.type}, is {after.type}: {problem}")
        if not same(before.condition, after.condition):
            yield Problem(
                path,
                f"was there {describe(before.condition)}, is {describe(after.condition)}",
            )
        if before.marks != after.marks:
            yield Problem(path, "has other directives, on itself or on the fragments around it")
        if problem is None and before.named is not None and after.named is not None:
            yield from self._composite(path, before.named, after.named, before.parts, after.parts)


def _misfit(expected: Any, given: Any) -> str | None:
    """Why generated code for the output type `expected` may not read `given`; None if it always
    does."""
    if is_non_null_type(expected):
        if not is_non_null_type(given):
            return "it may be null now"
        expected = expected.of_type
    if is_non_null_type(given):
        given = given.of_type
    if is_list_type(expected) != is_list_type(given):
        return "another nesting of lists"
    if is_list_type(expected):
        return _misfit(expected.of_type, given.of_type)
    if expected.name != given.name:
        return "another type"
    # Also the fence goes by kind: it knows no members of what was no enum, union or interface.
    return "another kind of type" if kind(expected) != kind(given) else None


def _exchanged(before: dict[str, Key], after: dict[str, Key]) -> list[str]:
    """Keys that got one another's fields, in a ring: right types, wrong values."""
    owners = {key.source: name for name, key in before.items()}
    moved = {
        name: owners[key.source]
        for name, key in after.items()
        if key.source in owners and name in before and before[name].source != key.source
    }
    return [name for name in moved if name in _ring(moved, name)]


def _ring(moved: dict[str, str], start: str) -> list[str]:
    """Where following the moves from `start` leads, without going round twice."""
    found: list[str] = []
    at = moved.get(start)
    while at is not None and at not in found:
        found.append(at)
        at = moved.get(at)
    return found


def _owner(before: dict[str, Key], now: Key) -> str:
    return next(name for name, key in before.items() if key.source == now.source)


def _identity(parts: Sequence[Part]) -> frozenset[tuple[object, ...]]:
    return frozenset((id(part.selections), part.condition, part.marks) for part in parts)


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
