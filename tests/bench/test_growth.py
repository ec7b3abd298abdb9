"""The growth figures stand for compiled documents alone, or for nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from graphql import OperationDefinitionNode, parse

from bff.plans.execute import graphql_schema
from bff.plans.planner import compile_alone
from bff.plans.store import PER_OPERATION
from tests.bench import growth, growth_data
from tests.bench.growth_schema import schema
from tests.bench.measure import metric
from tests.bench.processes import CannotMeasureError
from tests.bench.setting import Setting

CASES = growth_data.documents(12)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    """Ends what a test started."""
    async with AsyncExitStack() as opened:
        yield opened


def room_of(case: growth_data.Case) -> int:
    """What a gateway counts for a document and its plan, in bytes."""
    document = parse(case.text)
    (definition,) = document.definitions
    assert isinstance(definition, OperationDefinitionNode)
    return compile_alone(graphql_schema(schema), document, definition, {}).size + PER_OPERATION


async def plans_of(stack: AsyncExitStack, setting: Setting, room: int) -> float:
    """How many plans a gateway has once it may be measured, with so many bytes for them."""
    told = {"BFF__PLANS__MAX_MEMORY": str(room)}
    running = await growth.gateway(stack, setting, f"growth-{room}", CASES, **told)
    return sum((await metric(running, growth.COMPILED)).values())


async def test_documents_beyond_foresight_count(stack: AsyncExitStack, setting: Setting) -> None:
    """What a gateway does not compile ahead, for its room is three quarters full, is compiled
    before anything is measured."""
    needed = sum(room_of(case) for case in CASES)
    room = needed + 1_000
    assert needed - room_of(CASES[-1]) > room * 3 // 4
    assert await plans_of(stack, setting, room) == len(CASES)


async def test_no_room_is_no_figure(
    stack: AsyncExitStack, setting: Setting, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where plans leave for want of room nothing is measured, and it is said what to raise."""
    monkeypatch.setattr(growth, "STALLED_AFTER_S", 0.5)
    room = sum(room_of(case) for case in CASES) // 2
    with pytest.raises(CannotMeasureError, match=r"of 12 documents .*BFF__PLANS__MAX_MEMORY"):
        await plans_of(stack, setting, room)
