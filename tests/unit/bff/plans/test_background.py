"""Operations are compiled by the way: what is asked for first, what is required at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import pytest
from graphql import DocumentNode, OperationDefinitionNode

from bff.context import Context
from bff.errors import ValidationFailed
from bff.fence import fence
from bff.plans import compiler
from bff.plans.compiler import CompiledPlan, NotCompiled
from bff.plans.execute import Executable, Executor, Mode
from bff.plans.fencing import Touched
from bff.plans.store import MAX_VARIANTS, PlanStore
from tests.unit.bff.plans.wave_world import SCHEMA, Prepared, World, prepared

TEXT = "{ home { viewer { id } } }"


class Unreadable(Prepared):
    """The same operation, of which nobody may want the tree."""

    def parsed(self) -> tuple[DocumentNode, OperationDefinitionNode]:
        raise AssertionError("it was parsed again")


@asynccontextmanager
async def compiling(executor: Executor) -> AsyncIterator[None]:
    task = asyncio.create_task(executor.compile_in_background())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _plan_of_answer(executor: Executor, text: str) -> str:
    found = await executor.execute(prepared(text), {}, cast("Context", World()))
    return found.plan


async def _until_there(executor: Executor, count: int) -> None:
    async with asyncio.timeout(10):
        while len(executor.plans) < count:
            await asyncio.sleep(0.001)


async def test_the_first_answer_is_generic() -> None:
    """Nobody waits for a compilation: the first answer runs generic, later ones by the plan."""
    executor = Executor(SCHEMA, hide_suggestions=False)
    text = "{ __typename }"
    assert await _plan_of_answer(executor, text) == "generic(not compiled yet)"
    async with compiling(executor):
        await _until_there(executor, 1)
    assert await _plan_of_answer(executor, text) == "compiled"
    assert executor.plans.counters.fallbacks == {("operation", "not compiled yet"): 1}


async def test_what_is_asked_for_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operation somebody asked for is compiled before those that are only foreseen."""
    order: list[str] = []
    executor = Executor(SCHEMA, hide_suggestions=False)
    compiled = executor.compile

    def noted(
        operation: Executable, given: Mapping[str, Any], touched: Touched | None
    ) -> list[CompiledPlan]:
        order.append(operation.document_hash)
        return compiled(operation, given, touched)

    monkeypatch.setattr(executor, "compile", noted)
    for name in ("a", "b", "c"):
        executor.foresee(prepared(f"query {{ {name}: __typename }}"))
    asked = "{ asked: __typename }"
    await _plan_of_answer(executor, asked)
    async with compiling(executor):
        await _until_there(executor, 4)
    assert order[0] == asked


async def test_asked_for_often_is_compiled_once() -> None:
    """However many ask before the plan is there, it is compiled once."""
    executor = Executor(SCHEMA, hide_suggestions=False)
    for _ in range(50):
        await _plan_of_answer(executor, "{ __typename }")
    assert len(executor._wanted) == 1


async def test_a_full_store_foresees_nothing() -> None:
    """Without room for more, what nobody asked for is left alone."""
    executor = Executor(SCHEMA, hide_suggestions=False, max_memory=1)
    executor.compile(prepared(TEXT), {})
    executor.foresee(prepared("{ __typename }"))
    assert not executor._wanted


async def test_a_compiler_fault_costs_the_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours while compiling leaves the operation to graphql-core for good."""
    executor = Executor(SCHEMA, hide_suggestions=False)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PlanStore, "compile", broken)
    operation = prepared("{ __typename }")
    executor.foresee(operation)
    async with compiling(executor):
        async with asyncio.timeout(10):
            while executor._wanted:
                await asyncio.sleep(0.001)
    with pytest.raises(NotCompiled, match="compiler fault"):
        executor.plans.get((operation.document_hash, None))
    found = await executor.execute(operation, {}, cast("Context", World()))
    assert (found.data, found.plan) == ({"__typename": "Query"}, "generic(compiler fault)")


@pytest.mark.parametrize("mode", ["compiled", "generic"])
def test_foreseen_operations_are_read_for_fences(mode: Mode) -> None:
    """What a fence may meet is read when an operation is prepared: no request parses it for that,
    in either mode, and without room for plans."""
    executor = Executor(SCHEMA, hide_suggestions=False, mode=mode, max_memory=0)
    operation = prepared(TEXT)
    executor.foresee(operation)
    again = Unreadable(operation.document, operation.definition, operation.document_hash)
    assert executor.fence_key(again, fence({}, {}, ["Query.home"]))


@pytest.mark.parametrize(
    ("text", "symbols", "reason"),
    [("{ __schema { description } }", 1_000, "introspection"), (TEXT, 3, "too many fields")],
)
async def test_required_plans_refuse_others(
    text: str, symbols: int, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With plans required, a document that would not run wholly by one is refused, and says why."""
    monkeypatch.setattr(compiler, "MAX_SYMBOLS", symbols)
    operation = prepared(text)
    with pytest.raises(ValidationFailed, match=reason):
        Executor(SCHEMA, hide_suggestions=False, require="refuse").foresee(operation)
    Executor(SCHEMA, hide_suggestions=False, require="warn").foresee(operation)
    Executor(SCHEMA, hide_suggestions=False, mode="generic", require="refuse").foresee(operation)


async def test_required_plans_are_there() -> None:
    """What is accepted with plans required has its plan before the first answer."""
    executor = Executor(SCHEMA, hide_suggestions=False, require="refuse")
    executor.foresee(prepared(TEXT))
    assert await _plan_of_answer(executor, TEXT) == "compiled"


async def test_required_plans_refuse_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    """With plans required, a fault of the compiler is a refusal as well."""

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(PlanStore, "compile", broken)
    with pytest.raises(ValidationFailed, match="compiler fault"):
        Executor(SCHEMA, hide_suggestions=False, require="refuse").foresee(prepared(TEXT))


async def test_too_many_outcomes_say_so() -> None:
    """Beyond the outcomes that are compiled an answer tells why it is generic, and stays so."""
    names = [f"v{number}" for number in range(6)]
    declared = ", ".join(f"${name}: Boolean!" for name in names)
    fields = " ".join(f"{name}: __typename @skip(if: ${name})" for name in names)
    operation = prepared(f"query({declared}) {{ here: __typename {fields} }}")
    executor = Executor(SCHEMA, hide_suggestions=False)
    outcomes = [
        {name: bool(number >> bit & 1) for bit, name in enumerate(names)}
        for number in range(MAX_VARIANTS + 1)
    ]
    for values in outcomes[:MAX_VARIANTS]:
        executor.compile(operation, values)
    found = await executor.execute(operation, outcomes[-1], cast("Context", World()))
    assert found.plan == "generic(too many outcomes of @skip and @include)"
    assert not executor._wanted
