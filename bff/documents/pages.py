"""How many times what is below a field may be answered, as the schema tells before anything ran;
who is refused for it is the limits' matter.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeGuard

from graphql import (
    FieldNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLObjectType,
    GraphQLSchema,
    IntValueNode,
    NullValueNode,
    Undefined,
    ValueNode,
    VariableNode,
    get_named_type,
    get_nullable_type,
    is_abstract_type,
    is_leaf_type,
    is_list_type,
)
from graphql.utilities.coerce_input_value import coerce_default_value

PAGE_SIZES = frozenset({"first", "last", "limit", "pageSize"})
# A page size known at run time only counts as the largest there is.
ASSUMED_PAGE = 50
# Lists of objects have no size before they are there.
ASSUMED_LIST = 10
# No need to know by how much it is too large.
CEILING = 10**9


class Pages:
    """What a schema says of lists; one object a schema.

    The sizes: a page argument as given, else its default in the schema; given as a variable or as
    null, `ASSUMED_PAGE`; `ASSUMED_LIST` for a list of objects without any. A page type (one that
    only paged fields answer: a connection) was counted with its page: its own lists are that page,
    and do not count again.
    """

    def __init__(self, schema: GraphQLSchema) -> None:
        self._schema = schema
        self._page_types = _page_types(schema)

    def field(self, parent: GraphQLNamedType | None, name: str) -> GraphQLField | None:
        """The definition of a field; None for meta fields and for what is not valid."""
        return parent.fields.get(name) if _has_fields(parent) else None

    def named(self, name: str) -> GraphQLNamedType | None:
        """The type of a fragment's condition."""
        return self._schema.get_type(name)

    def times(
        self, parent: GraphQLNamedType | None, field: GraphQLField | None, node: FieldNode
    ) -> int:
        """How many answers below one field, at least 1, at most `CEILING`."""
        sizes = list(_sizes(field, node))
        if sizes:
            return min(CEILING, max(1, *sizes))
        if field is None or is_leaf_type(get_named_type(field.type)):
            return 1
        if _is_paged(field):
            return ASSUMED_LIST
        if parent is not None and parent.name in self._page_types:
            return 1
        return ASSUMED_LIST if _is_list(field) else 1


def _sizes(field: GraphQLField | None, node: FieldNode) -> Iterator[int]:
    """Every size there is: two page arguments of a field count as the larger."""
    given = {argument.name.value: argument.value for argument in node.arguments or ()}
    for name, value in given.items():
        if name in PAGE_SIZES:
            yield _given(value)
    for name, declared in field.args.items() if field is not None else ():
        # A variable may turn out not to be sent: then the default is what counts.
        if name in PAGE_SIZES and not isinstance(given.get(name), IntValueNode):
            default = coerce_default_value(declared)
            if default is not Undefined and isinstance(default, int):
                yield default


def _given(value: ValueNode) -> int:
    if isinstance(value, IntValueNode):
        digits = value.value
        return int(digits) if len(digits) < len(str(CEILING)) else CEILING
    return ASSUMED_PAGE if isinstance(value, VariableNode | NullValueNode) else 1


def _page_types(schema: GraphQLSchema) -> frozenset[str]:
    paged: set[str] = set()
    plain = {root.name for root in (schema.query_type, schema.mutation_type) if root is not None}
    for parent in schema.type_map.values():
        for field in parent.fields.values() if _has_fields(parent) else ():
            target = get_named_type(field.type)
            names = {target.name}
            if is_abstract_type(target):
                names.update(one.name for one in schema.get_possible_types(target))
            (paged if _is_paged(field) and not _is_list(field) else plain).update(names)
    return frozenset(paged - plain)


def _has_fields(
    found: GraphQLNamedType | None,
) -> TypeGuard[GraphQLObjectType | GraphQLInterfaceType]:
    return isinstance(found, GraphQLObjectType | GraphQLInterfaceType)


def _is_paged(field: GraphQLField) -> bool:
    return not PAGE_SIZES.isdisjoint(field.args)


def _is_list(field: GraphQLField) -> bool:
    return is_list_type(get_nullable_type(field.type))
