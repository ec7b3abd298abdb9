"""Random variables for random declarations, coerced by graphql-core and by what a plan knows."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputType,
    GraphQLInt,
    GraphQLList,
    GraphQLNonNull,
    GraphQLSchema,
    GraphQLString,
    OperationDefinitionNode,
    VariableDefinitionNode,
    is_input_type,
    parse,
)
from graphql.execution.values import VariableValues, get_variable_values

from bff.errors import BadVariables
from bff.plans.execute import graphql_schema
from bff.plans.variables import VariableCoercer
from tests.compiler.answers import typed
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.documents import WORDS, Inputs, written
from tests.compiler.fuzz.world import World

# What JSON can hold, and no type takes all of.
BUILT_IN: list[Any] = [GraphQLInt, GraphQLFloat, GraphQLString, GraphQLBoolean, GraphQLID]
ANYTHING: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**60),
    *(0.0, -0.0, 1.0, 1.5, 1e300, 2.0**31, "", "x", "1", "RED", "DARK", "a1", "é", "\ud800"),
    *([], [None], ["x"], [["x"]], {}, {"limit": 1}, {"unknown": 1}, {"limit": None}),
)


def _schemas() -> dict[str, GraphQLSchema]:
    found = {
        name: graphql_schema(import_module(f"schema.{name}.root").schema)
        for name in ("ios", "android", "web")
    }
    return {**found, "random": World(1).schema}


SCHEMAS = _schemas()


def _definitions(schema: GraphQLSchema, dice: Dice) -> str:
    """Some variables of any input types, with and without defaults."""
    named: list[Any] = [one for one in schema.type_map.values() if is_input_type(one)]
    usual = [one for one in BUILT_IN if one.name in schema.type_map]
    declared = []
    for number in range(dice.between(1, 3)):
        wanted: GraphQLInputType = dice.pick(usual if dice.chance(0.5) else named)
        for _ in range(dice.pick((0, 0, 0, 1, 2))):
            inner = GraphQLNonNull(wanted) if dice.chance(0.4) else wanted  # type: ignore[type-var]
            wanted = GraphQLList(inner)
        required = dice.chance(0.4)
        declared.append(f"$v{number}: {wanted}{'!' if required else _default(wanted, dice)}")
    return f"query ({', '.join(declared)}) {{ __typename }}"


def _default(wanted: GraphQLInputType, dice: Dice) -> str:
    if dice.chance(0.6):
        return ""
    if dice.chance(0.2):
        return dice.pick((" = null", " = 1", ' = "x"', " = [1]", " = true"))
    return f" = {written(Inputs(WORDS).value(wanted, dice), wanted)}"


def _values(
    schema: GraphQLSchema, definitions: tuple[VariableDefinitionNode, ...], dice: Dice
) -> dict[str, Any]:
    """Values that fit, and ones that do not."""
    inputs = Inputs(WORDS)
    given: dict[str, Any] = {"undeclared": 1}
    for node in definitions:
        name = node.variable.name.value
        if dice.chance(0.2):
            continue
        found = get_variable_values(schema, [node], {})
        declared = None if isinstance(found, list) else found.sources[name].signature.type
        fits = declared is not None and dice.chance(0.7)
        value = inputs.value(declared, dice) if fits else dice.pick(ANYTHING)  # type: ignore[arg-type]
        given[name] = _spoilt(value, dice) if dice.chance(0.1) else value
    return given


def _spoilt(value: Any, dice: Dice) -> Any:
    """One thing in it changed for anything else."""
    if isinstance(value, dict) and value:
        key = dice.pick(list(value))
        return {**value, key: _spoilt(value[key], dice)}
    if isinstance(value, list) and value:
        return [*value[:-1], _spoilt(value[-1], dice)]
    return dice.pick(ANYTHING)


def differs(schema: GraphQLSchema, dice: Dice, tally: Counter[str]) -> str | None:
    """One operation with several values; the coercer is kept, as in a plan."""
    text = _definitions(schema, dice)
    operation = parse(text).definitions[0]
    assert isinstance(operation, OperationDefinitionNode)
    definitions = tuple(operation.variable_definitions or ())
    coercer = VariableCoercer(schema, definitions, hide_suggestions=False)
    for _ in range(4):
        given = _values(schema, definitions, dice)
        expected = get_variable_values(schema, definitions, given)
        try:
            found = coercer.coerce(given)
        except BadVariables:
            tally["refused"] += 1
            if not isinstance(expected, list):
                return f"{text} with {given} is refused"
            continue
        tally["taken"] += 1
        if isinstance(expected, list):
            return f"{text} with {given} is taken, in spite of {expected[0].message}"
        if typed(found.coerced) != typed(expected.coerced):
            return f"{text} with {given} is {found.coerced}, not {expected.coerced}"
        if _told(found) != _told(expected):
            return f"{text} with {given} comes from {_told(found)}, not {_told(expected)}"
    return None


def _told(values: VariableValues) -> list[str]:
    """Where values come from: as resolvers may look at them."""
    return [
        f"{name}: {one.signature.type} = {typed(one.value)}" for name, one in values.sources.items()
    ]
