"""From a valid operation to a compiled plan: generated functions, and the waves they feed.

Fields are collected by graphql-core's own rules at compile time, so merging, aliases, fragments,
@skip/@include and the order of keys are those of execution. The text is written by `source.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from types import CodeType
from typing import Any

from graphql import (
    FragmentDefinitionNode,
    GraphQLEnumType,
    GraphQLError,
    GraphQLLeafType,
    GraphQLList,
    GraphQLNonNull,
    GraphQLObjectType,
    GraphQLOutputType,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
    Undefined,
    get_named_type,
    is_abstract_type,
    is_leaf_type,
)
from graphql.execution.collect_fields import (
    FieldDetailsList,
    FragmentDetails,
    GroupedFieldSet,
    collect_fields,
    collect_subfields,
)
from graphql.execution.values import VariableValues
from graphql.pyutils.is_awaitable import is_awaitable

from bff.contract import BatchField, Scope, is_screen
from bff.plans import complete
from bff.plans.access import Access, access
from bff.plans.classes import decides_by_class
from bff.plans.complete import Abstract, Awaits, Ref
from bff.plans.counters import Counters
from bff.plans.fenced import withhold
from bff.plans.fencing import Touched
from bff.plans.leaves import Fast, fast_leaf
from bff.plans.model import Group, Plan, Step, arrange
from bff.plans.places import FieldPlan
from bff.plans.run import Pending, Settle
from bff.plans.source import FieldText, Glance, Writer
from bff.plans.waves import WavePlan
from bff.screens.contract import (
    PlannedSection,
    ScreenContract,
    contract_of,
    declared_of,
)

# Beyond so many names in the text an operation is not compiled: each field of each possible type
# takes a few, however seldom it occurs.
MAX_SYMBOLS = 8_000
ALWAYS_SLOW = Fast("False", None, {})
UNREAD = Access("value", "None")


class NotCompiled(Exception):
    """The compiler does not take this operation; graphql-core executes it. The message is the
    reason that is counted."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is compiled, for one outcome of @skip and @include and what it meets of a fence."""

    schema: GraphQLSchema
    operation: OperationDefinitionNode
    fragments: Mapping[str, FragmentDefinitionNode]
    variables: VariableValues
    field_resolver: Any
    awaits: Awaits = is_awaitable
    touched: Touched | None = None


@dataclass(slots=True)
class CompiledPlan:
    """One operation, ready to run. `roots` are the functions of its groups in order: one for a
    query, one a field for a mutation (`writes`). `contract` is what its screen promises."""

    plan: Plan
    roots: tuple[Callable[..., dict[str, Any]], ...]
    waves: tuple[WavePlan, ...]
    source: str
    counters: Counters
    size: int
    contract: ScreenContract
    writes: bool
    generic_fields: tuple[str, ...] = ()


def compile_operation(subject: Subject, counters: Counters, label: str = "plan") -> CompiledPlan:
    """Raises NotCompiled with the reason."""
    try:
        return _Compiler(subject).compile(counters, label)
    except RecursionError:
        reason = "nested too deeply"
    except GraphQLError:
        # The variables do not fit @skip or @include: an error of some field, told by graphql-core.
        reason = "selection in error"
    # Raised here, where it does not keep the frames of what went wrong alive.
    raise NotCompiled(reason)


@dataclass(frozen=True, slots=True)
class _At:
    """Where the compiler is: the path, the batch field whose records are above, the fields since
    then (what is awaited there may bring keys), and the section."""

    path: str = ""
    feeder: Step | None = None
    above: tuple[FieldPlan, ...] = ()
    section: PlannedSection | None = None

    def into(self, key: str) -> _At:
        return replace(self, path=f"{self.path}.{key}" if self.path else key)

    def items(self) -> _At:
        return replace(self, path=f"{self.path}[]")

    def below(self, plan: FieldPlan) -> _At:
        return replace(self, above=(*self.above, plan))

    def fed_by(self, step: Step, plan: FieldPlan) -> _At:
        return replace(self, feeder=step, above=(plan,))


@dataclass(slots=True, eq=False)
class _Open:
    """A batch field whose wave is not known before all steps are."""

    step: Step
    text: FieldText
    above: tuple[FieldPlan, ...]


@dataclass(eq=False)
class _Compiler:
    subject: Subject
    names: dict[str, Any] = field(default_factory=dict)
    refs: dict[str, Ref] = field(default_factory=dict)
    functions: list[Callable[[Writer], None]] = field(default_factory=list)
    batches: list[_Open] = field(default_factory=list)
    generic: list[str] = field(default_factory=list)
    glances: dict[tuple[Any, ...], Glance] = field(default_factory=dict)
    screens: list[str] = field(default_factory=list)
    sections: int = 0
    number: int = 0

    def compile(self, counters: Counters, label: str) -> CompiledPlan:
        subject = self.subject
        root = subject.schema.get_root_type(subject.operation.operation)
        if root is None:
            raise NotCompiled("no such root type")
        fields = collect_fields(
            subject.schema, self._fragments, subject.variables, root, subject.operation
        ).grouped_field_set
        roots, groups = self._roots(root, fields)
        waves = self._waves(groups)
        source = self._load(label)
        return CompiledPlan(
            plan=Plan(tuple(groups), tuple(self.screens), self.contract.sections),
            roots=tuple(self.names[name] for name in roots),
            waves=waves,
            source=source,
            counters=counters,
            size=_size(source, self.number),
            contract=self.contract,
            writes=subject.operation.operation is OperationType.MUTATION,
            generic_fields=tuple(self.generic),
        )

    @cached_property
    def _fragments(self) -> dict[str, FragmentDetails]:
        return {name: FragmentDetails(node) for name, node in self.subject.fragments.items()}

    @cached_property
    def contract(self) -> ScreenContract:
        subject = self.subject
        return contract_of(subject.schema, subject.operation, self._fragments, subject.variables)

    def _roots(
        self, root: GraphQLObjectType, fields: GroupedFieldSet
    ) -> tuple[list[str], list[Group]]:
        if self.subject.operation.operation is not OperationType.MUTATION:
            return [self._object(root, fields, _At())], [self._group("answer", 0)]
        roots, groups = [], []
        for key, details in fields.items():
            before = len(self.batches)
            roots.append(self._object(root, {key: details}, _At()))
            groups.append(self._group(key, before))
        return roots, groups

    def _group(self, name: str, first: int) -> Group:
        return arrange(name, [one.step for one in self.batches[first:]])

    def _symbol(self, prefix: str) -> str:
        self.number += 1
        if self.number > MAX_SYMBOLS:
            raise NotCompiled("too many fields of too many types")
        return f"{prefix}{self.number}"

    # Objects and their fields.

    def _object(self, parent: GraphQLObjectType, fields: GroupedFieldSet, at: _At) -> str:
        """The name of the function of one selection of one type."""
        name = self._symbol("o")
        found = [self._field(parent, key, details, at) for key, details in fields.items()]
        texts = [text for text in found if text is not None]
        comment = f"{at.path or 'root'} as {parent.name}"
        self.functions.append(lambda writer: writer.object_function(name, comment, texts))
        return name

    def _field(
        self, parent: GraphQLObjectType, key: str, details: FieldDetailsList, at: _At
    ) -> FieldText | None:
        subject = self.subject
        name = details[0].node.name.value
        definition = subject.schema.get_field(parent, name)
        if definition is None:
            return None
        plan = FieldPlan(key, definition, details, parent, [one.node for one in details])
        self._symbol("F")
        number = self.number
        self.names[f"F{number}"] = plan
        at = self._declared(plan, at.into(key))
        held = subject.touched.held.get((parent.name, name)) if subject.touched else None
        if held is not None:
            return FieldText(number, key, UNREAD, Glance(ALWAYS_SLOW, ""), held=held)
        found = access(plan, subject.schema, subject.field_resolver, number)
        text = FieldText(number, key, found, Glance(ALWAYS_SLOW, ""))
        if name == "__typename":
            text.constant = repr(parent.name)
            return text
        if name.startswith("__"):
            text.generic = "introspection"
            self.generic.append(f"{at.path}: introspection")
            return text
        self.names |= found.names
        if found.batch is None:
            text.glance = self._glance(plan, definition.type, at.below(plan))
        else:
            self._batch(text, plan, found.batch, at)
        return text

    def _declared(self, plan: FieldPlan, at: _At) -> _At:
        """Takes down what a field is declared to be."""
        if is_screen(plan.definition):
            self.screens.append(at.path)
        parent, name = plan.parent_type.name, plan.name
        section = declared_of(self.subject.schema).sections.get((parent, name))
        if section is None:
            return at
        self.sections += 1
        plan.section = self.contract.section(at.path, f"{parent}.{name}", section, at.section)
        return replace(at, section=plan.section)

    def _batch(self, text: FieldText, plan: FieldPlan, batch: BatchField, at: _At) -> None:
        step = Step(f"{at.path} ({plan.parent_type.name})", batch, at.feeder, at.section)
        self.batches.append(_Open(step, text, at.above))
        text.glance = self._glance(plan, plan.type, at.fed_by(step, plan))
        text.record = self._record(text.glance)
        if text.glance.item is not None:
            text.item_record = self._record(text.glance.item)

    def _record(self, glance: Glance) -> str:
        name = self._symbol("b")
        self.functions.append(lambda writer: writer.record_function(name, glance))
        return name

    # Values.

    def _glance(self, plan: FieldPlan, declared: GraphQLOutputType, at: _At) -> Glance:
        """How a value of a type is taken at a glance at this position, and its completer. One for
        all positions with the same type and selection, unless calls or sections are below."""
        nodes = () if is_leaf_type(get_named_type(declared)) else map(id, plan.nodes)
        key = (str(declared), *nodes)
        known = self.glances.get(key)
        if known is not None:
            return known
        before = self._bound_to_a_place
        glance = self._new_glance(plan, declared, at)
        if self._bound_to_a_place == before:
            self.glances[key] = glance
        return glance

    @property
    def _bound_to_a_place(self) -> int:
        """How much was taken down that belongs to one position alone."""
        return len(self.batches) + self.sections + len(self.generic)

    def _new_glance(self, plan: FieldPlan, declared: GraphQLOutputType, at: _At) -> Glance:
        inner = declared.of_type if isinstance(declared, GraphQLNonNull) else declared
        item = None
        if is_leaf_type(inner):
            fast, settle = self._leaf(inner)
        elif isinstance(inner, GraphQLList):
            item = self._glance(plan, inner.of_type, at.items())
            fast, settle = self._list(inner, item)
        elif is_abstract_type(inner):
            fast, settle = self._abstract(plan, inner, at)
        else:
            fast, settle = self._known_object(plan, inner, at)
        self.names |= fast.names
        return Glance(self._or_null(fast, declared), self._completer(declared, settle), item)

    def _leaf(self, declared: GraphQLLeafType) -> tuple[Fast, Settle]:
        touched = self.subject.touched
        members = touched.enums.get(declared.name) if touched is not None else None
        if members is None or not isinstance(declared, GraphQLEnumType):
            return fast_leaf(declared, self._symbol), complete.leaf(declared)
        fast = fast_leaf(declared, self._symbol, members.withheld)
        return fast, complete.fenced_leaf(declared, members)

    def _withheld(self, plan: FieldPlan) -> frozenset[str]:
        """The types that are not sent where a field stands."""
        touched = self.subject.touched
        return touched.types_at(plan.details) if touched is not None else frozenset()

    def _or_null(self, fast: Fast, declared: GraphQLOutputType) -> Fast:
        """Null is taken at a glance too where it may be."""
        if isinstance(declared, GraphQLNonNull):
            return fast
        return replace(fast, nullable=True)

    def _completer(self, declared: GraphQLOutputType, settle: Settle) -> str:
        guard = complete.non_null if isinstance(declared, GraphQLNonNull) else complete.nullable
        name = self._symbol("C")
        self.names[name] = complete.awaiting(guard(settle), self.subject.awaits)
        return name

    def _list(self, declared: GraphQLList[Any], item: Glance) -> tuple[Fast, Settle]:
        name = self._symbol("l")
        strict = isinstance(declared.of_type, GraphQLNonNull)
        self.functions.append(lambda writer: writer.list_function(name, item, strict))
        fast = Fast("type($) is list", f"{name}($, @, r)", {})
        return fast, complete.iterable(declared, self._ref(name))

    def _known_object(self, plan: FieldPlan, declared: Any, at: _At) -> tuple[Fast, Settle]:
        if declared.name in self._withheld(plan):
            return ALWAYS_SLOW, withhold
        name = self._object(declared, self._below(plan, declared), at)
        known = self._symbol("known")
        learnt: set[type] = set()
        fast = Fast(f"type($) in {known}", f"{name}($, @, r)", {known: learnt})
        return fast, complete.object_value(declared, self._ref(name), learnt, self.subject.awaits)

    def _abstract(self, plan: FieldPlan, declared: Any, at: _At) -> tuple[Fast, Settle]:
        """One function for each possible type that is sent."""
        types = list(self.subject.schema.get_possible_types(declared))
        withheld = self._withheld(plan)
        functions = {
            one.name: (one, self._ref(self._object(one, self._below(plan, one), at)))
            for one in types
            if one.name not in withheld
        }
        teachable = decides_by_class(declared, types)
        found = Abstract(declared, functions, {}, teachable, self.subject.awaits, withheld)
        known, chosen = self._symbol("known"), self._symbol("f")
        fast = Fast(
            f"({chosen} := {known}.get(type($))) is not None",
            f"{chosen}($, @, r)",
            {known: found.learnt},
        )
        return (fast if teachable else ALWAYS_SLOW), found.settle

    def _below(self, plan: FieldPlan, declared: GraphQLObjectType) -> GroupedFieldSet:
        subject = self.subject
        return collect_subfields(
            subject.schema,
            self._fragments,
            subject.variables,
            subject.operation,
            declared,
            plan.details,
        ).grouped_field_set

    def _ref(self, name: str) -> Ref:
        return self.refs.setdefault(name, Ref())

    # Waves.

    def _waves(self, groups: list[Group]) -> tuple[WavePlan, ...]:
        """Numbers the waves of all groups, and tells fields and batch fields of theirs."""
        wave_of: dict[Step, int] = {}
        planned: list[WavePlan] = []
        for number, group in enumerate(groups):
            first = len(planned)
            for offset, wave in enumerate(group.waves):
                wave_of.update(dict.fromkeys(wave.steps, first + offset))
            planned += _group_waves(number, group, first, wave_of)
        feeds: dict[FieldPlan, set[int]] = {}
        for one in self.batches:
            one.text.wave = wave_of[one.step]
            for plan in one.above:
                feeds.setdefault(plan, set()).add(wave_of[one.step])
        for plan, indexes in feeds.items():
            plan.feeds = tuple(sorted(indexes))
        return tuple(planned)

    # The text.

    def _load(self, label: str) -> str:
        writer = Writer()
        # The root first: a reader starts there, and Python finds the names when it runs.
        for write in reversed(self.functions):
            write(writer)
        source = writer.text()
        self.names |= {"Pending": Pending, "Mapping": Mapping, "Undefined": Undefined}
        # Tracebacks find the text by the loader, for as long as the plan lives.
        self.names |= {"__name__": __name__, "__loader__": _Text(source)}
        exec(code_of(source, label), self.names)  # noqa: S102
        for name, ref in self.refs.items():
            ref.call = self.names[name]
        return source


def code_of(source: str, label: str) -> CodeType:
    """Python's code of a plan's text."""
    return compile(source, label, "exec")


@dataclass(frozen=True, slots=True)
class _Text:
    """What Python's tracebacks ask for the source of a module."""

    source: str

    def get_source(self, _name: str) -> str:
        return self.source


def _group_waves(
    number: int, group: Group, first: int, wave_of: Mapping[Step, int]
) -> list[WavePlan]:
    feeders = [tuple(sorted({wave_of[feeder] for feeder in wave.feeders})) for wave in group.waves]
    feeds: dict[int, list[int]] = {}
    for offset, above in enumerate(feeders):
        for index in above:
            feeds.setdefault(index, []).append(first + offset)
    left: dict[int, int] = {}
    for index in range(first + len(group.waves) - 1, first - 1, -1):
        left[index] = 1 + max((left[below] for below in feeds.get(index, ())), default=0)
    return [
        WavePlan(
            index=first + offset,
            group=number,
            loader=wave.steps[0].batch.loader,
            of_viewer=wave.steps[0].batch.loader.scope is Scope.VIEWER,
            level=wave.level,
            feeders=feeders[offset],
            feeds=tuple(feeds.get(first + offset, ())),
            calls_left=left[first + offset],
            budget_s=_budget(wave.steps),
        )
        for offset, wave in enumerate(group.waves)
    ]


def _budget(steps: Iterable[Step]) -> float | None:
    """The shortest of all sections that any of them belongs to."""
    sections = (step.section for step in steps)
    found = (one.shortest_s for one in sections if one is not None)
    return min((one for one in found if one is not None), default=None)


def _size(source: str, symbols: int) -> int:
    """About the bytes a plan takes in memory, rather too many: its text, its code of about three
    times that, and a name with what it stands for."""
    return len(source) * 4 + symbols * 700
