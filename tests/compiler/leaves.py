"""Leaf types of every kind, and the values at the edges of what they accept.

A value is made anew for each execution. Every one has a name, so that a difference can be told.
"""

from __future__ import annotations

import datetime as dt
import decimal
import fractions
import uuid
from collections.abc import Callable
from enum import Enum, IntEnum, StrEnum
from typing import Any, NoReturn

import strawberry
from graphql import (
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLError,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLScalarType,
    GraphQLString,
    Undefined,
    get_named_type,
)
from strawberry.scalars import JSON
from strawberry.types.enum import StrawberryEnumDefinition

from bff.contract import Fallback
from bff.contract.backref import STRAWBERRY_BACKREF
from bff.plans.execute import graphql_schema

Leaf = GraphQLScalarType | GraphQLEnumType


class Mood(Enum):
    GLAD = "glad"
    SAD = "sad"


class Level(IntEnum):
    ZERO = 0
    ONE = 1
    TWO = 2


class Word(StrEnum):
    A = "a"
    RED = "RED"


class TextKind(str):
    """A str that is not exactly str."""


class NumberKind(int):
    """An int that is not exactly int."""


class RealKind(float):
    """A float that is not exactly float."""


class Indexed:
    """Counts as an integer by `__index__` alone."""

    def __index__(self) -> int:
        return 5

    def __repr__(self) -> str:
        return "Indexed()"


class Once:
    """An iterator, spent after one round."""

    def __init__(self) -> None:
        self._left = [1, 2]

    def __iter__(self) -> Once:
        return self

    def __next__(self) -> int:
        if not self._left:
            raise StopIteration
        return self._left.pop()

    def __repr__(self) -> str:
        return "Once()"


class Worded:
    """Has words of its own."""

    def __str__(self) -> str:
        return "worded"

    def __repr__(self) -> str:
        return "Worded()"


class Equal:
    """Claims to equal everything, and hashes as the number 1."""

    def __eq__(self, other: object) -> bool:
        return True

    def __hash__(self) -> int:
        return hash(1)

    def __repr__(self) -> str:
        return "Equal()"


class Broken:
    """Fails when it is compared, hashed or turned into text."""

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __hash__(self) -> int:
        raise RuntimeError("not hashable")

    def __str__(self) -> str:
        raise RuntimeError("no words")

    def __repr__(self) -> str:
        return "Broken()"


def refuse(*_: object, **__: object) -> NoReturn:
    """A source's method that fails."""
    raise LookupError("called and failed")


def constant(value: Any) -> Callable[[], Any]:
    return lambda: value


PLAIN: dict[str, Any] = {
    "None": None,
    "Undefined": Undefined,
    "True": True,
    "False": False,
    "0": 0,
    "1": 1,
    "2": 2,
    "-1": -1,
    "7": 7,
    "2^31-1": 2**31 - 1,
    "2^31": 2**31,
    "-2^31": -(2**31),
    "-2^31-1": -(2**31) - 1,
    "2^53+1": 2**53 + 1,
    "2^1100": 2**1100,
    "0.0": 0.0,
    "-0.0": -0.0,
    "1.0": 1.0,
    "1.5": 1.5,
    "float 2^31": 2.0**31,
    "1e300": 1e300,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "empty text": "",
    "a": "a",
    "text 12": "12",
    "text 1.5": "1.5",
    "text true": "true",
    "RED": "RED",
    "g": "g",
    "surrogate": "\ud800",
    "bytes": b"x",
    "Decimal 1.5": decimal.Decimal("1.5"),
    "Decimal 7": decimal.Decimal(7),
    "Decimal NaN": decimal.Decimal("NaN"),
    "Fraction": fractions.Fraction(1, 3),
    "complex": 1 + 0j,
    "Mood.GLAD": Mood.GLAD,
    "Level.ONE": Level.ONE,
    "Level.ZERO": Level.ZERO,
    "Word.A": Word.A,
    "Word.RED": Word.RED,
    "str kind": TextKind("g"),
    "int kind": NumberKind(2),
    "int kind 2^40": NumberKind(2**40),
    "float kind": RealKind(2.5),
    "float kind nan": RealKind("nan"),
    "date": dt.date(2026, 11, 20),
    "datetime": dt.datetime(2026, 11, 20, 8, 30, tzinfo=dt.UTC),
    "UUID": uuid.UUID(int=7),
    "tuple": (1,),
    "type": Worded,
    "function": constant("called with nothing"),
    "method": lambda *_, **__: "called",
    "method to 2^40": lambda *_, **__: 2**40,
    "method to itself": lambda *_, **__: refuse,
    "failing method": refuse,
}
EDGES: dict[str, Callable[[], Any]] = {
    **{name: constant(value) for name, value in PLAIN.items()},
    "empty list": list,
    "list": lambda: [1],
    "dict": dict,
    "set": lambda: {1},
    "iterator": Once,
    "exception": lambda: RuntimeError("as a value"),
    "GraphQLError": lambda: GraphQLError("told", extensions={"code": "TOLD"}),
    "located error": lambda: GraphQLError("elsewhere", path=["x", 1]),
    "wordless exception": ValueError,
    "indexed": Indexed,
    "worded": Worded,
    "equal": Equal,
    "broken": Broken,
}


def odd(value: Any) -> Any:
    """A scalar's coercion that refuses, and gives values that count as none."""
    if value in (0, 7):
        return None if value else Undefined
    if isinstance(value, int) and value % 2:
        return value
    raise ValueError(f"not odd: {value!r}")


class Shouting(GraphQLScalarType):
    """A scalar whose coercion is its class's."""

    def coerce_output_value(self, output_value: Any) -> Any:
        return f"{output_value}!".upper()


class Strict(GraphQLEnumType):
    """An enum that takes no other class for str, however equal its values are."""

    def coerce_output_value(self, output_value: Any) -> str:
        if type(output_value) is not str:
            raise GraphQLError(f"no plain text: {type(output_value).__name__}")
        return super().coerce_output_value(output_value)


def made() -> dict[str, Leaf]:
    """Leaf types of this module's own making."""
    types: list[Leaf] = [
        GraphQLEnumType("Colour", {"RED": 0, "GREEN": "g", "BLUE": 2, "ODD": 1.5}),
        GraphQLEnumType("Mood", Mood),
        GraphQLEnumType("MoodName", Mood, names_as_values=True),
        GraphQLEnumType("MoodMember", Mood, names_as_values=None),
        GraphQLEnumType("Level", Level),
        GraphQLEnumType("LevelMember", Level, names_as_values=None),
        GraphQLEnumType("Unhashable", {"LIST": [1], "SET": {1}, "ONE": 1}),
        Strict("Strict", {"RED": "RED", "A": "a", "SMALL": "g"}),
        GraphQLScalarType("Any"),
        GraphQLScalarType("Odd", coerce_output_value=odd),
        GraphQLScalarType("Listing", coerce_output_value=lambda value: {"at": [value]}),
        Shouting("Shouting"),
    ]
    declare_fallback(types[0], "GREEN")
    return {f"own {one.name}": one for one in types}


def declare_fallback(declared: Any, member: str) -> None:
    """Puts `@fallback` on an enum that Strawberry did not make, where Strawberry would."""
    definition = StrawberryEnumDefinition(Word, declared.name, [], None, [Fallback(member=member)])
    declared.extensions = {STRAWBERRY_BACKREF: definition}


@strawberry.type
class Samples:
    """Names every leaf type that Strawberry makes."""

    date: dt.date
    datetime: dt.datetime
    time: dt.time
    decimal: decimal.Decimal
    uuid: uuid.UUID
    json: JSON
    mood: strawberry.enum(  # type: ignore[valid-type]
        Mood, name="Mood", directives=[Fallback(member="SAD")]
    )
    level: strawberry.enum(Level, name="Level")  # type: ignore[valid-type]
    word: strawberry.enum(Word, name="Word")  # type: ignore[valid-type]


def strawberry_made() -> dict[str, Leaf]:
    """Strawberry's scalars, and an enum of each kind."""
    query = graphql_schema(strawberry.Schema(Samples)).query_type
    assert query is not None
    types: list[Any] = [get_named_type(field.type) for field in query.fields.values()]
    return {f"strawberry {one.name}": one for one in types}


LEAVES: dict[str, Leaf] = {
    one.name: one for one in (GraphQLInt, GraphQLFloat, GraphQLString, GraphQLBoolean, GraphQLID)
}
LEAVES |= made() | strawberry_made()
