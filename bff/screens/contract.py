"""What the schema declares of one operation: its deadline, and its sections with their budgets.

Read off the operation before it runs, in the order of the document, in one way for both paths of
execution. What becomes of a section in a run is `showing.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal
from weakref import WeakKeyDictionary

from graphql import (
    GraphQLError,
    GraphQLInterfaceType,
    GraphQLList,
    GraphQLNamedType,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLSchema,
    GraphQLUnionType,
    OperationDefinitionNode,
    get_named_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues

from bff.contract import Section, SectionFallback, batch_of, screen_of, section_of

# Sections that one answer tells of and that have budgets; those beyond keep their fallbacks.
MOST_TOLD = 64

Budget = tuple[float, "PlannedSection"]


class PlannedSection:
    """One section of an operation: `path` is where it stands in the answer, `[]` for a list;
    `coordinate` is `Type.field`; `above` the section it is part of; `shortest_s` its budget, or
    that of a section around it if that is shorter; `loads` are the labels of the methods that fill
    it, without those of sections within. Known by identity."""

    __slots__ = (
        "above",
        "budget_s",
        "coordinate",
        "critical",
        "declared",
        "is_empty",
        "is_stale",
        "loads",
        "path",
        "shortest_s",
    )

    def __init__(
        self, path: str, declared: Section, coordinate: str, above: PlannedSection | None
    ) -> None:
        self.path = path
        self.declared = declared
        self.coordinate = coordinate
        self.above = above
        self.critical = bool(declared.critical)
        self.budget_s = declared.budget_ms / 1000 if declared.budget_ms else None
        around = above.shortest_s if above is not None else None
        budgets = [one for one in (self.budget_s, around) if one is not None]
        self.shortest_s: float | None = min(budgets, default=None)
        self.is_stale = declared.fallback is SectionFallback.STALE
        self.is_empty = declared.fallback is SectionFallback.EMPTY
        self.loads: set[str] = set()

    def is_within(self, others: Sequence[PlannedSection]) -> bool:
        """Whether it is one of these, or part of one."""
        one: PlannedSection | None = self
        while one is not None:
            if one in others:
                return True
            one = one.above
        return False


@dataclass(frozen=True, eq=False)
class ScreenContract:
    """What is declared of one operation, for one outcome of @skip and @include. `deadline_s` is the
    shortest of its screens'; sections stand in the order of the document."""

    deadline_s: float | None = None
    sections: tuple[PlannedSection, ...] = ()
    places: Mapping[tuple[str, str], PlannedSection] = field(default_factory=dict)

    @cached_property
    def budgets(self) -> tuple[Budget, ...]:
        """Sections that have a budget, the shortest first."""
        found = ((one.budget_s, one) for one in self.sections if one.budget_s is not None)
        return tuple(sorted(found, key=lambda pair: pair[0]))

    @cached_property
    def all_ok(self) -> tuple[tuple[str, Literal["ok"]], ...]:
        """The fields that are sections, as they are where all is there."""
        return tuple((one, "ok") for one in dict.fromkeys(s.coordinate for s in self.sections))

    @cached_property
    def loads(self) -> frozenset[str]:
        """The labels of all methods that fill sections."""
        return frozenset(label for one in self.sections for label in one.loads)

    def section(
        self, path: str, coordinate: str, declared: Section, above: PlannedSection | None
    ) -> PlannedSection:
        """The section that a field is at a place."""
        found = self.places.get((path, coordinate))
        return found or PlannedSection(path, declared, coordinate, above)


NO_CONTRACT = ScreenContract()


def pattern_of(keys: Sequence[str | int]) -> str:
    """A path in the answer as sections have it: `home.feed.entries[].item`."""
    parts: list[str] = []
    for key in keys:
        parts.append("[]" if isinstance(key, int) else f".{key}" if parts else key)
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Declared:
    """Sections of a schema by type and field; `reaching` are the types below which one can be."""

    sections: Mapping[tuple[str, str], Section]
    reaching: frozenset[str]


_DECLARED: WeakKeyDictionary[GraphQLSchema, Declared] = WeakKeyDictionary()


def declared_of(schema: GraphQLSchema) -> Declared:
    """Read once a schema."""
    found = _DECLARED.get(schema)
    if found is None:
        found = _DECLARED[schema] = _read(schema)
    return found


def _read(schema: GraphQLSchema) -> Declared:
    sections: dict[tuple[str, str], Section] = {}
    for name, declared in schema.type_map.items():
        if isinstance(declared, GraphQLObjectType) and not name.startswith("__"):
            for key, one in declared.fields.items():
                section = section_of(one)
                if section is not None:
                    sections[name, key] = section
    reaching = {owner for owner, _ in sections}
    while more := {n for n, t in schema.type_map.items() if _leads_to(schema, t, reaching)}:
        reaching |= more
    return Declared(sections, frozenset(reaching))


def _leads_to(schema: GraphQLSchema, declared: GraphQLNamedType, reaching: set[str]) -> bool:
    if declared.name in reaching:
        return False
    if isinstance(declared, GraphQLUnionType | GraphQLInterfaceType):
        return any(one.name in reaching for one in schema.get_possible_types(declared))
    if not isinstance(declared, GraphQLObjectType):
        return False
    return any(get_named_type(one.type).name in reaching for one in declared.fields.values())


def contract_of(
    schema: GraphQLSchema,
    operation: OperationDefinitionNode,
    fragments: dict[str, FragmentDetails],
    variables: VariableValues,
) -> ScreenContract:
    """The contract of a valid operation for these variables (they decide @skip and @include).
    What graphql-core refuses to collect has none: it says why by itself."""
    root = schema.get_root_type(operation.operation)
    if root is None:
        return NO_CONTRACT
    try:
        fields = collect_fields(schema, fragments, variables, root, operation).grouped_field_set
        reader = _Reader(schema, operation, fragments, variables)
        if root.name in reader.declared.reaching:
            reader.read(root, fields, "", None)
    except (GraphQLError, RecursionError):
        return NO_CONTRACT
    deadline_s = _deadline(root, fields)
    if deadline_s is None and not reader.found:
        return NO_CONTRACT
    return ScreenContract(deadline_s, tuple(reader.found), reader.places)


def _deadline(root: GraphQLObjectType, fields: GroupedFieldSet) -> float | None:
    screens = (
        screen_of(root.fields[details[0].node.name.value])
        for details in fields.values()
        if details[0].node.name.value in root.fields
    )
    declared = (one.deadline_ms for one in screens if one is not None)
    return min((ms / 1000 for ms in declared if ms), default=None)


@dataclass(eq=False)
class _Reader:
    """Follows an operation to its sections, and nowhere else."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: dict[str, FragmentDetails]
    variables: VariableValues
    found: list[PlannedSection] = field(default_factory=list)
    places: dict[tuple[str, str], PlannedSection] = field(default_factory=dict)
    # Selections without a section and outside of one: nothing to look at again.
    _barren: set[tuple[Any, ...]] = field(default_factory=set)

    @cached_property
    def declared(self) -> Declared:
        return declared_of(self.schema)

    def read(
        self,
        parent: GraphQLObjectType,
        fields: GroupedFieldSet,
        path: str,
        within: PlannedSection | None,
    ) -> None:
        for key, details in fields.items():
            name = details[0].node.name.value
            definition = parent.fields.get(name)
            if definition is None or len(self.found) >= MOST_TOLD:
                continue
            at = f"{path}.{key}" if path else key
            declared = self.declared.sections.get((parent.name, name))
            section = within
            if declared is not None:
                section = self._add(at, declared, f"{parent.name}.{name}", within)
            batch = batch_of(definition)
            method = getattr(batch.loader, "method", None) if batch is not None else None
            if section is not None and method is not None:
                section.loads.add(method.label)
            self._below(details, definition.type, at, section)

    def _add(
        self, path: str, declared: Section, coordinate: str, above: PlannedSection | None
    ) -> PlannedSection:
        known = self.places.get((path, coordinate))
        if known is not None:  # by two types above, of which either may be there
            return known
        section = self.places[path, coordinate] = PlannedSection(path, declared, coordinate, above)
        self.found.append(section)
        return section

    def _below(
        self, details: FieldDetailsList, declared: Any, path: str, section: PlannedSection | None
    ) -> None:
        named = get_named_type(declared)
        if section is None and named.name not in self.declared.reaching:
            return
        at = path + "[]" * _lists(declared)
        for one in self._possible(named):
            mark = (one.name, section, *(id(detail.node) for detail in details))
            if mark in self._barren:
                continue
            before = len(self.found)
            self.read(one, self._collected(one, details), at, section)
            if len(self.found) == before:
                self._barren.add(mark)

    def _possible(self, named: GraphQLNamedType) -> Sequence[GraphQLObjectType]:
        if isinstance(named, GraphQLUnionType | GraphQLInterfaceType):
            return self.schema.get_possible_types(named)
        return [named] if isinstance(named, GraphQLObjectType) else []

    def _collected(self, parent: GraphQLObjectType, details: FieldDetailsList) -> GroupedFieldSet:
        return collect_subfields(
            self.schema,
            self.fragments,
            self.variables,
            self.operation,
            parent,
            details,
        ).grouped_field_set


def _lists(declared: Any) -> int:
    """How many lists stand around a type."""
    depth = 0
    while isinstance(declared, GraphQLNonNull | GraphQLList):
        depth += isinstance(declared, GraphQLList)
        declared = declared.of_type
    return depth
