"""When a part of a document is there: @skip and @include as one Boolean function of variables.

A condition is a sum of products: it holds where every literal of one of its products holds. What
variables an app sends is not asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from graphql import BooleanValueNode, DirectiveNode, Node, VariableNode

CONDITIONAL = frozenset({"skip", "include"})
# Two conditions of more variables are not compared: the work doubles with each.
MAX_VARIABLES = 12


class Literal(NamedTuple):
    """A variable, or its opposite."""

    variable: str
    value: bool


Product = frozenset[Literal]
Condition = frozenset[Product]

ALWAYS: Condition = frozenset({frozenset()})
NEVER: Condition = frozenset()


class UndecidedError(Exception):
    """A condition that cannot be made out: why."""


def condition_of(node: Node, constants: Mapping[str, object]) -> Condition:
    """What a selection's own directives say (GraphQL spec 3.13.1 and 3.13.2). `constants` are the
    variables no app sends, with their defaults. Raises UndecidedError."""
    found = ALWAYS
    for directive in getattr(node, "directives", None) or ():
        if directive.name.value in CONDITIONAL:
            found = both(found, _of(directive, constants))
    return found


def both(first: Condition, second: Condition) -> Condition:
    """Where both hold."""
    if first == ALWAYS:
        return second
    products = {one | other for one in first for other in second}
    return _shortest({one for one in products if not _contradicts(one)})


def either(first: Condition, second: Condition) -> Condition:
    """Where one of them holds."""
    return _shortest({*first, *second})


def same(first: Condition, second: Condition) -> bool:
    """Whether both hold for the same values of their variables. Raises UndecidedError."""
    if first == second:
        return True
    variables = _variables(first) | _variables(second)
    if not variables:
        return False
    if len(variables) > MAX_VARIABLES:
        raise UndecidedError(f"depends on more than {MAX_VARIABLES} variables")
    variable = min(variables)
    return all(
        same(_where(first, variable, value), _where(second, variable, value))
        for value in (True, False)
    )


def describe(condition: Condition) -> str:
    """For people: `always`, `never` or the sum."""
    if condition == ALWAYS:
        return "always"
    products = sorted(
        " and ".join(f"{'' if one.value else 'not '}${one.variable}" for one in sorted(product))
        for product in condition
    )
    return "if " + " or ".join(products) if products else "never"


def _of(directive: DirectiveNode, constants: Mapping[str, object]) -> Condition:
    included = directive.name.value == "include"
    for argument in directive.arguments or ():
        value = argument.value
        if isinstance(value, BooleanValueNode):
            return ALWAYS if value.value == included else NEVER
        if isinstance(value, VariableNode):
            name = value.name.value
            if name not in constants:
                return frozenset({frozenset({Literal(name, included)})})
            if isinstance(constants[name], bool):
                return ALWAYS if constants[name] is included else NEVER
            raise UndecidedError(f"${name}, which no app sends, has no true or false as default")
    raise UndecidedError(f"@{directive.name.value} has no `if`")


def _shortest(products: set[Product]) -> Condition:
    """Without products that another one covers."""
    return frozenset(one for one in products if not any(other < one for other in products))


def _contradicts(product: Product) -> bool:
    return len({one.variable for one in product}) < len(product)


def _variables(condition: Condition) -> set[str]:
    return {one.variable for product in condition for one in product}


def _where(condition: Condition, variable: str, value: bool) -> Condition:
    kept = Literal(variable, value)
    dropped = Literal(variable, not value)
    return _shortest({product - {kept} for product in condition if dropped not in product})
