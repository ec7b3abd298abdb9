"""Every small change of a schema that one hand might make, as SDL; for tests of what changes do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from graphql import (
    ConstDirectiveNode,
    DefinitionNode,
    DocumentNode,
    EnumTypeDefinitionNode,
    EnumValueDefinitionNode,
    FieldDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    InputObjectTypeDefinitionNode,
    InputValueDefinitionNode,
    InterfaceTypeDefinitionNode,
    IntValueNode,
    ListTypeNode,
    NamedTypeNode,
    NameNode,
    NonNullTypeNode,
    ObjectTypeDefinitionNode,
    TypeNode,
    UnionTypeDefinitionNode,
    assert_valid_schema,
    build_ast_schema,
    parse,
)

INT = NamedTypeNode(name=NameNode(value="Int"))


def mutations(sdl: str) -> Iterator[tuple[str, DocumentNode]]:
    """Every SDL one change away, valid or not, with the change's name."""
    document = parse(sdl)
    for place, definition in enumerate(document.definitions):
        for name, changed in _of(definition):
            nodes = list(document.definitions)
            nodes[place : place + 1] = [changed] if changed is not None else []
            yield name, DocumentNode(definitions=tuple(nodes))


def built(document: DocumentNode) -> GraphQLSchema | None:
    """The schema, None where the change leaves none that is valid."""
    try:
        schema = build_ast_schema(document)
        assert_valid_schema(schema)
    except (GraphQLError, TypeError):
        return None
    return schema


def _of(node: DefinitionNode) -> Iterator[tuple[str, DefinitionNode | None]]:
    named = getattr(node, "name", None)
    if named is None:
        return
    name = named.value
    if isinstance(node, ObjectTypeDefinitionNode | InterfaceTypeDefinitionNode):
        for told, fields in _members(node.fields, _field):
            yield f"{name}.{told}", replace(node, fields=fields)
        for told, interfaces in _members(node.interfaces):
            yield f"{name} implements {told}", replace(node, interfaces=interfaces)
    elif isinstance(node, EnumTypeDefinitionNode):
        for told, values in _members(node.values):
            yield f"{name}.{told}", replace(node, values=values)
        member = EnumValueDefinitionNode(name=NameNode(value="QUITE_NEW"), directives=())
        yield f"{name} gains a member", replace(node, values=(*(node.values or ()), member))
    elif isinstance(node, UnionTypeDefinitionNode):
        for told, types in _members(node.types):
            yield f"{name} | {told}", replace(node, types=types)
    elif isinstance(node, InputObjectTypeDefinitionNode):
        yield from _of_input(name, node)
    yield f"{name} removed", None


def _of_input(
    name: str, node: InputObjectTypeDefinitionNode
) -> Iterator[tuple[str, DefinitionNode]]:
    for told, fields in _members(node.fields, _given):
        yield f"{name}.{told}", replace(node, fields=fields)
    for told, extra in _extra_given():
        yield f"{name} gains {told}", replace(node, fields=(*(node.fields or ()), extra))
    one_of = ConstDirectiveNode(name=NameNode(value="oneOf"), arguments=())
    yield f"{name} one of", replace(node, directives=(*(node.directives or ()), one_of))


def _members(members: Any, changed: Any = lambda _: ()) -> Iterator[tuple[str, tuple[Any, ...]]]:
    """Each member left out, and each changed in every way `changed` knows."""
    members = members or ()
    for place, member in enumerate(members):
        before, after = members[:place], members[place + 1 :]
        name = member.name.value
        yield f"{name} removed", (*before, *after)
        for told, other in changed(member):
            yield f"{name} {told}", (*before, other, *after)


def _field(node: FieldDefinitionNode) -> Iterator[tuple[str, FieldDefinitionNode]]:
    for told, wrapped in _retyped(node.type):
        yield told, replace(node, type=wrapped)
    for told, arguments in _members(node.arguments, _given):
        yield f"({told})", replace(node, arguments=arguments)
    for told, argument in _extra_given():
        yield f"gains {told}", replace(node, arguments=(*(node.arguments or ()), argument))


def _given(node: InputValueDefinitionNode) -> Iterator[tuple[str, InputValueDefinitionNode]]:
    for told, wrapped in _retyped(node.type):
        yield told, replace(node, type=wrapped)
    if node.default_value is not None:
        yield "loses its default", replace(node, default_value=None)
    if isinstance(node.default_value, IntValueNode):
        yield "other default", replace(node, default_value=IntValueNode(value="17"))


def _extra_given() -> Iterator[tuple[str, InputValueDefinitionNode]]:
    for told, wrapped in (("required", NonNullTypeNode(type=INT)), ("optional", INT)):
        name = NameNode(value="quiteNew")
        yield told, InputValueDefinitionNode(name=name, type=wrapped, directives=())


def _retyped(node: Any) -> Iterator[tuple[str, TypeNode]]:
    if isinstance(node, NonNullTypeNode):
        yield "nullable", node.type
        inner: Any = node.type
    else:
        yield "non-null", NonNullTypeNode(type=node)
        inner = node
    if isinstance(inner, ListTypeNode):
        item: Any = inner.type
        other: Any = item.type if isinstance(item, NonNullTypeNode) else NonNullTypeNode(type=item)
        yield "other items", ListTypeNode(type=other)
    else:
        yield "listed", ListTypeNode(type=inner)
    if getattr(getattr(inner, "name", None), "value", "") != "Int":
        yield "Int", INT
