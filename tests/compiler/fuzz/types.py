"""A random schema: objects, interfaces, unions, leaf types, lists of lists, arguments, mutations.

Only its shape is decided here; what resolvers and sources give is `sources.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLFloat,
    GraphQLID,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInt,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedOutputType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    GraphQLString,
    GraphQLUnionType,
)

from tests.compiler.fuzz.dice import Dice
from tests.compiler.leaves import LEAVES

Resolvers = Callable[[str, str, GraphQLOutputType], Callable[..., Any] | None]
TypeTests = Callable[[str], Callable[..., Any] | None]

OWN_LEAVES = ("own Colour", "own LevelMember", "own Unhashable", "own Odd", "own Any")
FROM_STRAWBERRY = ("strawberry Mood", "strawberry Date", "strawberry Word")
LEAF_TYPES: list[GraphQLNamedOutputType] = [
    *(GraphQLString, GraphQLInt, GraphQLID, GraphQLFloat, GraphQLBoolean),
    *(GraphQLString, GraphQLInt, GraphQLID),
    *(LEAVES[name] for name in (*OWN_LEAVES, *FROM_STRAWBERRY)),
]
SHADE = GraphQLEnumType("Shade", {"DARK": 1, "PALE": "pale"})
FILTER: GraphQLInputObjectType = GraphQLInputObjectType(
    "Filter",
    lambda: {
        "text": GraphQLInputField(GraphQLString, default_value="t"),
        "limit": GraphQLInputField(GraphQLNonNull(GraphQLInt)),
        "tags": GraphQLInputField(GraphQLList(GraphQLNonNull(GraphQLString))),
        "shade": GraphQLInputField(SHADE),
        "inner": GraphQLInputField(FILTER),
    },
)
ARGUMENTS = {
    "count": GraphQLArgument(GraphQLInt, default_value=3),
    "word": GraphQLArgument(GraphQLString),
    "must": GraphQLArgument(GraphQLNonNull(GraphQLBoolean), default_value=True),
    "ids": GraphQLArgument(GraphQLList(GraphQLID)),
    "shade": GraphQLArgument(SHADE, default_value=1),
    "filter": GraphQLArgument(FILTER, out_name="chosen"),
}


class Shape:
    """Draws a schema. `resolver` and the type tests are asked for what is not shape."""

    def __init__(
        self, seed: int, resolver: Resolvers, is_type_of: TypeTests, resolve_type: TypeTests
    ) -> None:
        self.seed = seed
        self.dice = Dice(seed, "schema")
        self._resolver = resolver
        self._is_type_of = is_type_of
        self._resolve_type = resolve_type
        self.interfaces: list[GraphQLInterfaceType] = []
        for number in range(self.dice.between(1, 2)):
            self.interfaces.append(self._interface(number))
        self.objects = [self._object(number) for number in range(self.dice.between(2, 4))]
        self.unions = [self._union(number) for number in range(self.dice.between(1, 2))]
        query = self._root("Query", "q")
        self.schema = GraphQLSchema(query, self._root("Mutation", "m"), types=self.objects)

    def _interface(self, number: int) -> GraphQLInterfaceType:
        name = f"I{number}"
        parents = list(self.interfaces) if number and self.dice.chance(0.5) else []
        resolve_type = self._resolve_type(name)
        return GraphQLInterfaceType(
            name, lambda: self._shared(name), parents, resolve_type=resolve_type
        )

    def _object(self, number: int) -> GraphQLObjectType:
        name = f"T{number}"
        least = 1 if number < 2 else 0
        kept = self.dice.some(self.interfaces, least, len(self.interfaces))
        chosen = [one for one in self.interfaces if one in kept or self._needed(one, kept)]
        return GraphQLObjectType(
            name, lambda: self._fields(name, chosen), chosen, self._is_type_of(name)
        )

    def _needed(self, one: GraphQLInterfaceType, kept: list[GraphQLInterfaceType]) -> bool:
        return any(one in child.interfaces for child in kept)

    def _union(self, number: int) -> GraphQLUnionType:
        name = f"U{number}"
        members = self.dice.some(self.objects, 1, len(self.objects))
        return GraphQLUnionType(name, members, resolve_type=self._resolve_type(name))

    def _root(self, name: str, prefix: str) -> GraphQLObjectType:
        return GraphQLObjectType(name, lambda: self._own(name, prefix, 3, 6))

    def _shared(self, interface: str) -> dict[str, GraphQLField]:
        """What an interface asks of its objects, and what the interfaces it implements ask."""
        dice = Dice(self.seed, interface, "shared")
        found: dict[str, GraphQLField] = {}
        if interface == "I1" and self.interfaces[0] in self.interfaces[1].interfaces:
            found |= self._shared("I0")
        found[f"{interface.lower()}leaf"] = GraphQLField(dice.pick(LEAF_TYPES))
        found[f"{interface.lower()}peer"] = GraphQLField(self.interfaces[0])
        return found

    def _fields(self, name: str, of: list[GraphQLInterfaceType]) -> dict[str, GraphQLField]:
        fields = self._own(name, f"{name.lower()}f", 2, 5)
        for interface in of:
            for key, field in interface.fields.items():
                stricter = Dice(self.seed, name, key).chance(0.08)
                output = GraphQLNonNull(field.type) if stricter else field.type
                resolve = self._resolver(name, key, output)
                fields[key] = GraphQLField(output, resolve=resolve)
        return fields

    def _own(self, name: str, prefix: str, least: int, most: int) -> dict[str, GraphQLField]:
        fields = {}
        for number in range(self.dice.between(least, most)):
            key = f"{prefix}{number}"
            output = self._output()
            arguments = self.dice.some(list(ARGUMENTS), 1, 3) if self.dice.chance(0.3) else []
            fields[key] = GraphQLField(
                output,
                {one: ARGUMENTS[one] for one in arguments},
                resolve=self._resolver(name, key, output),
            )
        return fields

    def _output(self) -> GraphQLOutputType:
        named: list[GraphQLNamedOutputType] = (
            LEAF_TYPES
            if self.dice.chance(0.55)
            else [*self.objects, *self.interfaces, *self.unions]
        )
        output: Any = self.dice.pick(named)
        for _ in range(self.dice.pick((0, 0, 0, 1, 1, 2))):
            inner = GraphQLNonNull(output) if self.dice.chance(0.35) else output
            output = GraphQLList(inner)
        wanted = GraphQLNonNull(output) if self.dice.chance(0.3) else output
        return cast("GraphQLOutputType", wanted)
