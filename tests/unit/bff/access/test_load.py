"""bff/access/load.py: how much is let in, who waits, and who is shed."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from bff.access.load import COME_BACK_S, FIRST_LIMIT, TICK_S, Load
from bff.config import AdmissionConfig
from bff.errors import Overloaded
from bff.request import Priority

USER, PREFETCH, BACKGROUND = Priority


class Counted(Load):
    """A load that keeps what it sheds."""

    def __init__(self, **config: Any) -> None:
        self.why: Counter[tuple[str, str]] = Counter()
        super().__init__(AdmissionConfig(**config), lambda *labels: self.why.update([labels]))


def full(**config: Any) -> Counted:
    """A load of ten places, all of them taken."""
    load = Counted(min_in_flight=10, max_in_flight=10, **config)
    assert [load.enters(USER) for _ in range(11)] == [True] * 10 + [False]
    return load


@contextmanager
def watched(load: Load) -> Iterator[None]:
    load.begin()
    try:
        yield
    finally:
        load.end()


def test_classes_have_their_parts() -> None:
    """Prefetches stop at six tenths, background work at three, people at the limit."""
    load = Counted(min_in_flight=10, max_in_flight=10)
    assert [load.enters(BACKGROUND) for _ in range(5)].count(True) == 3
    assert [load.enters(PREFETCH) for _ in range(9)].count(True) == 3
    assert [load.enters(USER) for _ in range(9)].count(True) == 4
    assert load.in_flight == 10


def test_without_a_limit_all_enter() -> None:
    """`max_in_flight: 0` takes on everything, whatever the lag."""
    load = Counted(max_in_flight=0)
    for _ in range(20):
        assert all(load.enters(BACKGROUND) for _ in range(500))
        load.measured(5.0)
    assert load.in_flight == 10_000


def test_lag_takes_away_and_need_gives_back() -> None:
    """A loop that stays late is given less and less, down to the least; one that keeps up is given
    more as soon as somebody has to wait for a place, up to the most."""
    load = Counted(min_in_flight=20, max_in_flight=300)
    assert load.limit == FIRST_LIMIT
    for _ in range(FIRST_LIMIT):
        load.enters(USER)
    limits = []
    for _ in range(80):
        load.leave()
        load.enters(USER)
        load.measured(0.2)
        limits.append(load.limit)
        load.leave(max(0, load.in_flight - int(load.limit)))
    assert limits == sorted(limits, reverse=True)
    assert load.limit == 20
    for _ in range(100):
        load.measured(0.0)
    assert load.limit == 20
    for lag_s, reached in ((0.03, 20), (0.02, FIRST_LIMIT), (0.004, FIRST_LIMIT), (0.001, 300)):
        for _ in range(40):  # until the lag is what it is measured as
            load.measured(lag_s)
        for _ in range(200):
            load._held_back = True
            load.measured(lag_s)
        assert load.limit == pytest.approx(reached, abs=FIRST_LIMIT * 0.06), lag_s


def test_one_long_step_changes_nothing() -> None:
    """A single hiccup of the loop costs no place, and lag at rest is not blamed on requests."""
    load = Counted()
    for _ in range(150):
        load.enters(USER)
    load.measured(0.16)
    assert load.limit == FIRST_LIMIT
    idle = Counted()
    for _ in range(50):
        idle.measured(1.0)
    assert idle.limit == FIRST_LIMIT


async def let_in_order(load: Counted, names: dict[str, Priority], pause_s: float) -> list[str]:
    """In which order those who came one after another were let in, by places that got free after a
    pause."""
    order: list[str] = []

    async def comes(name: str, priority: Priority) -> None:
        if await load.waits(priority):
            order.append(name)

    tasks = [asyncio.create_task(comes(*one)) for one in names.items()]
    await asyncio.sleep(pause_s)
    assert load.waiting == len(names)
    for _ in range(8):
        load.leave()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks)
    assert (load.waiting, load.in_flight, load.why) == (0, 2 + len(names), {})
    return order


async def test_a_free_place_ends_the_wait() -> None:
    """Who waits is let in when somebody leaves: people before prefetches, in turn; once the wait
    has got long the newest first."""
    names = {"prefetch": PREFETCH, "first": USER, "second": USER}
    soon = await let_in_order(full(max_wait_ms=20_000), names, 0)
    assert soon == ["first", "second", "prefetch"]
    late = await let_in_order(full(max_wait_ms=100), names, 0.06)
    assert late == ["second", "first", "prefetch"]


async def test_waiting_ends_in_time() -> None:
    """Who found no place is told so after `max_wait_ms`, at the next tick."""
    load = full(max_wait_ms=60)
    with watched(load):
        begun = time.monotonic()
        assert not await load.waits(USER)
        assert time.monotonic() - begun >= 0.06
    assert load.why == {("user", "late"): 1}
    assert (load.waiting, load.in_flight) == (0, 10)


async def test_people_displace_machines() -> None:
    """In a full queue the least urgent make way, the oldest of them first; equals do not."""
    load = full(max_waiting=2)
    background = asyncio.create_task(load.waits(BACKGROUND))
    prefetch = asyncio.create_task(load.waits(PREFETCH))
    await asyncio.sleep(0)
    assert not await load.waits(BACKGROUND)
    people = [asyncio.create_task(load.waits(USER)) for _ in range(2)]
    assert (await background, await prefetch) == (False, False)
    assert not await load.waits(USER)
    assert load.why == {
        ("background", "full"): 1,
        ("background", "displaced"): 1,
        ("prefetch", "displaced"): 1,
        ("user", "full"): 1,
    }
    load.leave(2)
    assert await asyncio.gather(*people) == [True, True]


async def test_who_leaves_while_waiting_takes_no_place() -> None:
    """A waiter that is cancelled, before or just after his turn came, leaves nothing behind."""
    load = full()
    early, late = (asyncio.create_task(load.waits(USER)) for _ in range(2))
    await asyncio.sleep(0)
    early.cancel()
    await asyncio.sleep(0)
    load.leave()
    late.cancel()
    await asyncio.gather(early, late, return_exceptions=True)
    assert (early.cancelled(), late.cancelled()) == (True, True)
    load.leave()
    assert (load.in_flight, load.waiting) == (8, 0)


def test_documents_are_looked_at_again() -> None:
    """What turns out to be a prefetch is shed where a prefetch would have found no place."""
    load = full()
    load.check(USER)
    with pytest.raises(Overloaded) as shed:
        load.check(PREFETCH)
    low, high = COME_BACK_S[PREFETCH]
    assert low * 1000 <= shed.value.extensions["retryAfterMs"] <= high * 1000
    load.leave(4)
    load.check(PREFETCH)
    assert load.why == {("prefetch", "document"): 1}


async def test_lag_is_measured() -> None:
    """A loop that is held shows as lag, one that is not hardly does."""
    load = Counted()
    with watched(load):
        async with asyncio.timeout(5):
            while load.lag_s < 0.02:
                time.sleep(0.15)
                await asyncio.sleep(TICK_S / 2)
    assert load._timer is None


def test_shed_callers_come_back_apart() -> None:
    """People are asked back within seconds, machines much later, none at the same instant."""
    load = Counted()
    for priority, (low, high) in zip(Priority, COME_BACK_S, strict=True):
        found = {load.come_back_ms(priority) for _ in range(100)}
        assert low * 1000 <= min(found)
        assert max(found) <= high * 1000
        assert len(found) > 50
