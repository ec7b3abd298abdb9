"""What schema authors declare and the gateway reads: records, batch fields, directives.

A platform's schema says *what* a field needs; how and when it is fetched is the gateway's
(loaders today, compiled plans from the same declaration). This room knows no service.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from operator import attrgetter
from typing import Any, ClassVar, Protocol, TypeVar, cast
from weakref import WeakKeyDictionary

import strawberry
from graphql import (
    DocumentNode,
    FieldNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    GraphQLField,
    GraphQLInterfaceType,
    GraphQLNamedType,
    GraphQLSchema,
    InlineFragmentNode,
    OperationDefinitionNode,
    SelectionNode,
    SelectionSetNode,
    get_named_type,
)
from strawberry.schema_directive import Location
from strawberry.types.field import StrawberryField

T = TypeVar("T", bound=type)

METADATA_KEY = "facet"
STRAWBERRY_BACKREF = "strawberry-definition"


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


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="This root field is one screen of the app; metrics and budgets carry its name.",
)
class Screen:
    """`@screen` on a root field."""


@strawberry.enum(description="What stands in a section's place when it is late or fails.")
class SectionFallback(Enum):
    STALE = "stale"
    EMPTY = "empty"
    OMIT = "omit"


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="A part of a screen that may be late or fail by itself.",
)
class Section:
    """`@section` on a nullable field of a screen: a plan carries it."""

    critical: bool = False
    budget_ms: int | None = None
    fallback: SectionFallback = SectionFallback.OMIT


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION],
    description="Answered whatever the verdict on the token or the app build (sign-in, sign-out).",
)
class AlwaysAllowed:
    """`@alwaysAllowed` on a root field."""


@strawberry.schema_directive(
    locations=[Location.FIELD_DEFINITION, Location.ENUM_VALUE],
    description="May be removed after this date, from releases below this version.",
)
class Sunset:
    """`@sunset` beside `@deprecated`: a date (YYYY-MM-DD) and the first release without it."""

    after: str
    releases_below: str


# What is known of the fields of a schema, by type and name: an interface's field is asked of every
# type that implements it, which is far too much for each time a document names it.
_PUBLIC: WeakKeyDictionary[GraphQLSchema, dict[tuple[str, str], bool]] = WeakKeyDictionary()


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """What the schema's declarations say of one operation, before it ever runs.

    `public` is a proof: every field is plain data, or a batch field through a SHARED loader whose
    key cannot know who asks. Anything else, a hand-written resolver included, makes it private.
    """

    root_fields: tuple[str, ...]
    screen: str | None
    always_allowed: bool
    public: bool


def describe(schema: GraphQLSchema, document: DocumentNode) -> list[OperationFacts]:
    """Read the declarations behind every field that each operation, in order, may select (all
    fragments, skipped or not). The document must be valid for the schema and nest within Python's
    stack; the work grows with its size alone, however many operations spread one fragment."""
    reader = _Reader(schema, document)
    return [
        reader.facts(node)
        for node in document.definitions
        if isinstance(node, OperationDefinitionNode)
    ]


@dataclass(slots=True)
class _Selected:
    """What a selection set asks for beside others (its fragments' fields too), and whether all of
    it, to the leaves, is public."""

    fields: dict[str, GraphQLField | None]
    public: bool


class _Reader:
    """Reads one document; every fragment once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._public = _PUBLIC.setdefault(schema, {})
        self._known: dict[str, _Selected] = {}
        self._fragments = {
            node.name.value: node
            for node in document.definitions
            if isinstance(node, FragmentDefinitionNode)
        }

    def facts(self, operation: OperationDefinitionNode) -> OperationFacts:
        root_type = self._schema.get_root_type(operation.operation)
        if root_type is None:
            return OperationFacts((), None, False, False)
        found = self._selected(operation.selection_set, root_type)
        roots = found.fields
        declared = [set(_directives(field)) for field in roots.values() if field is not None]
        screens = [n for n, f in roots.items() if f is not None and is_screen(f)]
        return OperationFacts(
            root_fields=tuple(roots),
            screen=screens[0] if len(screens) == 1 else None,
            always_allowed=bool(declared) and all(AlwaysAllowed in names for names in declared),
            public=found.public and operation.operation.value == "query",
        )

    def _selected(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> _Selected:
        found = _Selected({}, True)
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._add(found, node, parent)
                continue
            inner = self._fragment(node, parent)
            found.fields.update(inner.fields)
            found.public = found.public and inner.public
        return found

    def _add(self, found: _Selected, node: FieldNode, parent: GraphQLNamedType) -> None:
        name = node.name.value
        field = found.fields[name] = _definition(parent, name)
        if field is None:
            return  # `__typename` and other meta fields say nothing of anybody
        known = self._public.get((parent.name, name))
        if known is None:
            known = all(_is_public(one) for one in _definitions(self._schema, parent, name))
            self._public[parent.name, name] = known
        found.public = found.public and known
        if node.selection_set is not None:
            below = self._selected(node.selection_set, get_named_type(field.type))
            found.public = found.public and below.public

    def _fragment(self, node: SelectionNode, parent: GraphQLNamedType) -> _Selected:
        if isinstance(node, InlineFragmentNode):
            condition = node.type_condition
            target = self._schema.get_type(condition.name.value) if condition else parent
            return self._selected(node.selection_set, target or parent)
        name = cast("FragmentSpreadNode", node).name.value
        found = self._known.get(name)
        if found is None:
            fragment = self._fragments[name]
            target = self._schema.get_type(fragment.type_condition.name.value)
            found = self._known[name] = self._selected(fragment.selection_set, target or parent)
        return found


def _definition(parent: GraphQLNamedType, name: str) -> GraphQLField | None:
    fields = getattr(parent, "fields", None)
    return fields.get(name) if fields else None


def _definitions(
    schema: GraphQLSchema, parent: GraphQLNamedType, name: str
) -> list[GraphQLField | None]:
    """The definition, then what may really answer in place of an interface's: a type is free to
    resolve an inherited field in its own way."""
    possible = schema.get_possible_types(parent) if isinstance(parent, GraphQLInterfaceType) else ()
    return [_definition(one, name) for one in (parent, *possible)]


def strawberry_field(field: GraphQLField | None) -> StrawberryField | None:
    """The Strawberry definition behind a graphql-core field, if it has one."""
    found = field.extensions.get(STRAWBERRY_BACKREF) if field is not None else None
    return found if isinstance(found, StrawberryField) else None


def batch_of(field: GraphQLField | None) -> BatchField | None:
    """The batch declaration of a field, if it has one."""
    definition = strawberry_field(field)
    if definition is None:
        return None
    found = dict[Any, Any](definition.metadata or {}).get(METADATA_KEY)
    return found if isinstance(found, BatchField) else None


def is_screen(field: GraphQLField) -> bool:
    """Whether a root field is declared to be a screen."""
    return Screen in _directives(field)


def section_of(field: GraphQLField) -> Section | None:
    """The section a field is declared to be, if it is one."""
    definition = strawberry_field(field)
    found = definition.directives if definition is not None else ()
    return next((one for one in found if isinstance(one, Section)), None)


def _directives(field: GraphQLField) -> tuple[type, ...]:
    definition = strawberry_field(field)
    return tuple(type(one) for one in definition.directives) if definition is not None else ()


def _is_public(field: GraphQLField | None) -> bool:
    batch = batch_of(field)
    if batch is not None:
        return batch.public
    definition = strawberry_field(field)
    if definition is None or definition.extensions:
        return False
    resolver = definition.base_resolver
    return resolver is None or (not resolver.is_async and resolver.info_parameter is None)
