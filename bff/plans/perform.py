"""Performs a compiled plan: every group in order, waiting only where something is not there yet.

Groups of a mutation run one after another, each to its end (GraphQL spec, Mutation).
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from graphql import GraphQLError

from bff.plans.compiler import CompiledPlan
from bff.plans.driver import Driver
from bff.plans.run import Pending, RootNulled, Run


def perform(
    plan: CompiledPlan, run: Run
) -> dict[str, Any] | Coroutine[Any, Any, dict[str, Any] | None] | None:
    """The data of the answer, at once where nothing has to be awaited; errors are in the run."""
    plan.counters.compiled += 1
    run.data = {}
    for group in range(len(plan.roots)):
        try:
            _begin(plan, run, group)
        except GraphQLError as error:
            _null(run, error)
            return None
        if run.pending or any(wave.keys for wave in run.waves):
            return _finish(plan, run, group)
    return _answer(run)


def _begin(plan: CompiledPlan, run: Run, group: int) -> None:
    """Everything of a group that is there without waiting. Raises GraphQLError to null the root."""
    found = plan.roots[group](run.root, None, run)
    if not run.data:
        run.data = found
        return
    for key, value in found.items():
        if type(value) is Pending:
            value.container = run.data
        run.data[key] = value
    for wave in run.waves:
        _move(wave.keys, found, run.data)


def _move(keys: dict[Any, list[Any]], old: dict[str, Any], new: dict[str, Any]) -> None:
    """Slots of a root field of a mutation belong to the whole answer, not to its part."""
    for slots in keys.values():
        slots[:] = [(new if slot[0] is old else slot[0], *slot[1:]) for slot in slots]


async def _finish(plan: CompiledPlan, run: Run, group: int) -> dict[str, Any] | None:
    try:
        await Driver(run, group).finish()
        for later in range(group + 1, len(plan.roots)):
            if run.showing is not None:
                run.showing.begin_again()
            _begin(plan, run, later)
            if run.pending or any(wave.keys for wave in run.waves):
                await Driver(run, later).finish()
    except RootNulled as nulled:
        _null(run, nulled.error)
        return None
    except GraphQLError as error:
        _null(run, error)
        return None
    return _answer(run)


def _null(run: Run, error: GraphQLError) -> None:
    run.errors.add(error, None)
    if run.pending:
        dropped, run.pending = run.pending, []
        run.settle_in_background(dropped)


def _answer(run: Run) -> dict[str, Any]:
    data: dict[str, Any] = run.data
    return data
