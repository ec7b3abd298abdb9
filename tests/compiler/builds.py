"""App builds with an older schema: what they know, and a decoder that crashes on what they do not.

The decoder is as strict as generated code can be: an unknown member of an enum, an unknown type, a
null where none may be, or a key that is missing ends it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphql import (
    DocumentNode,
    EnumTypeDefinitionNode,
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    NamedTypeNode,
    ObjectTypeDefinitionNode,
    OperationDefinitionNode,
    UnionTypeDefinitionNode,
    Visitor,
    build_ast_schema,
    is_abstract_type,
    is_leaf_type,
    parse,
    print_schema,
    visit,
)
from graphql.execution.collect_fields import FragmentDetails, collect_fields, collect_subfields
from graphql.execution.values import get_variable_values

from bff.fence import Fence, fence, unknown_to
from tests.compiler.fuzz.dice import Dice


class Crash(Exception):
    """The app would have crashed here."""


def older(schema: GraphQLSchema, dice: Dice) -> GraphQLSchema:
    """The schema before some members were added to its enums, and some types to its unions and
    interfaces."""
    text = print_schema(schema)
    return build_ast_schema(visit(parse(text), _Older(dice, text)), assume_valid_sdl=True)


class _Older(Visitor):
    def __init__(self, dice: Dice, text: str) -> None:
        super().__init__()
        self._dice = dice
        self._text = text

    def leave_enum_type_definition(self, node: EnumTypeDefinitionNode, *_: Any) -> Any:
        # What stands as a default cannot be missing.
        kept = [
            one
            for one in node.values or ()
            if f"= {one.name.value}" in self._text or self._dice.chance(0.6)
        ]
        return _with(node, values=tuple(kept or (node.values or ())[:1]))

    def leave_union_type_definition(self, node: UnionTypeDefinitionNode, *_: Any) -> Any:
        kept = [one for one in node.types or () if self._dice.chance(0.6)]
        return _with(node, types=tuple(kept or (node.types or ())[:1]))

    def leave_object_type_definition(self, node: ObjectTypeDefinitionNode, *_: Any) -> Any:
        above: list[NamedTypeNode] = list(node.interfaces or ())
        return _with(node, interfaces=() if above and self._dice.chance(0.4) else tuple(above))


def _with(node: Any, **parts: Any) -> Any:
    return type(node)(**{key: getattr(node, key) for key in node.keys} | parts)


def fence_of(built: GraphQLSchema, schema: GraphQLSchema, dice: Dice) -> Fence:
    """What a build of an older schema must not be sent; it lacks some capabilities, too, and some
    fields are in a brown-out."""
    optional = [
        f"{name}.{field}"
        for name, kind in schema.type_map.items()
        if isinstance(kind, GraphQLObjectType) and not name.startswith("__")
        for field, definition in kind.fields.items()
        if not isinstance(definition.type, GraphQLNonNull)
    ]
    absent = [one for one in optional if dice.chance(0.04)]
    brownouts = [one for one in optional if dice.chance(0.04)]
    return fence(*unknown_to(built, schema), absent, brownouts)


class Decoder:
    """Decodes answers to one document by the schema a build was generated from."""

    def __init__(
        self, built: GraphQLSchema, document: DocumentNode, variables: Mapping[str, Any]
    ) -> None:
        operation = document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        values = get_variable_values(built, operation.variable_definitions or (), dict(variables))
        assert not isinstance(values, list), values
        self._built = built
        self._operation = operation
        self._values = values
        self._fragments = {
            node.name.value: FragmentDetails(node)
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def decode(self, data: Any) -> None:
        """Raises Crash."""
        if data is None:
            return
        root = self._built.get_root_type(self._operation.operation)
        assert root is not None
        found = collect_fields(self._built, self._fragments, self._values, root, self._operation)
        self._object(root, found.grouped_field_set, data)

    def _object(self, kind: GraphQLObjectType, fields: Any, data: Any) -> None:
        if set(data) != set(fields):
            raise Crash(f"{kind} has {sorted(data)}, not {sorted(fields)}")
        for key, details in fields.items():
            definition = self._built.get_field(kind, details[0].node.name.value)
            assert definition is not None
            self._value(definition.type, details, data[key], f"{kind}.{key}")

    def _value(self, declared: Any, details: Any, value: Any, where: str) -> None:
        if isinstance(declared, GraphQLNonNull):
            if value is None:
                raise Crash(f"null at {where}")
            declared = declared.of_type
        if value is None:
            return
        if isinstance(declared, GraphQLList):
            for item in value:
                self._value(declared.of_type, details, item, where)
        elif is_leaf_type(declared):
            if isinstance(declared, GraphQLEnumType) and value not in declared.values:
                raise Crash(f"{value!r} at {where} is no {declared}")
        else:
            self._composite(declared, details, value, where)

    def _composite(self, declared: Any, details: Any, value: Any, where: str) -> None:
        kind = self._built.get_type(value["__typename"])
        possible = self._built.get_possible_types(declared) if is_abstract_type(declared) else ()
        if not isinstance(kind, GraphQLObjectType) or (
            kind is not declared and kind not in possible
        ):
            raise Crash(f"{value['__typename']} at {where} is no {declared}")
        found = collect_subfields(
            self._built, self._fragments, self._values, self._operation, kind, details
        )
        self._object(kind, found.grouped_field_set, value)
