"""Shadow mode judges no answer that time has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.unit.bff.plans.shadow_world import PersonLoader, Shadowing, World, context

PERSON = '{ person(key: "x") { name } }'


async def test_answer_cut_short_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loader that takes longer than the request: the answer leaves without it, the pair tells
    nothing, and the plan stays in use."""

    async def slow(_: PersonLoader, keys: Sequence[str]) -> list[Any]:
        await asyncio.sleep(0.3)
        return [World.source("PersonLoader", key) for key in keys]

    monkeypatch.setattr(PersonLoader, "fetch", slow)
    shadowing = Shadowing()
    found = await shadowing.ask(PERSON, within=context(milliseconds=30))
    assert found.data == {"person": None}, "the answer was not cut short"
    assert await shadowing.judged() == ["inconclusive"]
    again = await shadowing.ask(PERSON, within=context(milliseconds=5_000))
    assert again.data == {"person": {"name": "Secret x"}}
    assert await shadowing.judged(2) == ["inconclusive", "equal"]
