"""Which record classes are values of a GraphQL type (DESIGN D4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

T = TypeVar("T", bound=type)


def record(*classes: type) -> Callable[[T], T]:
    """Names the record classes that are values of this GraphQL type (DESIGN D4).

    Put it *under* `@strawberry.type`: it gives the type the `is_type_of` that unions and
    interfaces need on the generic path, and the class → type map that a compiler reads.
    """

    def declare(graphql_type: T) -> T:
        def is_type_of(value: Any, _info: Any) -> bool:
            return isinstance(value, classes)

        is_type_of.__facet_record_check__ = True  # type: ignore[attr-defined]
        graphql_type.is_type_of = staticmethod(is_type_of)  # type: ignore[attr-defined]
        graphql_type.__facet_records__ = classes  # type: ignore[attr-defined]
        return graphql_type

    return declare


def records_of(graphql_type: type) -> tuple[type, ...]:
    """The record classes a Strawberry type was declared with; empty for a type without."""
    return cast("tuple[type, ...]", getattr(graphql_type, "__facet_records__", ()))


def is_record_check(is_type_of: Callable[..., Any]) -> bool:
    """Whether this is the `is_type_of` that `record` makes: it looks at the class alone."""
    return getattr(is_type_of, "__facet_record_check__", False) is True
