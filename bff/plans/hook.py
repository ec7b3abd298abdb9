"""The compiler behind graphql-core's own door: an executor class that runs compiled plans.

For whoever executes with graphql-core directly, its own test suite above all. The gateway enters by
`execute.py`, which does the same with less around it.
"""

from __future__ import annotations

from collections.abc import Awaitable
from importlib import import_module
from typing import Any, ClassVar

from graphql import ExecutionResult, OperationType
from graphql.execution import Executor
from graphql.execution.incremental import IncrementalExecutor
from graphql.pyutils.is_awaitable import is_awaitable
from strawberry.execution.is_awaitable import optimized_is_awaitable

from bff.plans.compiler import CompiledPlan, NotCompiled, Subject
from bff.plans.fenced import FencedExecutor, FencedRun
from bff.plans.perform import perform
from bff.plans.run import Run
from bff.plans.store import PlanStore

# The same question, asked in three ways; any other way to ask is not compiled.
NEVER_AWAITABLE = import_module("graphql.execution.execute").assume_not_awaitable
KNOWN_WAYS = (is_awaitable, optimized_is_awaitable, NEVER_AWAITABLE)


class CompiledMixin:
    """Goes before a graphql-core executor class; what is not compiled is executed by that class."""

    plans: ClassVar[PlanStore] = PlanStore()

    def execute_operation(self, serially: bool | None = None) -> Any:
        """See graphql-core; the answer may have to be awaited."""
        core: Any = self
        plan = None
        try:
            plan = self._plan(core, serially)
        except NotCompiled as error:
            self.plans.counters.fell_back("operation", str(error))
        # Outside of the handler: a refusal must not be the context of what is raised from here on.
        if plan is None:
            return super().execute_operation(serially)  # type: ignore[misc]
        touched = getattr(core, "touched", None)
        run = (Run if touched is None else FencedRun)(
            plan,
            core.root_value,
            core.context_value,
            core.variable_values,
            lambda: core,
            core.collected_errors,
            core.hide_suggestions,
        )
        if isinstance(run, FencedRun):
            run.notes = core.notes
        data = perform(plan, run)
        if isinstance(data, Awaitable):
            return _later(core, data)
        return core.build_response(data)

    def _plan(self, core: Any, serially: bool | None) -> CompiledPlan:
        refusal = _refusal(core, serially)
        if refusal is not None:
            raise NotCompiled(refusal)
        subject = Subject(
            core.schema,
            core.operation,
            core.fragment_definitions,
            core.variable_values,
            core.field_resolver,
            awaits=core.is_awaitable,
            touched=getattr(core, "touched", None),
        )
        return self.plans.compiled(subject)


def _refusal(core: Executor[Any], serially: bool | None) -> str | None:
    """Why an execution is not compiled, if it is not."""
    mutation = core.operation.operation is OperationType.MUTATION
    if serially is not None and serially is not mutation:
        return "unusual order"
    if core.middleware_manager is not None and core.middleware_manager.middlewares:
        return "middleware"
    if core.abort_signal is not None:
        return "abort signal"
    if core.is_awaitable not in KNOWN_WAYS:
        return "own is_awaitable"
    if not core.error_propagation:
        return "error propagation is off"
    return None


async def _later(core: Executor[Any], data: Awaitable[dict[str, Any] | None]) -> ExecutionResult:
    result: Any = core.build_response(await data)
    return result  # type: ignore[no-any-return]


class CompiledExecutor(CompiledMixin, IncrementalExecutor):
    """graphql-core's executor with incremental delivery, compiled where that is not asked for."""


class CompiledFencedExecutor(CompiledMixin, FencedExecutor):
    """The same within a fence, without incremental delivery."""
