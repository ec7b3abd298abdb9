"""Keeps compiled plans: found by operation and by the outcome of its @skip and @include.

Bounded in memory; the plan that was not used for the longest time goes first. A plan that was found
to be wrong is disabled for good.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from graphql import (
    DirectiveNode,
    FragmentDefinitionNode,
    FragmentSpreadNode,
    OperationDefinitionNode,
    Undefined,
    VariableNode,
    Visitor,
    visit,
)

from bff.plans.compiler import CompiledPlan, NotCompiled, Subject, compile_operation
from bff.plans.counters import Counters
from bff.plans.fencing import class_of
from bff.plans.variables import VariableCoercer

DEFAULT_MAX_MEMORY = 64 * 1024 * 1024
# Outcomes of @skip and @include that are compiled for one operation.
MAX_VARIANTS = 32
# Bytes an operation takes beside its plans: its coercer, its place here.
PER_OPERATION = 2_048
# The document's hash, the operation's name, and for plans within a fence its class.
PlanKey: TypeAlias = "tuple[str | None, ...]"
NOT_TAKEN = frozenset({"defer", "stream", "experimental_disableErrorPropagation"})


class _Directives(Visitor):
    """Which variables decide what is selected, what each has to be to select the most, and
    directives the compiler does not take."""

    def __init__(self) -> None:
        super().__init__()
        self.most: dict[str, bool] = {}
        self.not_taken: str | None = None
        self.spread: set[str] = set()

    def enter_fragment_spread(self, node: FragmentSpreadNode, *_: Any) -> None:
        self.spread.add(node.name.value)

    def enter_directive(self, node: DirectiveNode, *_: Any) -> None:
        name = node.name.value
        if name in NOT_TAKEN:
            self.not_taken = name
        if name in ("skip", "include"):
            values = [argument.value for argument in node.arguments or ()]
            for value in values:
                if isinstance(value, VariableNode):
                    self.most.setdefault(value.name.value, name == "include")


def read_directives(
    operation: OperationDefinitionNode, fragments: Mapping[str, FragmentDefinitionNode]
) -> _Directives:
    """What stands in an operation and in every fragment it spreads."""
    seen = _Directives()
    visit(operation, seen)
    done: set[str] = set()
    while todo := [name for name in seen.spread - done if name in fragments]:
        for name in todo:
            visit(fragments[name], seen)
        done.update(todo)
    return seen


class Known:
    """An operation that was opened: the variables that decide its selection, its coercer, and its
    plan for each outcome."""

    __slots__ = ("coercer", "deciding", "held", "most", "refusal", "size", "variants")

    def __init__(
        self,
        most: Mapping[str, bool],
        refusal: str | None,
        coercer: VariableCoercer | None,
        held: object,
    ) -> None:
        self.deciding = tuple(sorted(most))
        self.most = most  # the outcome that selects the most
        self.refusal = refusal
        self.coercer = coercer
        self.held = held  # whatever the key is only the identity of
        self.variants: dict[tuple[Any, ...], CompiledPlan | str] = {}
        self.size = 0

    @property
    def has_plan(self) -> bool:
        return any(isinstance(one, CompiledPlan) for one in self.variants.values())

    def outcome(self, coerced: Mapping[str, Any]) -> tuple[Any, ...]:
        """What @skip and @include come to for these coerced variables."""
        return tuple(coerced.get(name, Undefined) for name in self.deciding)

    def plan(self, coerced: Mapping[str, Any]) -> CompiledPlan | None:
        """The plan for these coerced variables; None when it is not there yet. Raises NotCompiled
        where there will be none."""
        if self.refusal is not None:
            raise NotCompiled(self.refusal)
        found = self.variants.get(self.outcome(coerced) if self.deciding else ())
        if isinstance(found, str):
            raise NotCompiled(found)
        if found is None and len(self.variants) >= MAX_VARIANTS:
            raise NotCompiled("too many outcomes of @skip and @include")
        return found


class Named(Protocol):
    """Of a registered operation, what it is known by."""

    @property
    def document_hash(self) -> str: ...
    @property
    def name(self) -> str | None: ...


def plan_key(operation: Named, fence_class: str = "") -> PlanKey:
    """What the plans of a registered operation are kept by."""
    if not fence_class:
        return operation.document_hash, operation.name
    return operation.document_hash, operation.name, fence_class


class PlanStore:
    """`max_memory` in bytes, by each plan's own estimate."""

    def __init__(
        self, max_memory: int = DEFAULT_MAX_MEMORY, counters: Counters | None = None
    ) -> None:
        self.counters = counters or Counters()
        self.size = 0
        self._max_memory = max_memory
        self._known: OrderedDict[Any, Known] = OrderedDict()
        self._disabled: dict[Any, str] = {}

    def __len__(self) -> int:
        """Operations that are kept, those that cannot be compiled among them."""
        return len(self._known)

    @property
    def compiled_operations(self) -> int:
        """Operations with at least one plan."""
        return sum(known.has_plan for known in self._known.values())

    @property
    def has_room(self) -> bool:
        """Whether another plan of usual size can be kept without another one leaving."""
        return self.size < self._max_memory * 3 // 4

    def get(self, key: Any) -> Known | None:
        """An operation that was opened before and is still kept. Raises NotCompiled when it is
        disabled."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
        elif key in self._disabled:
            raise NotCompiled(self._disabled[key])
        return known

    def open(
        self,
        key: Any,
        operation: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        coercer: VariableCoercer | None = None,
        held: object = None,
        refusal: str | None = None,
    ) -> Known:
        """Begin to keep an operation; nothing is compiled yet, and nothing will be for a `refusal`.
        Raises NotCompiled when it is disabled."""
        known = self.get(key)
        if known is None:
            seen = read_directives(operation, fragments)
            if seen.not_taken:
                refusal = f"@{seen.not_taken}"
            if any(node.variable_definitions for node in fragments.values()):
                refusal = "fragment variables"
            known = self._known[key] = Known(seen.most, refusal, coercer, held)
            self._grow(known, PER_OPERATION)
        return known

    def compile(self, known: Known, subject: Subject, label: str = "plan") -> CompiledPlan:
        """Compile an operation for the outcome its subject's variables have, and keep the plan.

        Raises NotCompiled, now and whenever the same is looked for again.
        """
        found = known.plan(subject.variables.coerced)
        if found is not None:
            return found
        outcome = known.outcome(subject.variables.coerced)
        shown = f"{label} {','.join(map(str, outcome))}" if outcome else label
        try:
            plan = compile_operation(subject, self.counters, shown)
        except NotCompiled as error:
            known.variants[outcome] = str(error)
            raise
        known.variants[outcome] = plan
        self._grow(known, plan.size)
        return plan

    def compiled(self, subject: Subject) -> CompiledPlan:
        """The plan of an operation that is only known as an object, compiled at once. Raises
        NotCompiled."""
        key = (
            id(subject.schema),
            id(subject.operation),
            subject.field_resolver,
            subject.awaits,
            *map(id, subject.fragments.values()),
            class_of(subject.touched),
        )
        known = self.open(key, subject.operation, subject.fragments, held=subject)
        return self.compile(known, subject)

    def classes(self, operation: Named) -> int:
        """The fence classes for which an operation is kept."""
        free = plan_key(operation)
        return sum(
            key[:2] == free and len(key) > 2 and known.refusal is None
            for key, known in self._known.items()
        )

    def disable(self, key: Any, reason: str) -> None:
        """Never use a plan for this operation again."""
        self._disabled[key] = reason
        self._drop(key)

    def _grow(self, known: Known, size: int) -> None:
        """Make room for what has come; what was used last stays, however large it is."""
        known.size += size
        self.size += size
        while self.size > self._max_memory and len(self._known) > 1:
            self._drop(next(iter(self._known)))

    def _drop(self, key: Any) -> None:
        known = self._known.pop(key, None)
        if known is not None:
            self.size -= known.size
