"""What the schema's declarations say of one operation, before it ever runs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple, cast
from weakref import WeakKeyDictionary

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

from bff.contract.backref import strawberry_field
from bff.contract.batch import batch_of
from bff.contract.directives import allowance_of, is_screen, priority_of, sunset_of
from bff.request import Priority

# What is known of the fields of a schema, by type and name: an interface's field is asked of every
# type that implements it, which is far too much for each time a document names it.
_DECLARED: WeakKeyDictionary[GraphQLSchema, dict[tuple[str, str], _Declared]]
_DECLARED = WeakKeyDictionary()


class _Declared(NamedTuple):
    """Of a field: whether it is public, and the name by which `@sunset` knows it, if it does."""

    public: bool
    ending: str | None


@dataclass(frozen=True, slots=True)
class OperationFacts:
    """What the schema's declarations say of one operation, before it ever runs.

    `public` is a proof: every field is plain data, or a batch field through a SHARED loader whose
    key cannot know who asks. Anything else, a hand-written resolver included, makes it private.
    `always_allowed`: whatever the verdict on the app build; `spares_token`: and on the token.
    `sunsets` are the selected fields (`Type.field`) that have `@sunset`. `priority` is that of the
    most urgent of its screens that declare one.
    """

    root_fields: tuple[str, ...]
    screen: str | None
    always_allowed: bool
    public: bool
    spares_token: bool = False
    sunsets: frozenset[str] = frozenset()
    priority: Priority | None = None


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
    """What a selection set asks for beside others (its fragments' fields too), whether all of it,
    to the leaves, is public, and which fields in it have `@sunset`."""

    fields: dict[str, GraphQLField | None]
    public: bool
    sunsets: set[str] = field(default_factory=set)

    def add(self, below: _Selected) -> None:
        """Take over what holds to the leaves."""
        self.public = self.public and below.public
        self.sunsets |= below.sunsets


class _Reader:
    """Reads one document; every fragment once."""

    def __init__(self, schema: GraphQLSchema, document: DocumentNode) -> None:
        self._schema = schema
        self._declared = _DECLARED.setdefault(schema, {})
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
        allowances = [allowance_of(one) for one in roots.values() if one is not None]
        allowed = bool(allowances) and all(one is not None for one in allowances)
        screens = [n for n, f in roots.items() if f is not None and is_screen(f)]
        return OperationFacts(
            root_fields=tuple(roots),
            screen=screens[0] if len(screens) == 1 else None,
            always_allowed=allowed,
            public=found.public and operation.operation.value == "query",
            spares_token=allowed and not any(one.signed_in for one in allowances if one),
            sunsets=frozenset(found.sunsets),
            priority=_most_urgent(roots.values()),
        )

    def _selected(self, selections: SelectionSetNode, parent: GraphQLNamedType) -> _Selected:
        found = _Selected({}, True)
        for node in selections.selections:
            if isinstance(node, FieldNode):
                self._add(found, node, parent)
                continue
            inner = self._fragment(node, parent)
            found.fields.update(inner.fields)
            found.add(inner)
        return found

    def _add(self, found: _Selected, node: FieldNode, parent: GraphQLNamedType) -> None:
        name = node.name.value
        definition = found.fields[name] = _definition(parent, name)
        if definition is None:
            return  # `__typename` and other meta fields say nothing of anybody
        known = self._declared.get((parent.name, name))
        if known is None:
            known = self._declared[parent.name, name] = _declared(self._schema, parent, name)
        found.public = found.public and known.public
        if known.ending is not None:
            found.sunsets.add(known.ending)
        if node.selection_set is not None:
            found.add(self._selected(node.selection_set, get_named_type(definition.type)))

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


def _most_urgent(fields: Iterable[GraphQLField | None]) -> Priority | None:
    declared = (priority_of(one) for one in fields if one is not None)
    return min((one for one in declared if one is not None), default=None)


def _definition(parent: GraphQLNamedType, name: str) -> GraphQLField | None:
    fields = getattr(parent, "fields", None)
    return fields.get(name) if fields else None


def _declared(schema: GraphQLSchema, parent: GraphQLNamedType, name: str) -> _Declared:
    public = all(_is_public(one) for one in _definitions(schema, parent, name))
    return _Declared(public, _ending(parent, name))


def _ending(parent: GraphQLNamedType, name: str) -> str | None:
    """The field as `@sunset` names it: of the type it is asked of, or of an interface of that."""
    for one in (parent, *getattr(parent, "interfaces", ())):
        declared = _definition(one, name)
        if declared is not None and sunset_of(declared) is not None:
            return f"{one.name}.{name}"
    return None


def _definitions(
    schema: GraphQLSchema, parent: GraphQLNamedType, name: str
) -> list[GraphQLField | None]:
    """The definition, then what may really answer in place of an interface's: a type is free to
    resolve an inherited field in its own way."""
    possible = schema.get_possible_types(parent) if isinstance(parent, GraphQLInterfaceType) else ()
    return [_definition(one, name) for one in (parent, *possible)]


def _is_public(field: GraphQLField | None) -> bool:
    batch = batch_of(field)
    if batch is not None:
        return batch.public
    definition = strawberry_field(field)
    if definition is None or definition.extensions:
        return False
    resolver = definition.base_resolver
    return resolver is None or (not resolver.is_async and resolver.info_parameter is None)
