"""When a plan may learn what a class is: only where nothing else of a value was asked.

The first value goes the whole way; later ones of its class are taken at a glance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from graphql import GraphQLAbstractType, GraphQLObjectType
from strawberry.types.cast import TYPE_CAST_ATTRIBUTE

from bff.contract import is_record_check

# Strawberry's own functions, known by where they are written.
STRAWBERRY_IS_TYPE_OF = (
    "GraphQLCoreConverter.from_object.<locals>._get_is_type_of.<locals>.is_type_of"
)
STRAWBERRY_RESOLVE_TYPE = (
    "StrawberryUnion.get_type_resolver.<locals>._resolve_union_type",
    "GraphQLCoreConverter.from_interface.<locals>._get_resolve_type.<locals>.resolve_type",
)


def asks_class_only(is_type_of: Callable[..., Any] | None) -> bool:
    """Whether nothing but the class of a record decides that it is of a type: no check at all, the
    one `@record` makes, or Strawberry's."""
    if is_type_of is None or is_record_check(is_type_of):
        return True
    return getattr(is_type_of, "__qualname__", "") == STRAWBERRY_IS_TYPE_OF


def decides_by_class(declared: GraphQLAbstractType, types: Iterable[GraphQLObjectType]) -> bool:
    """Whether the type of a record in this union or interface follows from its class."""
    resolve = getattr(declared.resolve_type, "__qualname__", "")
    return resolve in STRAWBERRY_RESOLVE_TYPE and all(
        one.is_type_of is not None and asks_class_only(one.is_type_of) for one in types
    )


def is_record(value: Any) -> bool:
    """A struct that no mark can be put on (`strawberry.cast`), or that is anything else besides."""
    kind = type(value)
    return (
        issubclass(kind, msgspec.Struct) and not hasattr(value, "__dict__") and not _is_more(kind)
    )


def is_plain(value: Any) -> bool:
    """A value whose class is neither raised, awaited nor called, and answers for all alike."""
    return not _is_more(type(value))


def _is_more(kind: type) -> bool:
    return (
        issubclass(kind, BaseException)
        or hasattr(kind, "__await__")
        or hasattr(kind, "__getattr__")
        or hasattr(kind, TYPE_CAST_ATTRIBUTE)
        or any("__call__" in vars(one) for one in kind.__mro__)
    )
