"""What requests that share an upstream call must not share: the way out, time, errors, bounds."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.errors import (
    BadUserInput,
    DeadlineExceeded,
    FieldError,
    NotFound,
    UpstreamBadResponse,
    UpstreamOverloaded,
    UpstreamUnavailable,
)
from bff.loaders.accounts import AccountCardByIdLoader, AccountCardRecord
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.transport import Incoming, Outgoing, TransportFailure
from tests.unit.bff.upstreams.crowd import Process, cards, names
from tests.unit.bff.upstreams.fakes import answer, problem

# --- who leaves


async def test_one_who_leaves_costs_nobody() -> None:
    """A cancelled request takes neither the call nor the others' answers along, whoever began."""
    process = Process()
    process.transport.gate.clear()
    tasks = [process.load(process.caller(number), "a") for number in range(3)]
    await process.sent(1)
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])
    process.transport.gate.set()
    assert [names(await task) for task in tasks[1:]] == [["A"], ["A"]]
    assert tasks[0].cancelled()
    assert process.transport.dropped == 0


async def test_deserted_call_is_dropped() -> None:
    """When everybody has left, the call is given up."""
    process = Process()
    process.transport.gate.clear()
    tasks = [process.load(process.caller(number), "a") for number in range(2)]
    await process.sent(1)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    while not process.transport.dropped:
        await asyncio.sleep(0)
    assert all(task.cancelled() for task in tasks)


@pytest.mark.parametrize("leaver", [0, 1, 2])
async def test_keys_of_who_left_early_are_not_asked(leaver: int) -> None:
    """Who leaves before the call does asks for nothing, the one who began to gather too."""
    process = Process()
    tasks = [process.load(process.caller(number), key) for number, key in enumerate("abc")]
    await asyncio.sleep(0)
    tasks[leaver].cancel()
    await asyncio.wait(tasks)
    staying = [key for number, key in enumerate("abc") if number != leaver]
    assert process.transport.ids == [staying]


async def test_stopped_call_hangs_nobody() -> None:
    """A shared call that is itself stopped, as at shutdown, ends the waiting of all."""
    process = Process()
    process.transport.gate.clear()
    tasks = [process.load(process.caller(number), "a") for number in range(2)]
    await process.sent(1)
    (call,) = (
        task
        for task in asyncio.all_tasks()
        if getattr(task.get_coro(), "__qualname__", "") == "SharedCall.run"
    )
    call.cancel()
    await asyncio.wait(tasks, timeout=10)
    assert all(task.cancelled() for task in tasks)


async def test_everyone_leaves_at_their_own_deadline() -> None:
    """Who has no more time gets DEADLINE_EXCEEDED then; the others get the answer."""
    process = Process()
    process.transport.gate.clear()
    patient = process.load(process.caller(0, 60_000), "a")
    hurried = process.load(process.caller(1, 30), "a")
    (error,) = await hurried
    assert isinstance(error, DeadlineExceeded)
    assert not patient.done()
    process.transport.gate.set()
    assert names(await patient) == ["A"]
    assert len(process.transport.calls) == 1


# --- what fails


async def failures(process: Process, count: int = 3) -> list[FieldError]:
    """The errors of requests that ask for the same key at once."""
    callers = [process.caller(number) for number in range(count)]
    with capture_logs():
        found = await asyncio.gather(*(process.load(caller, "a") for caller in callers))
    return [one for (one,) in found]


async def test_everyone_gets_an_error_of_their_own() -> None:
    """The failure reaches every request, in equal words, as an object nobody else holds."""

    def fail(_: Outgoing) -> Incoming:
        raise TransportFailure("connection refused")

    process = Process(fail)
    errors = await failures(process)
    assert [type(error) for error in errors] == [UpstreamUnavailable] * 3
    assert len({id(error) for error in errors}) == 3
    assert {(error.message, error.detail) for error in errors} == {
        (errors[0].message, "connection refused")
    }
    assert len(process.transport.calls) == 1


async def test_errors_of_keys_are_copied_too() -> None:
    """An error in one record's place is each request's own as well."""
    nowhere = NotFound("There is nothing with this id; check it.")

    class FailingLoader(AccountCardByIdLoader):
        async def fetch(self, keys: Sequence[str]) -> Any:
            return [nowhere for _ in keys]

    process = Process()
    loaders = [FailingLoader(process.caller(number)) for number in range(2)]
    (one,), (other,) = await asyncio.gather(*(loader.load_all(["a"]) for loader in loaders))
    assert isinstance(one, NotFound)
    assert isinstance(other, NotFound)
    assert len({id(one), id(other), id(nowhere)}) == 3


async def test_faults_of_ours_hang_nobody() -> None:
    """A bug met in a shared call is met, or not, by each request alone, as a fault of its own."""

    class BrokenLoader(AccountCardByIdLoader):
        async def fetch(self, keys: Sequence[str]) -> Any:
            return []

    process = Process()
    loaders = [BrokenLoader(process.caller(number)) for number in range(2)]
    with capture_logs() as logs:
        found = await asyncio.gather(
            *(loader.load_all(["a"]) for loader in loaders), return_exceptions=True
        )
    assert [str(error) for error in found] == ["BrokenLoader: 0 of 1 answers"] * 2
    assert found[0] is not found[1]
    assert [(line["event"], line["method"]) for line in logs] == [("shared_call_broke", "cards")]
    assert logs[0]["exc_info"]


@pytest.mark.parametrize("leaves", [False, True])
async def test_fault_at_departure_hangs_nobody(leaves: bool) -> None:
    """When a shared call cannot leave for a fault of ours, each request calls by itself; also when
    the one who gathered has just left."""

    def broken(*_: object) -> None:
        raise RuntimeError("ours")

    process = Process()
    process.services = replace(process.services, coalescer=Coalescer(broken))
    tasks = [process.load(process.caller(number), "a") for number in range(4)]
    await asyncio.sleep(0)
    if leaves:
        tasks[0].cancel()
    with capture_logs() as logs:
        _, waiting = await asyncio.wait(tasks, timeout=10)
    assert not waiting
    assert [(line["event"], line["method"]) for line in logs] == [("shared_call_not_sent", "cards")]
    assert tasks[0].cancelled() is leaves
    assert [names(await task) for task in tasks[leaves:]] == [["A"]] * (4 - leaves)
    assert process.transport.ids == [["a"]] * (4 - leaves)


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        (problem(422, "BAD_INPUT"), BadUserInput),
        (problem(404, "NOT_FOUND"), NotFound),
        (answer({"cards": "none"}), UpstreamBadResponse),
    ],
)
async def test_bad_keys_cost_only_their_owner(
    refusal: Incoming, expected: type[FieldError]
) -> None:
    """When a service refuses what several asked together, each asks alone: one request's keys
    cannot take the others' answers."""

    def refuse_bad(call: Outgoing) -> Incoming:
        return refusal if b'"bad"' in (call.body or b"") else cards(call)

    process = Process(refuse_bad)
    callers = [process.caller(number) for number in range(3)]
    keys = ("a", "bad", "c")
    with capture_logs():
        found = await asyncio.gather(
            *(process.load(caller, key) for caller, key in zip(callers, keys, strict=True))
        )
    assert [type(one) for (one,) in found] == [AccountCardRecord, expected, AccountCardRecord]
    assert process.transport.ids[1:] == [["a"], ["bad"], ["c"]]


async def test_failure_names_all_requests_in_the_log() -> None:
    """The log line of a failed shared call leads back to every request that waited for it."""

    def fail(_: Outgoing) -> Incoming:
        raise TransportFailure("connection refused")

    process = Process(fail)
    tasks = [process.load(process.caller(number), "a") for number in range(2)]
    with capture_logs() as logs:
        await asyncio.gather(*tasks)
    (line,) = logs
    assert line["askers"] == ("request-0", "request-1")
    assert line["request_id"] == process.transport.calls[0].headers["x-request-id"]


# --- bounds


async def test_joins_count_for_the_bound() -> None:
    """A request may ask for `max_calls`, whether it calls or joins; who has had theirs is refused
    and the others are not."""
    process = Process(max_calls=1)
    spent, fresh, other = (process.caller(number) for number in range(3))
    await asyncio.gather(process.load(fresh, "a"), process.load(spent, "a"))
    assert spent.log.joins == 1
    found = await asyncio.gather(process.load(spent, "b"), process.load(other, "b"))
    assert isinstance(found[0][0], UpstreamOverloaded)
    assert names(found[1]) == ["B"]
    assert (spent.log.joins, spent.log.total) == (1, 0)
    assert (other.log.joins, other.log.total) == (0, 1)


async def test_loads_at_once_are_held_against_the_bound() -> None:
    """Loads of one request that gather in the same turn are counted one by one."""
    process = Process(max_calls=2)
    caller = process.caller(0)
    tasks = [process.load(caller, key) for key in "abcd"]
    found = [one for (one,) in await asyncio.gather(*tasks)]
    assert [type(one) for one in found[2:]] == [UpstreamOverloaded] * 2
    assert names(found[:2]) == ["A", "B"]
    assert caller.log.asked == 2


@pytest.mark.parametrize("broken", [False, True])
async def test_spoilt_call_costs_the_bound_once(broken: bool) -> None:
    """Who has one call left gets an answer though the shared call was spoilt, by a key of another
    or by a fault of ours before it left; what they ask for next is refused."""

    def refuse_bad(call: Outgoing) -> Incoming:
        return problem(422, "BAD_INPUT") if b'"bad"' in (call.body or b"") else cards(call)

    def fault(*_: object) -> None:
        raise RuntimeError("ours")

    process = Process(refuse_bad, max_calls=1)
    if broken:
        process.services = replace(process.services, coalescer=Coalescer(fault))
    callers = [process.caller(number) for number in range(3)]
    with capture_logs() as logs:
        loads = (
            process.load(one, key) for one, key in zip(callers, ("a", "b", "bad"), strict=True)
        )
        first, second, bad = await asyncio.gather(*loads)
        assert isinstance(bad[0], BadUserInput)
    assert ("shared_call_not_sent" in [line["event"] for line in logs]) is broken
    assert [names(found) for found in (first, second)] == [["A"], ["B"]]
    assert [one.log.asked for one in callers] == [1, 1, 1]
    assert [one.log.again for one in callers] == [1, 1, 1]
    assert [one.log.total for one in callers] == [2, 1, 1], "the first began the shared call too"
    (refused,) = await process.load(callers[1], "c")
    assert isinstance(refused, UpstreamOverloaded)


async def test_no_time_left_joins_nothing() -> None:
    """Who could not wait for any answer is refused at once."""
    process = Process()
    found = await asyncio.gather(
        process.load(process.caller(0, 2), "a"),
        *(process.load(process.caller(number), "a") for number in (1, 2)),
    )
    assert isinstance(found[0][0], DeadlineExceeded)
    assert [names(one) for one in found[1:]] == [["A"], ["A"]]
    assert len(process.transport.calls) == 1
