"""What a document selects for one runtime type, merged: response key by response key.

The walk is that of execution (GraphQL spec 6.3.2, CollectFields), with conditions kept instead of
decided. Documents must be valid for the schema they are read with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, cast

from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    InlineFragmentNode,
    NamedTypeNode,
    Node,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_composite_type,
    print_ast,
)
from graphql.type import GraphQLCompositeType

from persisted_queries.conditions import (
    ALWAYS,
    CONDITIONAL,
    NEVER,
    Condition,
    both,
    condition_of,
    either,
)

TYPENAME = "__typename"


class Part(NamedTuple):
    """A selection set that is merged with others, and when it counts. `marks` are the directives
    around it that are no conditions (@defer), as printed."""

    selections: SelectionSetNode
    condition: Condition
    marks: frozenset[str]


@dataclass(slots=True)
class Key:
    """One response key of a runtime type: the field behind it with its arguments as printed, when
    it is there, the marks of each place that asks for it, and the parts below."""

    name: str
    arguments: str
    type: GraphQLOutputType
    condition: Condition = NEVER
    marks: set[frozenset[str]] = field(default_factory=set)
    parts: list[Part] = field(default_factory=list)

    @property
    def source(self) -> tuple[str, str]:
        return self.name, self.arguments

    @property
    def named(self) -> GraphQLCompositeType | None:
        """The type of what is below; None for a leaf."""
        named = get_named_type(self.type)
        return named if is_composite_type(named) else None


@dataclass(frozen=True, slots=True)
class Reading:
    """One operation of a valid document, read with a schema. `constants` as in `condition_of`."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    constants: Mapping[str, object]

    def root(self) -> tuple[GraphQLObjectType, list[Part]]:
        """The operation's root type and what it selects there."""
        # A valid operation has a root type.
        found = cast("GraphQLObjectType", self.schema.get_root_type(self.operation.operation))
        return found, [Part(self.operation.selection_set, ALWAYS, frozenset())]

    def possible(self, declared: GraphQLCompositeType) -> dict[str, GraphQLObjectType]:
        """The runtime types behind a declared one, by name."""
        if isinstance(declared, GraphQLObjectType):
            return {declared.name: declared}
        return {one.name: one for one in self.schema.get_possible_types(declared)}

    def keys(self, runtime: GraphQLObjectType, parts: Sequence[Part]) -> dict[str, Key]:
        """The response keys for values of a runtime type, in the order of the answer. Raises
        UndecidedError."""
        found: dict[str, Key] = {}
        for part in parts:
            for node, condition, marks in self._fields(runtime, part):
                name = node.alias.value if node.alias else node.name.value
                key = found.get(name)
                if key is None:
                    key = found[name] = self._key(runtime, node)
                key.condition = either(key.condition, condition)
                key.marks.add(marks | marks_of(node))
                if node.selection_set is not None:
                    below = Part(node.selection_set, condition, marks | marks_of(node))
                    key.parts.append(below)
        return {name: key for name, key in found.items() if key.condition != NEVER}

    def _key(self, runtime: GraphQLObjectType, node: FieldNode) -> Key:
        definition = self.schema.get_field(runtime, node.name.value)
        if definition is None:
            raise LookupError(f"{runtime.name} has no field {node.name.value}: validate first")
        arguments = sorted(print_ast(argument) for argument in node.arguments or ())
        return Key(node.name.value, ", ".join(arguments), definition.type)

    def _fields(
        self, runtime: GraphQLObjectType, part: Part
    ) -> Iterator[tuple[FieldNode, Condition, frozenset[str]]]:
        for node in part.selections.selections:
            condition = both(part.condition, condition_of(node, self.constants))
            if condition == NEVER:
                continue
            if isinstance(node, FieldNode):
                yield node, condition, part.marks
            elif isinstance(node, InlineFragmentNode):
                if self._applies(runtime, node.type_condition):
                    marks = part.marks | marks_of(node)
                    yield from self._fields(runtime, Part(node.selection_set, condition, marks))
            elif isinstance(node, FragmentSpreadNode):
                spread = self.fragments[node.name.value]
                if self._applies(runtime, spread.type_condition):
                    marks = part.marks | marks_of(node) | marks_of(spread)
                    yield from self._fields(runtime, Part(spread.selection_set, condition, marks))

    def _applies(self, runtime: GraphQLObjectType, condition: NamedTypeNode | None) -> bool:
        if condition is None:
            return True
        named = self.schema.get_type(condition.name.value)
        if named is None or not is_composite_type(named):
            return False
        return runtime.name in self.possible(named)


def read(schema: GraphQLSchema, document: DocumentNode, constants: Mapping[str, object]) -> Reading:
    """A document of one operation. Raises ValueError for any other number."""
    definitions = document.definitions
    (operation,) = (node for node in definitions if isinstance(node, OperationDefinitionNode))
    fragments = {
        node.name.value: node for node in definitions if isinstance(node, FragmentDefinitionNode)
    }
    return Reading(schema, operation, fragments, constants)


def marks_of(node: Node) -> frozenset[str]:
    """The directives on a node that are no conditions, as printed."""
    return frozenset(
        print_ast(directive)
        for directive in getattr(node, "directives", None) or ()
        if directive.name.value not in CONDITIONAL
    )
