"""Writes, once sent, run to their end: whoever leaves, whatever time is up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from bff.errors import BadUserInput, DeadlineExceeded, UpstreamBadResponse, UpstreamTimeout
from tests.unit.bff.upstreams.fakes import answer, problem, sample, services
from tests.unit.bff.upstreams.tries import GOOD, WRITE, Slow, asking, in_turn


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
