"""One service's guard: what counts against it, who is turned away, and what operators see."""

from __future__ import annotations

import asyncio

import pytest
from structlog.testing import capture_logs

from bff.errors import UpstreamOverloaded, UpstreamUnavailable
from bff.upstreams.guard import Verdict
from bff.upstreams.guard.guard import LEAST_RETRY_S, MOST_LAG_S
from tests.unit.bff.upstreams.guard.clock import Watched

SLOW_S = 0.5
STATE = "facet_upstream_breaker_state"


def open_breaker(watched: Watched) -> None:
    with capture_logs():
        for _ in range(20):
            watched.called(Verdict.BAD)
    assert not watched.guard.breaker.closed


@pytest.mark.parametrize(
    ("verdict", "took_s", "opens"),
    [
        (Verdict.GOOD, 0.01, False),
        (Verdict.BAD, 0.01, True),
        (Verdict.GOOD, SLOW_S, True),
        (Verdict.LATE, 0.3, True),
        (Verdict.CUT, 0.01, False),
        (Verdict.CUT, SLOW_S - 0.01, False),
        (Verdict.CUT, SLOW_S, True),
    ],
)
def test_what_counts_against_a_service(verdict: Verdict, took_s: float, opens: bool) -> None:
    """Failures and silence do, and slow answers; a call cut short by whoever asked does not,
    unless it had waited as long as a slow one."""
    watched = Watched()
    with capture_logs():
        for _ in range(19):
            watched.called(verdict, took_s)
            watched.clock.now -= took_s
        assert watched.guard.breaker.closed
        watched.called(verdict, took_s)
    assert watched.guard.breaker.closed is not opens


@pytest.mark.parametrize(("verdict", "took_s"), [(Verdict.LATE, 1.0), (Verdict.GOOD, SLOW_S)])
def test_own_lag_is_no_evidence(verdict: Verdict, took_s: float) -> None:
    """While this process is late itself, silence and slowness say nothing; failures still do."""
    watched = Watched()
    watched.clock.lag = MOST_LAG_S * 2
    for _ in range(40):
        watched.called(verdict, took_s)
        watched.clock.now -= took_s
    assert watched.guard.breaker.closed
    open_breaker(watched)


@pytest.mark.parametrize(("taken", "opens"), [(9, False), (0, True)])
def test_own_crowd_is_no_evidence(taken: int, opens: bool) -> None:
    """Answers that are slow because half of the slots are taken count as good ones: a busy service
    that answers is not taken away. Silence counts all the same."""
    watched = Watched(rules={"max_in_flight": 18})
    for _ in range(taken):
        assert watched.guard.bulkhead.take()
    with capture_logs():
        for _ in range(20):
            watched.called(Verdict.GOOD, SLOW_S)
            watched.clock.now -= SLOW_S
        assert watched.guard.breaker.closed is not opens
        for _ in range(20):
            watched.called(Verdict.LATE, 1.0)
            watched.clock.now -= 1.0
    assert not watched.guard.breaker.closed


def test_opening_is_told_once() -> None:
    """One line when it opens and one when it closes, with figures; the metrics follow."""
    watched = Watched()
    with capture_logs() as logs:
        for _ in range(25):
            watched.called(Verdict.BAD)
        assert watched.shown(STATE) == 2
        watched.clock.now += 5
        assert watched.shown(STATE) == 1
        assert watched.guard.knock()
        watched.called(Verdict.GOOD, probe=True)
    assert watched.shown(STATE) == 0
    assert watched.shown("facet_upstream_breaker_opened_total") == 1
    assert [line["event"] for line in logs] == ["breaker_opened", "breaker_closed"]
    assert (logs[0]["upstream"], logs[0]["calls"], logs[0]["bad"]) == ("content", 20, 20)


def test_open_breaker_turns_away() -> None:
    """A call is refused with a code and told when to come back; it counts as no call."""
    watched = Watched()
    open_breaker(watched)
    watched.clock.now += 2.0
    with pytest.raises(UpstreamUnavailable) as refused:
        watched.guard.knock()
    assert refused.value.extensions == {"retryAfterMs": 3000}
    assert watched.shown("facet_upstream_rejected_total", reason="breaker") == 1


def test_service_is_back_within_six_seconds() -> None:
    """Whenever the fault ends, five calls in a row are good at most six seconds later: calls come
    every 50 ms, hang while it lasts, and the pause is at its longest."""
    for ends_at in (0.3, 3.0, 4.9, 5.2, 7.7):
        watched = Watched(draw=0.0)
        open_breaker(watched)
        start = watched.clock.now
        assert _recovered(watched, start + ends_at) - (start + ends_at) <= 6.0


def _recovered(watched: Watched, healthy_from: float) -> float:
    good = 0
    with capture_logs():
        while good < 5:
            watched.clock.now += 0.05
            guard = watched.guard
            try:
                probe = not guard.breaker.closed and guard.knock()
            except UpstreamUnavailable:
                good = 0
                continue
            # A probe waits as long as a slow call takes, and what hangs goes on hanging.
            healthy = watched.clock.now >= healthy_from
            took_s = 0.01 if healthy else (guard.slow_s if probe else guard.timeout_s)
            watched.called(Verdict.GOOD if healthy else Verdict.LATE, took_s, probe)
            good = good + 1 if healthy else 0
    return watched.clock.now


async def test_full_service_turns_away() -> None:
    """Without a slot in time a call is UPSTREAM_OVERLOADED, counted, and never sent."""
    watched = Watched(rules={"max_in_flight": 1, "max_wait_ms": 1})
    assert watched.guard.bulkhead.take()
    with pytest.raises(UpstreamOverloaded):
        await watched.guard.wait(False, 1.0)
    assert watched.shown("facet_upstream_rejected_total", reason="bulkhead") == 1
    assert watched.shown("facet_upstream_in_flight") == 1


async def test_who_waited_meets_the_breaker_too() -> None:
    """A breaker that opens while calls wait for slots turns them away; no slot is lost."""
    watched = Watched(rules={"max_in_flight": 2, "max_wait_ms": 1000})
    assert watched.guard.bulkhead.take()
    waiting = [asyncio.create_task(watched.guard.wait(False, 1.0)) for _ in range(2)]
    open_breaker(watched)
    assert watched.guard.bulkhead.take()
    await asyncio.sleep(0)
    assert watched.shown("facet_upstream_waiting") == 2
    watched.guard.bulkhead.leave()
    watched.guard.bulkhead.leave()
    ended = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(one) for one in ended] == [UpstreamUnavailable] * 2
    assert watched.guard.bulkhead.in_flight == 0


async def test_probe_without_a_slot_is_given_up() -> None:
    """A probe that finds no slot lets the next call be one."""
    watched = Watched(rules={"max_in_flight": 1, "max_wait_ms": 1})
    open_breaker(watched)
    watched.clock.now += 5
    assert watched.guard.bulkhead.take()
    assert watched.guard.knock()
    with pytest.raises(UpstreamOverloaded):
        await watched.guard.wait(True, 1.0)
    assert watched.guard.knock()


async def test_given_up_call_keeps_its_slot() -> None:
    """A cancelled call's slot is taken until the call's own time is up."""
    watched = Watched(rules={"max_in_flight": 1})
    assert watched.guard.bulkhead.take()
    watched.clock.now += 0.1
    watched.guard.given_up(watched.clock.now - 0.1, 0.12, False)
    assert watched.shown("facet_upstream_in_flight") == 1
    async with asyncio.timeout(10):
        while watched.guard.bulkhead.in_flight:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize(
    ("left_s", "retry_after_s", "expected"),
    [
        (1.0, None, 0.025),
        (1.0, 0.5, 0.525),
        (0.5, 0.5, None),
        (0.025 + LEAST_RETRY_S - 0.001, None, None),
    ],
)
def test_pause_fits_the_time(
    left_s: float, retry_after_s: float | None, expected: float | None
) -> None:
    """A second try waits as long as the service asks and a little more, if the caller has that
    time; else there is none, and that is counted."""
    watched = Watched(draw=0.5)
    watched.guard.calls = 100
    assert watched.guard.pause_before_retry(left_s, retry_after_s) == expected
    refused = watched.shown("facet_upstream_retries_refused_total", reason="time")
    assert refused == (expected is None)


def test_no_second_try_past_the_breaker() -> None:
    """While the breaker is not closed nothing is tried again, before the pause or after it."""
    watched = Watched()
    open_breaker(watched)
    assert watched.guard.pause_before_retry(1.0, None) is None
    assert not watched.guard.retake()
    assert not watched.guard.may_hedge()
    assert watched.shown("facet_upstream_retries_refused_total", reason="breaker") == 2
