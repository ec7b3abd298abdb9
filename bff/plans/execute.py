"""Executes one operation: by its compiled plan where there is one, else by graphql-core.

A registered operation is compiled in the background, in order of use; until its plan is there, and
where there can be none, it runs generic, with the reason counted. Masking and shaping of errors are
the response room's.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Literal, Protocol

from graphql import (
    DocumentNode,
    FragmentDefinitionNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
)
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.executor import (
    CollectedErrors,
    default_field_resolver,
    default_type_resolver,
)
from graphql.execution.values import VariableValues
from strawberry import Schema

from bff.context import Context
from bff.errors import ValidationFailed
from bff.fence import FREE, NOTHING_WITHHELD, Fence, Withheld
from bff.plans.compiler import CompiledPlan, NotCompiled, Subject
from bff.plans.counters import Counters
from bff.plans.fenced import FencedExecutor, FencedRun
from bff.plans.fencing import Fencing, Touched, class_of
from bff.plans.perform import perform
from bff.plans.replay import RecordingContext
from bff.plans.run import Run
from bff.plans.shadow import Again, Shadow
from bff.plans.shown import ShownExecutor, ShownFencedExecutor
from bff.plans.store import DEFAULT_MAX_MEMORY, Known, PlanStore, plan_key
from bff.plans.variables import VariableCoercer
from bff.plans.withheld import Note, settled
from bff.screens.check import check_screens
from bff.screens.contract import NO_CONTRACT
from bff.screens.contracts import Contracts
from bff.screens.report import NO_SECTIONS, Report, report
from bff.screens.showing import Showing, ShownErrors
from bff.telemetry.logs import logger

Mode = Literal["compiled", "generic"]
Require = Literal["warn", "refuse"]

NOT_YET = "not compiled yet"
COMPILER_FAULT = "compiler fault"
# Fence classes that are compiled for one operation.
MAX_CLASSES = 16
# So many deciding variables are compiled for all their outcomes before anybody asks.
MAX_FORESEEN = 2
# A compilation holds the loop for some milliseconds. When a request began meanwhile, others have
# their turn: for as long after one that was asked for, for many times as long after another.
PAUSE_ASKED = 1
PAUSE_FORESEEN = 9

log = logger(__name__)


class Executable(Protocol):
    """Of a prepared operation, what execution needs."""

    @property
    def document_hash(self) -> str: ...
    @property
    def name(self) -> str | None: ...
    @property
    def registered(self) -> bool: ...
    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]: ...


@dataclass(frozen=True, slots=True)
class Executed:
    """Data and located errors; `plan` is `compiled`, or `generic` with the reason; `withheld` is
    what the caller's fence changed in the data; `sections` what became of the screen's parts."""

    data: dict[str, Any] | None
    errors: Sequence[GraphQLError]
    plan: str
    withheld: Withheld = NOTHING_WITHHELD
    sections: Report = NO_SECTIONS


@dataclass(slots=True)
class _Wanted:
    """An operation to be compiled, and the variables that decide its selection."""

    operation: Executable
    coerced: Mapping[str, Any]
    pause: int
    touched: Touched | None = None


class Executor:
    """Executes the operations of one schema. `hide_suggestions` outside development; `stretch`
    times as long as declared may screens and sections take. Raises ConfigError for a schema whose
    screens promise what cannot be held."""

    def __init__(
        self,
        schema: GraphQLSchema,
        hide_suggestions: bool,
        mode: Mode = "compiled",
        max_memory: int = DEFAULT_MAX_MEMORY,
        counters: Counters | None = None,
        require: Require = "warn",
        stretch: float = 1.0,
    ) -> None:
        check_screens(schema)
        self.schema = schema
        self.hide_suggestions = hide_suggestions
        self.mode = mode
        self.require = require
        self.stretch = stretch
        self.plans = PlanStore(max_memory, counters)
        self._fencing = Fencing(schema)
        self._contracts = Contracts(schema)
        self.shadow: Shadow | None = None
        self._wanted: deque[_Wanted] = deque()
        self._asked: set[tuple[Any, ...]] = set()
        self._more = asyncio.Event()
        self._served = 0

    async def execute(
        self,
        operation: Executable,
        variables: Mapping[str, Any],
        context: Context,
        fence: Fence = FREE,
    ) -> Executed:
        """Data and located errors, without what the caller's fence withholds. Raises BadVariables
        (BAD_USER_INPUT) before anything ran."""
        self._served += 1
        touched = self._fencing.touched(operation, fence) if fence.key else None
        if self.mode == "generic":
            values = self._coerced(operation, variables)
            return await self._generic(operation, values, context, "mode", touched)
        if not operation.registered:
            values = self._coerced(operation, variables)
            return await self._generic(operation, values, context, "not registered", touched)
        try:
            known = self.plans.get(plan_key(operation, class_of(touched)))
            if known is None or known.coercer is None:
                values = self._coerced(operation, variables)
            else:
                values = known.coercer.coerce(variables)
                plan = known.plan(values.coerced)
                if plan is not None:
                    return await self._compiled(plan, operation, values, context, touched)
        except NotCompiled as error:
            values = self._coerced(operation, variables)
            return await self._generic(operation, values, context, str(error), touched)
        self._want(operation, values.coerced, touched)
        return await self._generic(operation, values, context, NOT_YET, touched)

    def touched(self, operation: Executable, fence: Fence) -> Touched | None:
        """What an operation meets of a fence; None where that is nothing."""
        return self._fencing.touched(operation, fence)

    def fence_key(self, operation: Executable, fence: Fence) -> str:
        """The fence class of a caller for this operation alone, to keep answers by: "" where the
        operation meets nothing of the fence, so that its answer is everybody's."""
        return class_of(self.touched(operation, fence))

    async def _compiled(
        self,
        plan: CompiledPlan,
        operation: Executable,
        values: VariableValues,
        context: Context,
        touched: Touched | None,
    ) -> Executed:
        showing = Showing(plan.contract, context.remaining(), self.stretch)
        errors = ShownErrors() if plan.contract.sections else CollectedErrors()
        shadow = self.shadow
        turn = None
        if shadow is not None:
            turn = shadow.begin(operation, values.coerced, context, class_of(touched))
        if turn is not None:
            context = RecordingContext(context, turn.recording)
        notes: list[Note] = []
        run = (Run if touched is None else FencedRun)(
            plan,
            None,
            context,
            values,
            lambda: self._core(operation, values, context, touched, showing, notes),
            errors,
            self.hide_suggestions,
        )
        run.showing = showing
        if isinstance(run, FencedRun):
            run.notes = notes
        data = perform(plan, run)
        if not isinstance(data, dict) and data is not None:
            data = await data
        told: Sequence[GraphQLError] = errors.errors
        withheld = NOTHING_WITHHELD
        if notes:
            data, told, withheld = settled(data, told, notes)
        if turn is not None and shadow is not None:
            if showing.is_cut:
                turn.recording.unfit = "its time was up, or an old record was shown"
            hidden = len(told) != len(errors.errors)
            shadow.end(turn, data, told, self._again(operation, values, touched), hidden)
        return Executed(data, told, "compiled", withheld, _report(showing, errors, context))

    def _again(
        self, operation: Executable, values: VariableValues, touched: Touched | None
    ) -> Again:
        """The same by graphql-core, with another context; not counted as a fallback."""

        def again(context: Context) -> Any:
            showing = self._showing(operation, values, context)
            return self._core(operation, values, context, touched, showing).execute_operation()

        return again

    async def _generic(
        self,
        operation: Executable,
        values: VariableValues,
        context: Context,
        reason: str,
        touched: Touched | None,
    ) -> Executed:
        self.plans.counters.fell_back("operation", reason)
        showing = self._showing(operation, values, context)
        core = self._core(operation, values, context, touched, showing)
        result: Any = core.execute_operation()
        if inspect.isawaitable(result):
            result = await result
        withheld = core.withheld if isinstance(core, FencedExecutor) else NOTHING_WITHHELD
        sections = _report(showing, core.collected_errors, context)
        plan = f"generic({reason})"
        return Executed(result.data, result.errors or [], plan, withheld, sections)

    def _showing(self, operation: Executable, values: VariableValues, context: Context) -> Showing:
        key = (operation.document_hash, operation.name)
        contract = self._contracts.of(key, operation.parsed, values)
        return Showing(contract, context.remaining(), self.stretch)

    def _coerced(self, operation: Executable, variables: Mapping[str, Any]) -> VariableValues:
        return self._coercer(operation.parsed()[1]).coerce(variables)

    def _coercer(self, definition: OperationDefinitionNode) -> VariableCoercer:
        definitions = definition.variable_definitions or ()
        return VariableCoercer(self.schema, definitions, self.hide_suggestions)

    def _core(
        self,
        operation: Executable,
        values: VariableValues,
        context: Context,
        touched: Touched | None,
        showing: Showing,
        notes: list[Note] | None = None,
    ) -> ShownExecutor:
        """graphql-core's executor over variables that are coerced already; `notes` of a compiled
        run that it serves."""
        document, definition = operation.parsed()
        fragments = fragments_of(document)
        kind: Any = ShownExecutor
        if touched is not None:
            kind = partial(ShownFencedExecutor, touched=touched, notes=notes)
        core: ShownExecutor = kind(
            self.schema,
            fragments,
            {name: FragmentDetails(node) for name, node in fragments.items()},
            None,
            context,
            definition,
            values,
            default_field_resolver,
            default_type_resolver,
            default_field_resolver,
            hide_suggestions=self.hide_suggestions,
            showing=showing,
            rings=notes is None,
        )
        return core

    # Compilation.

    def _want(
        self, operation: Executable, coerced: Mapping[str, Any], touched: Touched | None
    ) -> None:
        """Somebody asks for it now: it goes first, once for every outcome @skip may have."""
        flags = ((name, value) for name, value in coerced.items() if type(value) is bool)
        mark = (plan_key(operation, class_of(touched)), *sorted(flags))
        if mark not in self._asked:
            self._asked.add(mark)
            self._wanted.appendleft(_Wanted(operation, coerced, PAUSE_ASKED, touched))
            self._more.set()

    def foresee(self, operation: Executable) -> None:
        """A registered operation that nobody has asked for yet: compiled when there is time and
        room. Where plans are required it is compiled now, and ValidationFailed raised if anything
        of it would run generic."""
        self._fencing.read(operation)
        if self.mode == "generic":
            return
        if self.require == "refuse":
            self._insist(operation)
        elif self.plans.has_room:
            self._wanted.append(_Wanted(operation, {}, PAUSE_FORESEEN))
            self._more.set()

    def _insist(self, operation: Executable) -> None:
        try:
            reasons = [one for plan in self.compile(operation, {}) for one in plan.generic_fields]
        except NotCompiled as error:
            reasons = [str(error)]
        except Exception:
            log.exception("plan_compiler_failed", document_hash=operation.document_hash)
            reasons = [COMPILER_FAULT]
        if reasons:
            raise ValidationFailed(
                f"it would not run wholly by a compiled plan ({reasons[0]}); change the document, "
                "or set plans.require_compiled to warn"
            )

    async def compile_in_background(self) -> None:
        """Compiles what is wanted, what was asked for first; runs until it is cancelled."""
        while True:
            await self._more.wait()
            while self._wanted:
                wanted = self._wanted.popleft()
                if wanted.pause == PAUSE_FORESEEN and not self.plans.has_room:
                    continue
                began, served = time.perf_counter(), self._served
                self._compile_wanted(wanted)
                took = time.perf_counter() - began
                await asyncio.sleep(0)
                if self._served != served:
                    await asyncio.sleep(took * wanted.pause)
            self._more.clear()
            self._asked.clear()

    def _compile_wanted(self, wanted: _Wanted) -> None:
        """Failure policy: whatever goes wrong here costs the plan, never a request."""
        operation = wanted.operation
        told = {"document_hash": operation.document_hash, "operation": operation.name}
        try:
            for plan in self.compile(operation, wanted.coerced, wanted.touched):
                if plan.generic_fields:
                    log.warning("plan_partly_generic", fields=plan.generic_fields, **told)
        except NotCompiled as error:
            log.warning("plan_not_compiled", reason=str(error), **told)
        except Exception:
            self.plans.disable(plan_key(operation, class_of(wanted.touched)), COMPILER_FAULT)
            log.exception("plan_compiler_failed", **told)

    def compile(
        self,
        operation: Executable,
        coerced: Mapping[str, Any],
        touched: Touched | None = None,
    ) -> list[CompiledPlan]:
        """The plans of an operation for these coerced variables, and for what it meets of a fence;
        where the variables do not decide it, for every outcome of @skip and @include there is.
        Raises NotCompiled."""
        document, definition = operation.parsed()
        fragments = fragments_of(document)
        known = self._opened(operation, definition, fragments, touched)
        label = f"plan {operation.name or 'anonymous'} {operation.document_hash[:12]}"
        plans = []
        for outcome in _outcomes(known, coerced):
            values = VariableValues({}, dict(outcome))
            subject = Subject(
                self.schema,
                definition,
                fragments,
                values,
                default_field_resolver,
                touched=touched,
            )
            plans.append(self.plans.compile(known, subject, label))
        return plans

    def _opened(
        self,
        operation: Executable,
        definition: OperationDefinitionNode,
        fragments: Mapping[str, FragmentDefinitionNode],
        touched: Touched | None,
    ) -> Known:
        """The store's place for an operation; one for too many fence classes gets no plan."""
        key = plan_key(operation, class_of(touched))
        refusal = None
        if touched is not None and self.plans.get(key) is None:
            classes = self.plans.classes(operation)
            if classes >= MAX_CLASSES:
                refusal = "too many fence classes"
        coercer = self._coercer(definition)
        return self.plans.open(key, definition, fragments, coercer, refusal=refusal)


def _report(showing: Showing, errors: CollectedErrors, context: Context) -> Report:
    if showing.contract is NO_CONTRACT or not isinstance(errors, ShownErrors):
        return NO_SECTIONS
    return report(showing, errors.lost, context.stale_loads)


def _outcomes(known: Known, coerced: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The variables that decide the selection: as given; all there are where few are open, else
    the one that selects the most."""
    deciding = known.deciding
    if all(name in coerced for name in deciding):
        return [{name: coerced[name] for name in deciding}]
    if len(deciding) > MAX_FORESEEN:
        return [dict(known.most)]
    every = product((True, False), repeat=len(deciding))
    return [dict(zip(deciding, one, strict=True)) for one in every]


def fragments_of(document: DocumentNode) -> dict[str, FragmentDefinitionNode]:
    """The fragment definitions of a document by name."""
    return {
        node.name.value: node
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }


def graphql_schema(schema: Schema) -> GraphQLSchema:
    """The graphql-core schema behind a Strawberry one. Strawberry gives it no public name: this
    is the one place that touches it."""
    return schema._schema
