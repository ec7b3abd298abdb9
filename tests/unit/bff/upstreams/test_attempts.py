"""Second tries, hedges, slots and probes, over a transport without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.contract import Scope
from bff.errors import (
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from bff.upstreams.attempts import ROOM_S
from bff.upstreams.calls import Caller
from bff.upstreams.method import Method
from bff.upstreams.transport import (
    AnswerTooLarge,
    CallUnsendable,
    Incoming,
    Outgoing,
    TransportFailure,
    TransportTimeout,
)
from tests.unit.bff.upstreams.fakes import FakeTransport, answer, problem, sample, services
from tests.unit.bff.upstreams.tries import (
    AGAIN,
    BATCH,
    CRITICAL,
    GOOD,
    READ,
    WRITE,
    Given,
    Slow,
    Word,
    asking,
    busy,
    ends,
    in_turn,
)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    with capture_logs():
        yield


READS_ONLY = [problem(500, "INTERNAL"), Incoming(501, "", b""), TransportTimeout("late")]
EVERYTHING = [busy(502), busy(503), busy(504), TransportFailure("reset")]
NOTHING = [
    problem(404, "NOT_FOUND"),
    problem(409, "CONFLICT"),
    problem(429, "RATE_LIMITED"),
    problem(401, "CALLER_UNKNOWN"),
    problem(504, "DEADLINE_SPENT"),
    Incoming(307, "", b""),
    answer({"word": 5}),
    AnswerTooLarge("too long"),
    CallUnsendable("a header cannot be sent"),
]


@pytest.mark.parametrize(
    ("given", "again_for"),
    [
        *((given, {"read", "batch"}) for given in READS_ONLY),
        *((given, {"read", "batch", "keyed write"}) for given in EVERYTHING),
        *((given, set[str]()) for given in NOTHING),
    ],
    ids=lambda value: getattr(value, "status", type(value).__name__),
)
async def test_what_is_tried_again(given: Given, again_for: set[str]) -> None:
    """Reads after any failure of the service; writes only with a key, and only where nothing of
    them can still be under way; nothing a second call would not mend."""
    kinds: dict[str, Callable[[Caller], Awaitable[Any]]] = {
        "read": lambda caller: caller.call(READ),
        "batch": lambda caller: caller.call(BATCH, body={"ids": ["1"]}),
        "keyed write": lambda caller: caller.call(WRITE, idempotency_key="key-1"),
        "write": lambda caller: caller.call(WRITE, idempotency_key=""),
        "critical": lambda caller: caller.call(CRITICAL),
    }
    for kind, call in kinds.items():
        transport = in_turn(given, GOOD)
        made = services(transport, **AGAIN)
        outcome = await ends(call(asking(made)))
        again = kind in again_for
        assert (len(transport.calls), outcome == "ok") == (1 + again, again), kind
        labels = {"service": "content", "outcome": "ok"}
        assert sample(made.metrics, "facet_upstream_retries_total", **labels) == again


async def test_second_failure_is_the_answer() -> None:
    """There is no third try; what the second ended with is answered, and both were one call."""
    transport = in_turn(busy(502), problem(500, "INTERNAL"), GOOD)
    made = services(transport, **AGAIN)
    caller = asking(made)
    assert await ends(caller.call(READ)) == "UPSTREAM_UNAVAILABLE"
    assert len(transport.calls) == 2
    assert caller.log.total == 1
    labels = {"service": "content", "method": "word", "outcome": "UPSTREAM_UNAVAILABLE"}
    assert sample(made.metrics, "facet_upstream_calls_total", **labels) == 1


async def test_second_try_is_told_its_time() -> None:
    """It goes out with what is left of the request's time, in the header as in fact."""
    transport = Slow(0.05, 0)
    transport.answering = in_turn(busy(502), GOOD).answering
    made = services(transport, **AGAIN)
    await asking(made, 400).call(READ)
    told = [int(call.headers["x-deadline-ms"]) for call in transport.calls]
    assert told[1] <= told[0] - 50
    assert transport.calls[1].timeout <= transport.calls[0].timeout - 0.05


async def test_silence_leaves_no_second_try() -> None:
    """A call cut off by the request's own deadline is not made again."""
    transport = in_turn(TransportTimeout("late"))
    assert await ends(asking(services(transport, **AGAIN), 300).call(READ)) == "DEADLINE_EXCEEDED"
    assert len(transport.calls) == 1


def in_seconds(seconds: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("retry_after", "calls", "told_ms"),
    [
        ("0", 2, None),
        ("2", 1, 2000),
        ("9" * 30, 1, 3_600_000),
        ("9" * 400, 1, 3_600_000),
        ("-1", 2, None),
        ("soon", 2, None),
        ("\u0662", 2, None),
        (None, 2, None),
    ],
)
async def test_pause_a_service_asks_for(
    retry_after: str | None, calls: int, told_ms: int | None
) -> None:
    """A pause that does not fit the request's time goes to the app instead; one that makes no
    sense is not heard."""
    transport = in_turn(busy(retry_after=retry_after), GOOD)
    caller = asking(services(transport, **AGAIN))
    try:
        await caller.call(READ)
        told = None
    except UpstreamOverloaded as error:
        told = error.extensions["retryAfterMs"]
    assert (len(transport.calls), told) == (calls, told_ms)


async def test_pause_as_a_date() -> None:
    """The other form of Retry-After (RFC 9110 section 10.2.3) means the same."""
    transport = in_turn(busy(retry_after=in_seconds(30)), GOOD)
    with pytest.raises(UpstreamOverloaded) as refused:
        await asking(services(transport, **AGAIN)).call(READ)
    assert 20_000 < refused.value.extensions["retryAfterMs"] <= 30_000
    transport = in_turn(busy(retry_after=in_seconds(-30)), GOOD)
    assert (await asking(services(transport, **AGAIN)).call(READ)).word == "yes"


@pytest.mark.parametrize("share", [0.5, 1.0])
@pytest.mark.parametrize("breaker", [True, False])
async def test_amplification_is_bounded(share: float, breaker: bool) -> None:
    """Of 1,500 calls of which half or all fail, the service sees at most a tenth more than were
    asked, with the breaker or by the budget alone."""
    counted = 0

    def send(_: Outgoing) -> Incoming:
        nonlocal counted
        counted += 1
        return problem(500, "INTERNAL") if counted % 2 or share == 1.0 else GOOD

    transport = FakeTransport(send)
    rules = AGAIN if breaker else {**AGAIN, "breaker_calls": 1_000_000}
    made = services(transport, **rules)
    outcomes = [await ends(asking(made).call(READ)) for _ in range(1500)]
    assert outcomes.count("UPSTREAM_UNAVAILABLE") > 0.4 * 1500, "the fault was not injected"
    assert len(transport.calls) <= 1.10 * 1500
    if not breaker:
        assert len(transport.calls) > 1500, "nothing was tried again"


async def test_open_breaker_spares_the_service() -> None:
    """Once it failed often enough nothing is sent for a while; apps learn when to come back."""
    transport = in_turn(busy(500))
    made = services(transport)
    for _ in range(20):
        await ends(asking(made).call(READ))
    caller = asking(made)
    with pytest.raises(UpstreamUnavailable) as refused:
        await caller.call(READ)
    assert 0 < refused.value.extensions["retryAfterMs"] <= 5000
    assert (len(transport.calls), caller.log.total) == (20, 0)


async def test_short_deadlines_open_nothing() -> None:
    """Clients that give their requests no time cannot take a service away from all others."""
    transport = Slow(asyncio.Event())
    made = services(transport)
    late = [ends(asking(made, 20).call(READ)) for _ in range(60)]
    assert set(await asyncio.gather(*late)) == {"DEADLINE_EXCEEDED"}
    assert len(transport.calls) == 60
    assert made.guards.get("content").breaker.closed  # type: ignore[union-attr]


async def test_bad_keys_open_nothing() -> None:
    """A header that cannot be sent is the app's fault: the service stays in reach."""
    transport = in_turn(CallUnsendable("a header cannot be sent"))
    made = services(transport)
    for _ in range(60):
        await ends(asking(made).call(WRITE, idempotency_key="a\nb"))
    transport.answering = lambda _: GOOD
    assert await ends(asking(made).call(READ)) == "ok"


async def test_probe_waits_no_longer_than_slow() -> None:
    """The call that finds out whether a service is back is not given more time than a good one
    would need."""
    transport = in_turn(busy(500))
    made = services(transport, open_ms=10, slow_ms=120)
    for _ in range(20):
        await ends(asking(made).call(READ))
    await asyncio.sleep(0.02)
    transport.answering = lambda _: GOOD
    assert await ends(asking(made).call(READ)) == "ok"
    assert transport.calls[-1].timeout == 0.12
    assert transport.calls[-1].headers["x-deadline-ms"] == "120"
    assert await ends(asking(made).call(READ)) == "ok"
    assert transport.calls[-1].timeout == 1.0


async def test_writing_probe_holds_nobody_up() -> None:
    """A write in silence decides by the time of a slow call that the service is not back, and goes
    on; the next probe may be sent then, and the write's own end changes nothing of what that found
    out."""
    transport = in_turn(busy(500))
    made = services(transport, open_ms=20, slow_ms=40)
    guard = made.guards.get("content")
    assert guard is not None
    for _ in range(20):
        await ends(asking(made).call(READ))
    await asyncio.sleep(0.03)
    gate = asyncio.Event()
    silent = Slow(gate, 0.0)
    transport.send = silent.send  # type: ignore[method-assign]
    write = asyncio.create_task(ends(asking(made).call(WRITE, idempotency_key="key-1")))
    async with asyncio.timeout(5):
        while not silent.calls:
            await asyncio.sleep(0)
        assert await ends(asking(made).call(READ)) == "UPSTREAM_UNAVAILABLE"
        while await ends(asking(made).call(READ)) != "ok":
            await asyncio.sleep(0.005)
    assert guard.breaker.closed
    assert (made.effects.in_flight, silent.cancelled) == (1, 0)
    gate.set()
    assert await write == "ok"
    assert guard.breaker.closed


async def test_security_news_pass_everything() -> None:
    """Keys and revocations are asked for past an open breaker and a full service: both are about
    a service's other answers."""
    gate = asyncio.Event()
    transport = Slow(gate)
    made = services(transport, max_in_flight=1, max_wait_ms=0)
    holding = asyncio.create_task(asking(made).call(READ))
    await asyncio.sleep(0)
    news = asyncio.create_task(asking(made).call(CRITICAL))
    await asyncio.sleep(0.01)
    assert len(transport.calls) == 2
    gate.set()
    await asyncio.gather(holding, news)
    transport.answering = in_turn(busy(500)).answering
    for _ in range(25):
        await ends(asking(made).call(READ))
    sent = len(transport.calls)
    assert await ends(asking(made).call(READ)) == "UPSTREAM_UNAVAILABLE"
    assert len(transport.calls) == sent, "the breaker is not open"
    transport.answering = lambda _: GOOD
    assert await ends(asking(made).call(CRITICAL)) == "ok"


async def test_silent_service_holds_its_own_slots() -> None:
    """A service that hangs takes as many calls as it has slots; the next ones are refused within
    their short wait, and another service does not notice."""
    transport = Slow(asyncio.Event())
    made = services(transport, max_in_flight=3, max_wait_ms=5)
    calls = [asyncio.create_task(ends(asking(made, 400).call(READ))) for _ in range(10)]
    done, _ = await asyncio.wait(calls, timeout=0.2)
    assert [task.result() for task in done] == ["UPSTREAM_OVERLOADED"] * 7
    other = Method("accounts", "word", "GET", "/v1/word", Scope.SHARED, Word)
    transport.send = FakeTransport(lambda _: GOOD).send  # type: ignore[method-assign]
    assert await ends(asking(made).call(other)) == "ok"
    assert {await task for task in calls if task not in done} == {"DEADLINE_EXCEEDED"}


async def test_who_leaves_frees_no_slot() -> None:
    """Callers that give up do not make room for more calls to a service that hangs."""
    transport = Slow(asyncio.Event())
    made = services(transport, max_in_flight=3, max_wait_ms=0)
    calls = [asyncio.create_task(asking(made, 300).call(READ)) for _ in range(3)]
    await asyncio.sleep(0.01)
    for task in calls:
        task.cancel()
    await asyncio.wait(calls)
    assert transport.cancelled == 3
    assert await ends(asking(made).call(READ)) == "UPSTREAM_OVERLOADED"
    guard = made.guards.get("content")
    assert guard is not None
    async with asyncio.timeout(10):
        while guard.bulkhead.in_flight:
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("given", [GOOD, busy(500), KeyError("ours"), answer({"word": 1})])
async def test_every_end_frees_its_slot(given: Given) -> None:
    """However calls end, no slot is lost."""
    made = services(in_turn(given), max_in_flight=1, breaker_calls=1000)
    for _ in range(5):
        await asyncio.gather(asking(made).call(READ), return_exceptions=True)
        await asyncio.gather(
            asking(made).call(WRITE, path={"x": ".."}, idempotency_key="k"), return_exceptions=True
        )
    guard = made.guards.get("content")
    assert guard is not None
    assert guard.bulkhead.in_flight == 0


# --- hedges


async def test_slow_read_is_asked_twice() -> None:
    """A read that is not back in time is sent again; the first answer counts, the other call is
    given up, and both are counted."""
    transport = Slow(asyncio.Event(), 0)
    made = services(transport, hedge_after_ms=5, **AGAIN)
    assert (await asking(made).call(READ)).word == "yes"
    await asyncio.sleep(0)
    assert (len(transport.calls), transport.cancelled) == (2, 1)
    labels = {"service": "content", "outcome": "won"}
    assert sample(made.metrics, "facet_upstream_hedges_total", **labels) == 1


@pytest.mark.parametrize("given", [busy(500), TransportFailure("reset")])
async def test_failed_hedge_leaves_the_first(given: Given) -> None:
    """A second call that fails does not take the place of a first that is still under way."""
    gate = asyncio.Event()
    transport = Slow(gate, 0)
    transport.answering = in_turn(given, GOOD).answering
    made = services(transport, hedge_after_ms=5, **AGAIN)
    asked = asyncio.create_task(asking(made).call(READ))
    async with asyncio.timeout(10):
        while len(transport.calls) < 2:
            await asyncio.sleep(0.001)
    await asyncio.sleep(0.005)
    assert not asked.done()
    gate.set()
    assert (await asked).word == "yes"
    labels = {"service": "content", "outcome": "lost"}
    assert sample(made.metrics, "facet_upstream_hedges_total", **labels) == 1


async def test_quick_reads_are_asked_once() -> None:
    """What answers in time costs one call; so does a write, however long it takes."""
    transport = Slow(0)
    made = services(transport, hedge_after_ms=200, **AGAIN)
    await asking(made).call(READ)
    slow = Slow(0.05)
    made = services(slow, hedge_after_ms=5, **AGAIN)
    await asking(made).call(WRITE, idempotency_key="key-1")
    assert (len(transport.calls), len(slow.calls)) == (1, 1)


async def test_hedges_spend_the_same_budget() -> None:
    """Hedges are second tries: a hundred slow reads get as many as the budget has."""
    transport = Slow(0.02)
    made = services(transport, hedge_after_ms=1, **AGAIN)
    await asyncio.gather(*(ends(asking(made).call(READ)) for _ in range(90)))
    assert 90 < len(transport.calls) <= 90 + 5 + 9


async def test_leaving_ends_both() -> None:
    """Who leaves takes both calls along."""
    transport = Slow(asyncio.Event())
    made = services(transport, hedge_after_ms=1, **AGAIN)
    asked = asyncio.create_task(asking(made).call(READ))
    async with asyncio.timeout(10):
        while len(transport.calls) < 2:
            await asyncio.sleep(0.001)
    asked.cancel()
    await asyncio.wait([asked])
    await asyncio.sleep(0)
    assert transport.cancelled == 2


async def test_second_try_leaves_room() -> None:
    """A second try ends before the request does, so that something kept can stand in for it, and
    its being cut short says less than the failure it was to mend."""
    transport = Slow(0.0, 10.0)
    transport.answering = in_turn(busy(502), GOOD).answering
    caller = asking(services(transport, **AGAIN), 400)
    assert await ends(caller.call(READ)) == "UPSTREAM_UNAVAILABLE"
    assert len(transport.calls) == 2
    assert caller.deadline.remaining() > 0
    assert transport.calls[1].timeout <= 0.4 - ROOM_S
