"""Batch fields: "by this key, through this loader", declared by schema authors (DESIGN D2)."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, ClassVar, Protocol, cast

import strawberry
from graphql import GraphQLField

from bff.contract.backref import strawberry_field

METADATA_KEY = "facet"


class Scope(Enum):
    """Whose answer an upstream call is (DESIGN D5): `SHARED` is the same for everyone, may be
    coalesced and cached; `VIEWER` is never shared between viewers."""

    SHARED = "shared"
    VIEWER = "viewer"


class ScopedLoader(Protocol):
    """What the contract needs of a loader: the scope of its upstream call."""

    scope: ClassVar[Scope]


class LoadingContext(Protocol):
    """What a batch field needs of a request's context."""

    def load(self, loader: Any, key: Any) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True)
class BatchField:
    """The declaration "by this key, through this loader".

    `key(source, info=..., **arguments)` returns the key, a list of keys, or None for a null field.
    `wants_info` tells that the key may depend on who asks: such a field is never public.
    """

    loader: type[ScopedLoader]
    key: Callable[..., Any]
    wants_info: bool

    @property
    def public(self) -> bool:
        return self.loader.scope is Scope.SHARED and not self.wants_info


def batch_field(
    loader: type[ScopedLoader],
    key: str | Callable[..., Any],
    *,
    name: str | None = None,
    description: str | None = None,
    deprecation_reason: str | None = None,
    directives: Iterable[object] = (),
) -> Any:
    """A field filled list-wise by `loader` (DESIGN D2); the annotation gives its GraphQL type.

    `key` is an attribute of the record, or a function whose first parameter is the record, whose
    `info` parameter (optional) is the Strawberry info, and whose other parameters are the field's
    GraphQL arguments. A list of keys makes a list field, null for a key that is None or not found.
    """
    reader = _AttributeKey(key) if isinstance(key, str) else key
    parameters = _parameters(reader)
    wants_info = any(parameter.name == "info" for parameter in parameters[1:])
    declared = BatchField(loader, reader, wants_info)
    return strawberry.field(
        resolver=_resolver(declared, parameters),
        name=name,
        description=description,
        deprecation_reason=deprecation_reason,
        directives=tuple(directives),
        metadata={METADATA_KEY: declared},
    )


class _AttributeKey:
    """Reads the key from an attribute of the record; says which one when shown in a plan."""

    def __init__(self, attribute: str) -> None:
        self.attribute = attribute
        self._get = attrgetter(attribute)

    def __call__(self, source: Any) -> Any:
        return self._get(source)


def _parameters(key: Callable[..., Any]) -> list[inspect.Parameter]:
    parameters = list(inspect.signature(key).parameters.values())
    if not parameters:
        raise TypeError(f"key function {key!r} takes no record: give it one parameter at least")
    # The record's own annotation may name the class being defined: only arguments are evaluated.
    names = getattr(key, "__globals__", {})
    return [parameters[0], *(_evaluated(parameter, names) for parameter in parameters[1:])]


def _evaluated(parameter: inspect.Parameter, names: dict[str, Any]) -> inspect.Parameter:
    if not isinstance(parameter.annotation, str):
        return parameter
    # The text is the author's own source, not input.
    return parameter.replace(annotation=eval(parameter.annotation, names))  # noqa: S307


def _resolver(declared: BatchField, parameters: list[inspect.Parameter]) -> Callable[..., Any]:
    """The generic path: the same declaration through the request's loader.

    Strawberry reads arguments off the signature, so the resolver shows the key function's, with
    the record under the name Strawberry reserves for it.
    """
    key = declared.key
    wants_info = declared.wants_info

    def resolve(root: Any, info: Any, **arguments: Any) -> Any:
        found = key(root, info=info, **arguments) if wants_info else key(root, **arguments)
        if found is None:
            return None
        context = cast("LoadingContext", info.context)
        if isinstance(found, list):
            return [None if one is None else context.load(declared.loader, one) for one in found]
        return context.load(declared.loader, found)

    shown = [parameters[0].replace(name="root", annotation=inspect.Parameter.empty)]
    shown += [_optional(p) for p in parameters[1:] if p.name != "info"]
    shown.append(
        inspect.Parameter(
            "info", inspect.Parameter.KEYWORD_ONLY, annotation=strawberry.types.Info[Any, Any]
        )
    )
    resolve.__signature__ = inspect.Signature(  # type: ignore[attr-defined]
        [shown[0], *(p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in shown[1:])]
    )
    resolve.__annotations__ = {
        p.name: p.annotation for p in shown if p.annotation is not inspect.Parameter.empty
    }
    resolve.__name__ = declared.loader.__name__
    resolve.__module__ = getattr(key, "__module__", __name__)
    return resolve


def _optional(parameter: inspect.Parameter) -> inspect.Parameter:
    """An argument that may be left out prints without `= null`; the key function's own None
    applies then."""
    unset = parameter.default is None
    return parameter.replace(default=strawberry.UNSET) if unset else parameter


def batch_of(field: GraphQLField | None) -> BatchField | None:
    """The batch declaration of a field, if it has one."""
    definition = strawberry_field(field)
    if definition is None:
        return None
    found = dict[Any, Any](definition.metadata or {}).get(METADATA_KEY)
    return found if isinstance(found, BatchField) else None
