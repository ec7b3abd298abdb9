"""Slots of one service: who gets in, who waits, who is turned away."""

from __future__ import annotations

import asyncio
import random

import pytest

from bff.upstreams.guard.bulkhead import Bulkhead

LONG_S = 30.0


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_slots_are_counted() -> None:
    """As many calls as there are slots get in, and one more for each that leaves."""
    bulkhead = Bulkhead(2, 0)
    assert [bulkhead.take() for _ in range(3)] == [True, True, False]
    bulkhead.leave()
    assert bulkhead.take()
    assert bulkhead.in_flight == 2


async def test_longest_waiting_goes_first() -> None:
    """A freed slot goes to who has waited longest; who comes meanwhile does not overtake."""
    bulkhead = Bulkhead(1, LONG_S)
    assert bulkhead.take()
    order: list[str] = []

    async def wait(name: str) -> None:
        assert await bulkhead.wait(LONG_S)
        order.append(name)

    waiting = [asyncio.create_task(wait(name)) for name in ("first",)]
    await settle()
    bulkhead.leave()
    assert not bulkhead.take(), "the slot was handed on"
    await asyncio.gather(*waiting)
    assert (order, bulkhead.in_flight) == (["first"], 1)


async def test_no_more_wait_than_slots() -> None:
    """The queue is as long as the slots are many; the next one is turned away at once."""
    bulkhead = Bulkhead(2, LONG_S)
    assert bulkhead.take()
    assert bulkhead.take()
    waiting = [asyncio.create_task(bulkhead.wait(LONG_S)) for _ in range(2)]
    await settle()
    assert bulkhead.waiting == 2
    assert not await bulkhead.wait(LONG_S)
    bulkhead.leave()
    bulkhead.leave()
    assert await asyncio.gather(*waiting) == [True, True]
    assert (bulkhead.in_flight, bulkhead.waiting) == (2, 0)


@pytest.mark.parametrize(("own_s", "left_s"), [(0.01, LONG_S), (LONG_S, 0.01), (0, LONG_S)])
async def test_waiting_ends(own_s: float, left_s: float) -> None:
    """Who gets no slot in time, its own or the request's, is told so and leaves no trace."""
    bulkhead = Bulkhead(1, own_s)
    assert bulkhead.take()
    async with asyncio.timeout(10):
        assert not await bulkhead.wait(left_s)
    assert (bulkhead.in_flight, bulkhead.waiting) == (1, 0)


async def test_cancelled_waiter_loses_no_slot() -> None:
    """One cancelled in the very moment it was given a slot hands it on."""
    bulkhead = Bulkhead(1, LONG_S)
    assert bulkhead.take()
    first, second = (asyncio.create_task(bulkhead.wait(LONG_S)) for _ in range(2))
    await settle()
    assert bulkhead.waiting == 1, "the second found the queue full"
    assert not await second
    bulkhead.leave()
    first.cancel()
    await asyncio.wait([first])
    assert first.cancelled()
    assert (bulkhead.in_flight, bulkhead.waiting) == (0, 0)


async def test_abandoned_slot_comes_back_later() -> None:
    """A call given up keeps its slot until its own time is up."""
    bulkhead = Bulkhead(1, LONG_S)
    assert bulkhead.take()
    bulkhead.leave_in(0.02)
    assert not bulkhead.take()
    async with asyncio.timeout(10):
        assert await bulkhead.wait(LONG_S)
    assert bulkhead.take() is False
    bulkhead.leave_in(-1)
    assert bulkhead.in_flight == 0


async def test_forced_slots_are_paid_back() -> None:
    """What must not wait goes in beyond the slots; who waits gets none until there is room."""
    bulkhead = Bulkhead(1, LONG_S)
    assert bulkhead.take()
    bulkhead.force()
    waiting = asyncio.create_task(bulkhead.wait(LONG_S))
    await settle()
    bulkhead.leave()
    await settle()
    assert not waiting.done()
    bulkhead.leave()
    assert await waiting
    assert bulkhead.in_flight == 1


async def test_slots_survive_a_storm() -> None:
    """Two thousand calls that end, wait, give up and are cancelled at random: never more than the
    slots at once, and none left at the end."""
    draw, bulkhead = random.Random(7), Bulkhead(5, 0.002)
    most, got = 0, 0

    async def call() -> None:
        nonlocal most, got
        if not bulkhead.take() and not await bulkhead.wait(draw.choice([0.001, 1.0])):
            return
        got += 1
        most = max(most, bulkhead.in_flight)
        try:
            await asyncio.sleep(draw.choice([0, 0, 0.001]))
        except asyncio.CancelledError:
            bulkhead.leave_in(0.001)
            raise
        bulkhead.leave()

    tasks = []
    for _ in range(2000):
        tasks.append(asyncio.create_task(call()))
        if draw.random() < 0.3:
            draw.choice(tasks[-20:]).cancel()
        if draw.random() < 0.2:
            await asyncio.sleep(0)
    await asyncio.wait(tasks)
    async with asyncio.timeout(10):
        while bulkhead.in_flight:
            await asyncio.sleep(0.001)
    assert got > 50
    assert (most, bulkhead.waiting) == (5, 0)
