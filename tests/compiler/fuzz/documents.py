"""Random valid documents for any schema, and variables for them.

Fields are merged, aliased and skipped; fragments are named, nested and shared; arguments are
literals, variables, or left out. Almost all are valid as they are made; validate before use.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

from graphql import (
    GraphQLArgument,
    GraphQLBoolean,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputField,
    GraphQLInputObjectType,
    GraphQLInputType,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    Undefined,
    get_named_type,
    is_composite_type,
    is_required_argument,
    is_required_input_field,
)

from tests.compiler.fuzz.dice import Dice

DEEPEST = 4
META = '__schema { queryType { name } } __type(name: "T0") { name kind fields { name } }'
# Words that ordinary inputs of each scalar have; those of other scalars are texts.
WORDS: dict[str, tuple[Any, ...]] = {
    "Int": (0, 1, 42, -7),
    "Float": (1.5, 0, -2),
    "String": ("x", "", "two words"),
    "ID": ("id1", 7),
    "Boolean": (True, False),
}
OTHER_WORDS = ("x", "y")


@dataclass(frozen=True)
class Inputs:
    """Draws inputs. `words` are those that each scalar takes, by its name."""

    words: Mapping[str, Sequence[Any]]

    def value(
        self, wanted: GraphQLInputType, dice: Dice, nulls: bool = True, depth: int = 0
    ) -> Any:
        """A value for an input type, as JSON has it."""
        if isinstance(wanted, GraphQLNonNull):
            return self.value(wanted.of_type, dice, False, depth)
        if nulls and dice.chance(0.15):
            return None
        if isinstance(wanted, GraphQLList):
            if dice.chance(0.15):  # one value stands for a list of one
                return self.value(wanted.of_type, dice, False, depth + 1)
            return [self.value(wanted.of_type, dice, True, depth + 1) for _ in range(dice.below(3))]
        if isinstance(wanted, GraphQLInputObjectType):
            return {
                name: self.value(one.type, dice, True, depth + 1)
                for name, one in wanted.fields.items()
                if is_required_input_field(one) or (depth < 3 and dice.chance(0.4))
            }
        if isinstance(wanted, GraphQLEnumType):
            return dice.pick(list(wanted.values))
        return dice.pick(self.words.get(wanted.name, OTHER_WORDS))


@dataclass
class Document:
    """A text whose operation `Asked` is the first, and which variables it declares."""

    text: str
    variables: Mapping[str, _Variable]
    inputs: Inputs

    def assignments(self, dice: Dice) -> dict[str, Any]:
        """Random values that fit; those that may be left out sometimes are."""
        chosen = {}
        for name, variable in self.variables.items():
            optional = variable.default is not None or not _is_required(variable.type)
            if not (optional and dice.chance(0.4)):
                chosen[name] = self.inputs.value(variable.type, dice)
        return chosen


@dataclass(frozen=True)
class _Variable:
    type: GraphQLInputType
    default: str | None

    def declared(self, name: str) -> str:
        default = f" = {self.default}" if self.default is not None else ""
        return f"${name}: {self.type}{default}"


@dataclass
class Writer:
    """Writes documents for a schema."""

    schema: GraphQLSchema
    dice: Dice
    inputs: Inputs = Inputs(WORDS)
    breadth: int = 3
    introspects: bool = True
    _fragments: dict[str, tuple[str, str]] = field(default_factory=dict)
    _variables: dict[str, _Variable] = field(default_factory=dict)
    _open: list[str] = field(default_factory=list)

    def document(self, mutation: bool = False) -> Document:
        root = self.schema.mutation_type if mutation else self.schema.query_type
        assert root is not None
        body = self._selection(root, 0, None)
        if not mutation and self.introspects and self.dice.chance(0.05):
            body = f"{META} {body}"
        declared = ", ".join(one.declared(name) for name, one in self._variables.items())
        head = f"{'mutation' if mutation else 'query'} Asked{f'({declared})' if declared else ''}"
        fragments = [
            f"fragment {name} on {of} {{ {body} }}" for name, (of, body) in self._fragments.items()
        ]
        others = ["query Other { __typename }"] if self.dice.chance(0.2) else []
        text = "\n".join([f"{head} {{ {body} }}", *fragments, *others])
        return Document(text, dict(self._variables), self.inputs)

    def _selection(self, parent: GraphQLNamedType, depth: int, within: str | None) -> str:
        """What is selected of a composite type, without braces."""
        parts: list[str] = []
        if isinstance(parent, GraphQLObjectType | GraphQLInterfaceType):
            most = max(1, self.breadth - depth // 2)
            names = self.dice.some(list(parent.fields), 1, most)
            for name in names:
                parts += self._field(parent, name, depth, within)
        if not isinstance(parent, GraphQLObjectType):
            parts += self._conditions(parent, depth)
        if self.dice.chance(0.3):
            parts.append(self.dice.pick(("__typename", "kind: __typename")))
        if self.dice.chance(0.2):
            parts += self._spread(parent, depth)
        return " ".join(parts) or "__typename"

    def _field(
        self, parent: GraphQLNamedType, name: str, depth: int, within: str | None
    ) -> Iterable[str]:
        """A field, sometimes twice with different selections, which are merged."""
        definition: GraphQLField = parent.fields[name]  # type: ignore[attr-defined]
        target = get_named_type(definition.type)
        if is_composite_type(target) and depth >= DEEPEST:
            return
        head = self._head(parent, name, definition, within)
        for _ in range(2 if self.dice.chance(0.15) else 1):
            below = ""
            if is_composite_type(target):
                below = f" {{ {self._selection(target, depth + 1, None)} }}"
            yield f"{head}{self._condition()}{below}"

    def _head(
        self, parent: GraphQLNamedType, name: str, definition: GraphQLField, within: str | None
    ) -> str:
        """Name, arguments and response key; equal keys always ask for the same."""
        given = self._arguments(definition.args)
        arguments = f"({', '.join(given)})" if given else ""
        alias = f"a{crc32(arguments.encode()) % 100000}_{name}" if arguments else name
        if within is not None and name not in within:
            alias = f"{parent.name}_{alias}"
        if self.dice.chance(0.15):
            alias = f"again_{alias}"
        return f"{name}{arguments}" if alias == name else f"{alias}: {name}{arguments}"

    def _arguments(self, arguments: Mapping[str, GraphQLArgument]) -> list[str]:
        given = []
        for name, argument in arguments.items():
            if is_required_argument(argument) or self.dice.chance(0.5):
                given.append(f"{name}: {self._literal(argument)}")
        return given

    def _literal(self, argument: GraphQLArgument) -> str:
        wanted = argument.type
        if self.dice.chance(0.4):
            return f"${self._variable(wanted, not is_required_argument(argument))}"
        if not isinstance(wanted, GraphQLNonNull) and self.dice.chance(0.1):
            return "null"
        return written(self.inputs.value(wanted, self.dice, nulls=False), wanted)

    def _variable(self, wanted: GraphQLInputType, optional: bool) -> str:
        """A declared one, or a new one; what has a default may be asked for by one that may be
        null (GraphQL spec, All Variable Usages Are Allowed)."""
        if optional and isinstance(wanted, GraphQLNonNull) and self.dice.chance(0.5):
            wanted = wanted.of_type
        same = [name for name, one in self._variables.items() if str(one.type) == str(wanted)]
        if same and self.dice.chance(0.6):
            return self.dice.pick(same)
        default = None
        if self.dice.chance(0.3):
            default = written(self.inputs.value(wanted, self.dice, nulls=False), wanted)
        name = f"v{len(self._variables)}"
        self._variables[name] = _Variable(wanted, default)
        return name

    def _condition(self) -> str:
        """@skip and @include, by a variable mostly."""
        if not self.dice.chance(0.2):
            return ""
        shown = [self.dice.pick(("@skip", "@include"))]
        if self.dice.chance(0.1):
            shown = ["@skip", "@include"]
        return "".join(f" {one}(if: {self._decision()})" for one in shown)

    def _decision(self) -> str:
        if self.dice.chance(0.15):
            return self.dice.pick(("true", "false"))
        name = self.dice.pick(("first", "second", "third"))
        if name == "third":
            self._variables[name] = _Variable(GraphQLBoolean, "true")
        else:
            self._variables[name] = _Variable(GraphQLNonNull(GraphQLBoolean), None)
        return f"${name}"

    def _conditions(self, parent: GraphQLNamedType, depth: int) -> list[str]:
        """Inline fragments for types that an abstract type may turn out to be."""
        assert isinstance(parent, GraphQLInterfaceType | GraphQLUnionType)
        shared = " ".join(getattr(parent, "fields", ()))
        parts = []
        for one in self.dice.some(self.schema.get_possible_types(parent), 0, 3):
            below = self._selection(one, depth + 1, shared)
            parts.append(f"... on {one.name}{self._condition()} {{ {below} }}")
        return parts

    def _spread(self, parent: GraphQLNamedType, depth: int) -> list[str]:
        if self.dice.chance(0.3):
            return [f"...{self._condition()} {{ {self._selection(parent, depth + 1, '')} }}"]
        known = [name for name, (of, _) in self._fragments.items() if of == parent.name]
        if known and self.dice.chance(0.5):
            return [f"...{self.dice.pick(known)}{self._condition()}"]
        if len(self._open) > 2:
            return []
        name = f"F{len(self._fragments) + len(self._open)}"
        self._open.append(name)
        body = self._selection(parent, max(depth, 2) + 1, "")
        self._open.pop()
        self._fragments[name] = (parent.name, body)
        return [f"...{name}{self._condition()}"]


def _is_required(wanted: GraphQLInputType) -> bool:
    return isinstance(wanted, GraphQLNonNull)


def written(value: Any, wanted: GraphQLInputType) -> str:
    """A value as GraphQL writes it."""
    if value is None or value is Undefined:
        return "null"
    inner: Any = wanted.of_type if isinstance(wanted, GraphQLNonNull) else wanted
    if isinstance(inner, GraphQLList):
        if not isinstance(value, list):
            return written(value, inner.of_type)
        return "[" + ", ".join(written(one, inner.of_type) for one in value) + "]"
    if isinstance(inner, GraphQLInputObjectType):
        fields: Mapping[str, GraphQLInputField] = inner.fields
        shown = (f"{name}: {written(one, fields[name].type)}" for name, one in value.items())
        return "{" + ", ".join(shown) + "}"
    return str(value) if isinstance(inner, GraphQLEnumType) else json.dumps(value)
