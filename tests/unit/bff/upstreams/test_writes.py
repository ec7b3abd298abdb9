"""Writes, once sent, run to their end: whoever leaves, whatever time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.errors import (
    BadUserInput,
    Conflict,
    DeadlineExceeded,
    FieldError,
    UpstreamBadResponse,
    UpstreamTimeout,
)
from bff.store.records import RecordCache
from bff.upstreams.calls import Caller
from bff.upstreams.transport import (
    CallUnsendable,
    NotConnected,
    TransportFailure,
    TransportTimeout,
)
from tests.unit.bff.store.kept import OWN, World, viewer
from tests.unit.bff.upstreams.fakes import (
    VIEWER,
    FakeTransport,
    answer,
    problem,
    sample,
    services,
)
from tests.unit.bff.upstreams.tries import (
    AGAIN,
    GOOD,
    WRITE,
    Given,
    Slow,
    asking,
    busy,
    in_turn,
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


async def test_deadline_does_not_stop_a_write() -> None:
    """Its request is answered at the deadline; the write goes on, and its end is counted."""
    gate = asyncio.Event()
    transport = Slow(gate)
    made = services(transport)
    with pytest.raises(DeadlineExceeded):
        await asking(made, 60).call(WRITE, idempotency_key="key-1")
    assert (made.effects.in_flight, transport.cancelled) == (1, 0)
    gate.set()
    assert await made.effects.settle(10) == 0
    await asyncio.sleep(0)
    labels = {"service": "content", "outcome": "ok"}
    assert sample(made.metrics, "facet_effects_ended_late_total", **labels) == 1


async def test_leaving_does_not_stop_a_write() -> None:
    """A request cancelled from outside leaves its write running to its end."""
    gate = asyncio.Event()
    transport = Slow(gate)
    made = services(transport)
    asked = asyncio.create_task(asking(made).call(WRITE, idempotency_key="key-1"))
    async with asyncio.timeout(10):
        while not transport.calls:
            await asyncio.sleep(0)
    asked.cancel()
    await asyncio.wait([asked])
    assert (asked.cancelled(), transport.cancelled, made.effects.in_flight) == (True, 0, 1)
    gate.set()
    assert await made.effects.settle(10) == 0


@pytest.mark.parametrize(
    ("ends", "drops"),
    [
        (TransportFailure("reset"), True),
        (TransportTimeout("no answer"), True),
        (busy(500), True),
        (answer([]), True),
        (problem(422, "BAD_INPUT"), False),
        (busy(503), False),
        (NotConnected("refused"), False),
        (CallUnsendable("a header"), False),
    ],
)
async def test_lost_write_makes_old(ends: Given, drops: bool) -> None:
    """A write that may have been done drops what is kept for its viewer, not for others; one that
    certainly was not leaves everything in place."""
    asked, cache = _kept(in_turn(ends))
    with suppress(FieldError):
        await asked.call(WRITE, idempotency_key="key-1")
    assert _accounts(cache) == ({"acc_2"} if drops else {"account-1", "acc_2"})


async def test_given_up_write_makes_old() -> None:
    """So does one that ended in silence long after its request was answered, and one whose second
    try was refused: the first may have been done."""
    asked, cache = _kept(Slow(asyncio.Event()))
    guard = asked._services.guards.get("content")
    assert guard is not None
    guard.timeout_s, guard.effect_timeout_s = 0.02, 0.06
    with pytest.raises(UpstreamTimeout):
        await asked.call(WRITE, idempotency_key="key-1")
    assert _accounts(cache) == {"account-1", "acc_2"}
    assert await asked._services.effects.settle(10) == 0
    assert _accounts(cache) == {"acc_2"}
    asked, cache = _kept(in_turn(busy(502), problem(409, "CONFLICT")), **AGAIN)
    with pytest.raises(Conflict):
        await asked.call(WRITE, idempotency_key="key-1")
    assert _accounts(cache) == {"acc_2"}


def _kept(transport: FakeTransport, **rules: Any) -> tuple[Caller, RecordCache]:
    """A request of account-1's, and a cache with an answer of its account's and another's."""
    world = World()
    for who in (VIEWER, viewer("acc_2")):
        world.keep({"a": "A"}, "private, max-age=0, stale-if-error=60", viewer=who)
    asked = asking(replace(services(transport, **rules), cache=world.cache))
    asked.viewer = VIEWER
    return asked, world.cache


def _accounts(cache: RecordCache) -> set[str]:
    places: list[Any] = list(cache.shelf(OWN).entries)
    return {place[0].account_id for place in places}


async def test_write_is_told_the_truth() -> None:
    """A service learns how long somebody waits for the answer, not how long we would listen."""
    transport = in_turn(GOOD)
    await asking(services(transport), 700).call(WRITE, idempotency_key="key-1")
    (call,) = transport.calls
    assert 600 < int(call.headers["x-deadline-ms"]) <= 700
    assert call.timeout == 5.0


async def test_slow_write_is_late_not_lost() -> None:
    """A write that takes longer than its service may is UPSTREAM_TIMEOUT while it goes on."""
    transport = Slow(asyncio.Event())
    made = services(transport)
    guard = made.guards.get("content")
    assert guard is not None
    guard.timeout_s, guard.effect_timeout_s = 0.05, 0.15
    with pytest.raises(UpstreamTimeout):
        await asking(made).call(WRITE, idempotency_key="key-1")
    assert made.effects.in_flight == 1
    assert await made.effects.settle(10) == 0


async def test_refused_write_is_answered() -> None:
    """A write's own refusal reaches the app as ever."""
    with pytest.raises(BadUserInput):
        await asking(services(in_turn(problem(422, "BAD_INPUT")))).call(
            WRITE, idempotency_key="key-1"
        )
    with pytest.raises(UpstreamBadResponse):
        await asking(services(in_turn(answer([])))).call(WRITE, idempotency_key="key-1")
