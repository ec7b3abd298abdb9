"""What members of one exchange share: what they may cost, and their turns."""

from __future__ import annotations

import asyncio

import pytest
from graphql import DocumentNode

from bff.config import Policy
from bff.documents import documents as documents_room
from bff.documents.budget import Budget
from bff.documents.model import Operation
from bff.documents.prepare import Preparer
from bff.errors import ValidationFailed
from bff.request import OperationRequest
from persisted_queries.scan import Scanned, scan

from .room import CLIENT, Room
from .samples import BROKEN, HOME, ITEM, SAVE


async def test_members_leave_together_in_order() -> None:
    """Members that take turns go on in one turn of the loop, in the order they had them."""
    budget = Budget(1)
    left: list[tuple[int, int]] = []
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async def member(number: int) -> None:
        async with budget.member(), budget.turn():
            pass
        left.append((turns, number))

    serving = asyncio.create_task(others())
    await asyncio.gather(*(member(number) for number in range(4)))
    serving.cancel()
    assert [number for _, number in left] == [0, 1, 2, 3]
    assert left[-1][0] - left[0][0] <= 1


async def test_failure_holds_nobody() -> None:
    """A member that fails, or is cancelled, leaves the others their turns and lets them go."""
    budget = Budget(1)
    entered = asyncio.Event()

    async def failing() -> None:
        async with budget.member(), budget.turn():
            raise ValueError

    async def stuck() -> None:
        async with budget.member(), budget.turn():
            entered.set()
            await asyncio.Event().wait()

    async def member() -> str:
        async with budget.member(), budget.turn():
            return "done"

    async with asyncio.timeout(10):
        cancelled = asyncio.create_task(stuck())
        await entered.wait()
        rest = [asyncio.create_task(failing()), asyncio.create_task(member())]
        await asyncio.sleep(0)
        cancelled.cancel()
        with pytest.raises(ValueError):
            await rest[0]
        assert await rest[1] == "done"
        assert await member() == "done"


async def test_operations_of_one_budget_share_it() -> None:
    """Unregistered operations of one exchange cost together no more than one may, cached or not;
    registered ones cost nothing, and the next exchange begins anew."""
    room = Room("open", max_cost=5)
    for _ in range(2):
        budget = room.documents.budget()
        asked = OperationRequest(text="{ item(id: 1) { id } }")
        for _ in range(2):
            await room.documents.find(asked, CLIENT, budget)
        with pytest.raises(ValidationFailed, match="left of 5") as refused:
            await room.documents.find(asked, CLIENT, budget)
        assert refused.value.errors[0]["locations"] == [{"line": 1, "column": 1}]
        found = await room.documents.find(OperationRequest(document_id="home@7"), CLIENT, budget)
        assert found.size.cost > 5


async def test_first_members_have_the_budget() -> None:
    """Of members that together cost too much the later are refused, known text or not."""
    room = Room("open", max_cost=5)
    for _ in range(2):
        budget = room.documents.budget()
        asked = [OperationRequest(text="{ item(id: 1) { id } }")] * 4
        found = await asyncio.gather(
            *(room.documents.find(one, CLIENT, budget) for one in asked), return_exceptions=True
        )
        assert [isinstance(one, Operation) for one in found] == [True, True, False, False]


async def test_chosen_operation_is_charged() -> None:
    """A document with several operations costs what the chosen one does."""
    room = Room("open", max_cost=4)
    budget = room.documents.budget()
    text = "query A { item(id: 1) { id title kind } } query B { numbers }"
    for name in ("B", "B", "B", "B"):
        await room.documents.find(OperationRequest(text=text, operation_name=name), CLIENT, budget)
    with pytest.raises(ValidationFailed):
        await room.documents.find(OperationRequest(text=text, operation_name="B"), CLIENT, budget)


async def test_introspection_is_shared_too() -> None:
    """`__schema` and `__type`, free of cost, may be asked twice an exchange."""
    room = Room("open")
    budget = room.documents.budget()
    asked = OperationRequest(text='{ __schema { description } __type(name: "Item") { name } }')
    await room.documents.find(asked, CLIENT, budget)
    with pytest.raises(ValidationFailed, match="2 times __schema"):
        await room.documents.find(asked, CLIENT, budget)


@pytest.mark.parametrize(
    ("policy", "asked"),
    [
        ("open", [{"text": f"query Q{n} {{ numbers }}"} for n in range(4)]),
        ("open", [{"text": f"query Q{n} {{ wrong }}"} for n in range(4)]),
        ("registered", [{"text": f"query Q{n} {{ numbers }}"} for n in range(4)]),
        ("registered", [{"document_id": f"{name}@7"} for name in ("home", "save", "broken")]),
        ("registered", [{"text": text} for text in (HOME, SAVE, BROKEN)]),
    ],
    ids=["valid", "refused", "looked at only", "first use by id", "first use by text"],
)
async def test_members_yield_between_them(
    policy: Policy, asked: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between preparing two members of one exchange the loop serves others."""
    room = Room(policy)
    turns = 0
    worked: list[int] = []
    parse = Preparer.parse

    def parsing(self: Preparer, text: str, most: int | None) -> DocumentNode:
        worked.append(turns)
        return parse(self, text, most)

    def scanning(text: str, most: int | None) -> Scanned | None:
        worked.append(turns)
        return scan(text, most)

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(Preparer, "parse", parsing)
    monkeypatch.setattr(documents_room, "scan", scanning)
    serving = asyncio.create_task(others())
    budget = room.documents.budget()
    found = await asyncio.gather(
        *(room.documents.find(OperationRequest(**one), CLIENT, budget) for one in asked),  # type: ignore[arg-type]
        return_exceptions=True,
    )
    serving.cancel()
    assert len(set(worked)) == len(found) == len(asked)


async def test_same_text_is_prepared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Members that send one text share its preparation."""
    room = Room("open")
    prepared: list[str] = []
    parse = Preparer.parse

    def parsing(self: Preparer, text: str, most: int | None) -> DocumentNode:
        prepared.append(text)
        return parse(self, text, most)

    monkeypatch.setattr(Preparer, "parse", parsing)
    budget = room.documents.budget()
    asked = [OperationRequest(text=ITEM)] * 5
    found = await asyncio.gather(*(room.documents.find(one, CLIENT, budget) for one in asked))
    assert prepared == [ITEM]
    assert len(set(map(id, found))) == 1
