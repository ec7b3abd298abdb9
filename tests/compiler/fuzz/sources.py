"""What the fields of a random schema give: equal for every execution of the same place.

Values are found by place (the path asked for, and the arguments), never by order, so that two
executors that ask in different order are told the same.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLError,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLScalarType,
    GraphQLSchema,
    Undefined,
    is_abstract_type,
)

from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.scene import Later, after
from tests.compiler.leaves import EDGES, Level, Mood, TextKind, Word

Place = tuple[object, ...]

DEEPEST = 3
EDGE_NAMES = tuple(EDGES)
# Ordinary values of each leaf type.
ORDINARY: dict[str, tuple[Any, ...]] = {
    "String": ("", "s1", "zwölf", "s1"),
    "Int": (0, 1, 7, -3, 2**31 - 1),
    "ID": ("a", 5, "id-7", 0),
    "Float": (1.5, 2, -0.25, 0.0),
    "Boolean": (True, False),
    "Colour": (0, "g", 2, 1.5),
    "LevelMember": tuple(Level),
    "Unhashable": ([1], {1}, 1),
    "Odd": (1, 3, 9),
    "Any": ("any", 4, {"a": [1, None]}, 1.5),
    "Mood": tuple(Mood),
    "Date": (EDGES["date"](),),
    "Word": tuple(Word),
}


CONTAINERS: tuple[Callable[[list[Any]], Any], ...] = (tuple, deque, iter)


@dataclass(frozen=True)
class Temper:
    """How a world behaves: shares of failures, of edge values, and of awaitable answers."""

    failures: float
    edges: float
    awaits: float

    @property
    def kind(self) -> str:
        return "awaiting" if self.awaits else "immediate"


class Mapped(Mapping[str, Any]):
    """A source that is a mapping, but no dict."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return "Mapped()"


class Thing:
    """A source with attributes, of whatever type."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


# A class of its own for each object type.
CLASSES: dict[str, type[Thing]] = {
    f"T{number}": type(f"Thing{number}", (Thing,), {}) for number in range(4)
}


class Failing(Thing):
    """A source one of whose attributes fails when it is read."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if type(value) is _Failure:
            raise AttributeError(value.words) if value.missing else ValueError(value.words)
        return value


@dataclass
class _Failure:
    words: str
    missing: bool


def kind_of(value: Any) -> Any:
    """The name of the type that a source says it is."""
    return value.get("kind") if isinstance(value, Mapping) else getattr(value, "kind", None)


class Values:
    """Draws values for one world. `plain` names the fields that a source holds itself."""

    def __init__(self, seed: int, temper: Temper, plain: set[tuple[str, str]]) -> None:
        self._seed = seed
        self._temper = temper
        self._plain = plain
        self.schema: GraphQLSchema

    def of(self, output: GraphQLOutputType, place: Place, depth: int) -> Any:
        """A value for a type, wrong at times."""
        dice = Dice(self._seed, place)
        required = isinstance(output, GraphQLNonNull)
        if dice.chance(self._temper.failures if required else 0.08):
            return dice.pick((None, None, Undefined))
        if dice.chance(self._temper.failures):
            return self._failure(dice, place)
        inner = output.of_type if isinstance(output, GraphQLNonNull) else output
        if isinstance(inner, GraphQLList):
            return self._several(inner.of_type, place, depth, dice)
        if isinstance(inner, GraphQLScalarType | GraphQLEnumType):
            return self._leaf(inner, dice)
        return self._composite(inner, place, depth, dice)

    def _failure(self, dice: Dice, place: Place) -> Exception:
        words = f"given as a value at {place}"
        return dice.pick((RuntimeError(words), GraphQLError(words, extensions={"code": "GIVEN"})))

    def _leaf(self, leaf: GraphQLScalarType | GraphQLEnumType, dice: Dice) -> Any:
        if dice.chance(self._temper.edges):
            return EDGES[dice.pick(EDGE_NAMES)]()
        return dice.pick(ORDINARY[leaf.name])

    def _several(self, item: GraphQLOutputType, place: Place, depth: int, dice: Dice) -> Any:
        if dice.chance(self._temper.failures / 2):
            return dice.pick(("text", 5, {"a": 1}, {}))
        awaits = self._temper.awaits if dice.chance(0.3) else 0
        items = [
            self._perhaps_later(self.of(item, (*place, index), depth), (*place, index), awaits)
            for index in range(dice.between(0, 3))
        ]
        breaks = dice.chance(self._temper.failures)
        if self._temper.awaits and dice.chance(0.1):
            return Stream(items, breaks, place)
        return self._container(items, breaks, place, dice)

    def _container(self, items: list[Any], breaks: bool, place: Place, dice: Dice) -> Any:
        if place[0] == "loaded":  # may stand in several places, so it must not be spent
            return items
        if breaks or dice.chance(0.05):
            return _one_by_one(items, breaks, place)
        if dice.chance(0.2):
            return dice.pick(CONTAINERS)(items)
        return items

    def _perhaps_later(self, value: Any, place: Place, share: float) -> Any:
        dice = Dice(self._seed, place, "later")
        if not dice.chance(share):
            return value
        ticks = dice.below(4)
        fails = dice.chance(self._temper.failures)
        return Later(lambda: after(ticks, lambda: _fail(place) if fails else value))

    def _composite(self, output: Any, place: Place, depth: int, dice: Dice) -> Any:
        possible = self.schema.get_possible_types(output) if is_abstract_type(output) else (output,)
        if not possible:
            return None
        return self.source(dice.pick(possible), place, depth + 1)

    def source(self, output: GraphQLObjectType, place: Place, depth: int = 0) -> Any:
        """A source of an object type, holding its plain fields."""
        dice = Dice(self._seed, place, "source")
        values: dict[str, Any] = {
            name: self._held(field.type, (*place, name), depth)
            for name, field in output.fields.items()
            if (output.name, name) in self._plain and depth <= DEEPEST
        }
        name: Any = output.name
        if dice.chance(self._temper.failures / 2):
            name = dice.pick(("T0", "T1", "I0", "Nope", 7, None, ""))
        elif dice.chance(0.1):
            name = TextKind(name)
        return self._built(name, output.name, values, dice)

    def _built(self, name: Any, real: str, values: dict[str, Any], dice: Dice) -> Any:
        form = dice.below(5)
        if form < 2:
            values |= {"__typename": name, "kind": name}
            return Mapped(values) if form else values
        built: type[Thing] = Thing
        if form == 3:
            built = CLASSES.get(real, Thing)
        elif form == 4 and dice.chance(self._temper.failures * 4):
            built = Failing
            if values:
                values[dice.pick(tuple(values))] = _Failure("not readable", dice.chance(0.3))
        values |= {f"_{built.__name__}__typename": name, "kind": name}
        return built(values)

    def _held(self, output: GraphQLOutputType, place: Place, depth: int) -> Any:
        dice = Dice(self._seed, place, "held")
        value = self._perhaps_later(self.of(output, place, depth), place, self._temper.awaits / 6)
        if dice.chance(0.06):
            return _method(value, self._temper.failures, dice)
        return value


def _method(value: Any, failures: float, dice: Dice) -> Callable[..., Any]:
    fails = dice.chance(failures)

    def method(info: Any, **arguments: Any) -> Any:
        info.context.calls[f"{info.path.as_list()} {sorted(arguments.items())!r}"] += 1
        return _fail(tuple(info.path.as_list())) if fails else value

    return method


def _fail(place: Place) -> Any:
    raise LookupError(f"failed at {place}")


def _one_by_one(items: list[Any], breaks: bool, place: Place) -> Iterator[Any]:
    yield from items
    if breaks:
        _fail((*place, "in the middle"))


class Stream:
    """An asynchronous iterable, from its beginning each time."""

    def __init__(self, items: list[Any], breaks: bool, place: Place) -> None:
        self._items, self._breaks, self._place = items, breaks, place

    async def __aiter__(self) -> AsyncIterator[Any]:
        for item in self._items:
            yield item
        if self._breaks:
            _fail((*self._place, "in the middle"))

    def __repr__(self) -> str:
        return "Stream()"
