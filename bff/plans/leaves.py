"""What a generated function may decide about a leaf by the class of a value alone.

Only exact classes whose coercion is known to change nothing, or to be one look-up; every other
value goes to the type's own coercion (GraphQL spec, Result Coercion).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
    Undefined,
)
from graphql.execution import Executor


@dataclass(frozen=True, slots=True)
class Fast:
    """`test` is an expression over `$`, the value; where it holds, `$` becomes `value`, an
    expression over it, or stays as it is. `@` stands for the place. `names` are given to the
    generated text. `nullable`: null stays as it is."""

    test: str
    value: str | None
    names: dict[str, Any]
    nullable: bool = False


INT_TEST = "type($) is int and -2147483648 <= $ <= 2147483647"
BUILT_IN: dict[GraphQLLeafType, str] = {
    GraphQLString: "type($) is str",
    GraphQLID: "type($) is str",
    GraphQLInt: INT_TEST,
    GraphQLBoolean: "type($) is bool",
    # Not a number and the infinities are no JSON; they differ from themselves by subtraction.
    GraphQLFloat: "type($) is float and $ - $ == 0.0",
}
# Classes of JSON: none of their instances can be awaited, called or raised.
PLAIN = frozenset({str, int, float, bool})


def fast_leaf(
    declared: GraphQLLeafType,
    symbol: Callable[[str], str],
    withheld: frozenset[str] = frozenset(),
) -> Fast:
    """The quick decision about one leaf type; `symbol` makes a name of its own in the text. Members
    of an enum that are `withheld` go the slow way."""
    test = BUILT_IN.get(declared)
    if test is not None:
        return Fast(test, None, {})
    if isinstance(declared, GraphQLEnumType):
        return _fast_enum(declared, symbol, withheld)
    coerce = declared.coerce_output_value
    if coerce is str:
        return Fast("type($) is str", None, {})
    plain, coerced, found = symbol("plain"), symbol("coerce"), symbol("c")
    # Null from the coercion is an error, and the completer's to tell.
    test = f"type($) in {plain} and ({found} := {coerced}($)) is not None"
    return Fast(f"{test} and {found} is not Undefined", found, {plain: PLAIN, coerced: coerce})


def coercion(declared: GraphQLLeafType) -> Callable[[Any], Any]:
    """The type's own coercion; raises what graphql-core raises, also where it returns null."""
    coerce = declared.coerce_output_value

    def coerced(value: Any) -> Any:
        found = coerce(value)
        if found is None or found is Undefined:
            return Executor.complete_leaf_value(declared, value)
        return found

    return coerced


def _fast_enum(
    declared: GraphQLEnumType, symbol: Callable[[str], str], withheld: frozenset[str]
) -> Fast:
    """Names by exact class and value: equality alone would take 1 for True and for IntEnum(1)."""
    members = [(raw, name) for raw, name in _members(declared) if name not in withheld]
    names = {(type(raw), raw): name for raw, name in members}
    known = symbol("names")
    member = symbol("member")
    return Fast(
        f"type($) in {known}_classes and ({member} := {known}.get((type($), $))) is not None",
        member,
        {known: names, f"{known}_classes": frozenset(kind for kind, _ in names)},
    )


def _members(declared: GraphQLEnumType) -> list[tuple[Any, str]]:
    """The strings and enum members that stand for a name, and that name."""
    wrapped = getattr(declared, "wrapped_cls", None)
    candidates = [value.value for value in declared.values.values()]
    if isinstance(wrapped, type) and issubclass(wrapped, Enum):
        candidates += list(wrapped)
    found = []
    for raw in candidates:
        if type(raw) is not str and not isinstance(raw, Enum):
            continue
        try:
            found.append((raw, declared.coerce_output_value(raw)))
        except Exception:  # noqa: S112 - such a value goes the slow way and fails there
            continue
    return found
