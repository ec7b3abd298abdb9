"""Valid operations of any schema, made from a seed: as many as a test asks for, no two alike."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from graphql import (
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    get_named_type,
    is_leaf_type,
    is_required_argument,
)

TOKENS = range(100, 401)
DEEPEST = 9
# Objects are met more often than they are followed, or every document would be one deep path.
FOLLOWED = 0.7


def operations(
    schema: GraphQLSchema, count: int, tokens: range = TOKENS, seed: int = 1
) -> Iterator[str]:
    """`count` valid queries, each under a name of its own, of about as many tokens as is
    drawn from `tokens`."""
    chance = random.Random(seed)
    for number in range(count):
        yield _Writer(schema, chance, chance.choice(tokens)).query(f"Screen{number}")


@dataclass
class _Writer:
    """Writes one query; `left` is about how many tokens it may still use."""

    schema: GraphQLSchema
    chance: random.Random
    left: int
    variables: list[str] = field(default_factory=list)
    responses: int = 0

    def query(self, name: str) -> str:
        root = self.schema.query_type
        if root is None:
            raise ValueError("the schema has no query type")
        selections = ""
        while self.left > 0:
            for one, definition in self._shuffled(root):
                selections += self._field(one, definition, 1)
        declared = f"({', '.join(self.variables)})" if self.variables else ""
        return f"query {name}{declared} {{{selections} }}"

    def _shuffled(
        self, parent: GraphQLObjectType | GraphQLInterfaceType
    ) -> list[tuple[str, GraphQLField]]:
        fields = list(parent.fields.items())
        self.chance.shuffle(fields)
        return fields

    def _field(self, name: str, definition: GraphQLField, depth: int) -> str:
        """One field under a response key of its own, so that no two can ever disagree."""
        target = get_named_type(definition.type)
        if not is_leaf_type(target) and (depth > DEEPEST or self.left < 0):
            return ""
        self.responses += 1
        self.left -= 3
        text = f" r{self.responses}: {name}{self._arguments(definition)}"
        return (
            text if is_leaf_type(target) else f"{text} {{ __typename{self._below(target, depth)} }}"
        )

    def _below(self, target: GraphQLNamedType, depth: int) -> str:
        self.left -= 3
        if isinstance(target, GraphQLUnionType):
            return "".join(
                f" ... on {one.name} {{ __typename{self._below(one, depth + 1)} }}"
                for one in target.types
            )
        if not isinstance(target, GraphQLObjectType | GraphQLInterfaceType):
            return ""
        return "".join(
            self._field(name, definition, depth + 1)
            for name, definition in self._shuffled(target)
            if self.chance.random() < FOLLOWED
        )

    def _arguments(self, definition: GraphQLField) -> str:
        given = []
        for name, argument in definition.args.items():
            if is_required_argument(argument) or self.chance.random() < 0.2:
                self.variables.append(f"$v{len(self.variables)}: {argument.type}")
                given.append(f"{name}: $v{len(self.variables) - 1}")
        self.left -= 9 * len(given)
        return f"({', '.join(given)})" if given else ""
