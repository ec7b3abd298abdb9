"""Shadow mode: what is taken, how errors are judged, what proves nothing, and what it costs."""

from __future__ import annotations

import asyncio
import gc
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff import app
from bff import config as settings_module
from bff.errors import NotFound, UpstreamTimeout
from bff.plans import shadow as shadow_module
from bff.plans.execute import Executor
from bff.plans.shadow import MAX_WAITING, Shadow
from bff.plans.verdict import Outcome
from bff.telemetry.metrics import Metrics
from tests.unit.bff.plans.shadow_world import (
    SCHEMA,
    PersonLoader,
    Shadowing,
    World,
    context,
    prepared,
    usual,
)
from tests.unit.bff.upstreams.fakes import sample

PEOPLE = '{ people(keys: ["a", "b"]) { id friend { name } } }'


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    World.begin()
    yield
    World.begin()


# What is taken.


async def test_equal_answer_is_counted() -> None:
    """A right plan's answer is found equal, and not one call is made for it."""
    shadowing = Shadowing()
    found = await shadowing.ask(PEOPLE)
    made = list(World.fetched)
    assert found.data
    assert found.data["people"][1]["friend"] == {"name": "Secret b-friend"}
    assert made == [("PersonLoader", ["a", "b"]), ("PersonLoader", ["a-friend", "b-friend"])]
    assert await shadowing.judged() == ["equal"]
    assert World.fetched == made
    assert not shadowing.executor.plans.counters.fallbacks


@pytest.mark.parametrize(
    "text",
    [
        "{ note }",
        "{ __typename note a: note }",
        '{ awaited(key: "x") person(key: "x") { name friend { friend { id } } } }',
        "{ me { id } signedIn { id } }",
        "{ both { left { id } right { id } } }",
        "{ people(keys: []) { id } }",
        "{ __schema { queryType { name } } note }",
    ],
)
async def test_every_kind_of_field_replays(text: str) -> None:
    """Loads of batch fields and of resolvers, a viewer's data, introspection: all are replayed."""
    assert await Shadowing().outcome(text) == "equal"


async def test_every_nth_answer_is_taken() -> None:
    """One in three is the third, sixth and so on of the process, whichever operation it is."""
    shadowing = Shadowing(one_in=3)
    taken = []
    for number in range(7):
        waiting = len(shadowing.shadow._waiting)
        await shadowing.ask("{ note }" if number % 2 else PEOPLE)
        taken.append(len(shadowing.shadow._waiting) > waiting)
    assert taken == [False, False, True, False, False, True, False]
    assert await shadowing.judged(2) == ["equal", "equal"]


async def test_mutation_is_never_taken() -> None:
    """Where it is a mutation's turn, the next query is taken instead."""
    shadowing = Shadowing(one_in=2)
    for text in ("{ note }", "mutation { write }", "mutation { write }"):
        await shadowing.ask(text)
    assert not shadowing.shadow._waiting
    await shadowing.ask("{ note }")
    assert await shadowing.judged() == ["equal"]


async def test_generic_answers_are_not_taken() -> None:
    """What graphql-core answered itself needs no second time."""
    shadowing = Shadowing()
    operation = prepared("{ note }")
    found = await shadowing.executor.execute(operation, {}, context())
    assert found.plan == "generic(not compiled yet)"
    assert not shadowing.shadow._waiting


async def test_abandoned_request_is_not_taken() -> None:
    """A request that is given up leaves no pair."""
    shadowing = Shadowing()
    World.begin(PersonLoader=10_000)
    asking = asyncio.create_task(shadowing.ask(PEOPLE))
    while not World.fetched:
        await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert not shadowing.shadow._waiting


# Errors.


def _failing(failed: dict[str, Any]) -> Callable[[str, str], Any]:
    """A source in which keys, or whole loaders, have an error."""

    def source(loader: str, key: str) -> Any:
        if loader in failed:
            raise failed[loader]
        return failed.get(key) or usual(loader, key)

    return source


@pytest.mark.parametrize(
    "failed",
    [
        {"a": NotFound("Secret a")},
        {"a-friend": NotFound("Secret friend", extensions={"fields": ["x"]})},
        {"PersonLoader": UpstreamTimeout("The service is late.")},
        {"a": ValueError("no FieldError")},
        {"PersonLoader": ValueError("no FieldError")},
    ],
    ids=["key", "key below", "whole call", "fault", "fault of the whole call"],
)
async def test_errors_of_loaders_replay(failed: dict[str, Any]) -> None:
    """What loaders answered with errors is answered with the same ones again, each an instance of
    its own: raising it leaves no trace on the request's."""
    World.begin(_failing(failed))
    shadowing = Shadowing()
    found = await shadowing.ask(PEOPLE)
    assert found.errors
    before = [error.original_error.__traceback__ for error in found.errors if error.original_error]
    assert await shadowing.judged() == ["equal"]
    after = [error.original_error.__traceback__ for error in found.errors if error.original_error]
    assert [one is two for one, two in zip(before, after, strict=True)] == [True] * len(before)


async def test_nobody_signed_in_replays() -> None:
    """A viewer's fields are refused on both sides alike when nobody is signed in."""
    shadowing = Shadowing()
    found = await shadowing.ask("{ me { id } signedIn { id } }", within=context(signed_in=False))
    assert len(found.errors) == 2
    assert await shadowing.judged() == ["equal"]


async def test_faults_are_compared_without_addresses() -> None:
    """Words of a foreign exception that hold an address in memory are no difference."""
    assert await Shadowing().outcome("{ faulty }") == "equal"


CUT = "{ both { maybe { id } left { id } } note }"
FAILED = {name: NotFound(f"Secret {name}") for name in ("left", "right", "maybe")}


async def test_errors_heard_in_time_are_equal() -> None:
    """Two fail below one place, and both sides hear of both: then both list both."""
    World.begin(_failing(FAILED))
    shadowing = Shadowing()
    assert len((await shadowing.ask(CUT)).errors) == 2
    assert await shadowing.judged() == ["equal"]


async def test_error_that_was_cut_is_accepted() -> None:
    """The plan had nulled the place before a late error came: that it lists one less is no
    difference, and is counted."""
    World.begin(_failing(FAILED), OtherLoader=40)
    shadowing = Shadowing()
    assert len((await shadowing.ask(CUT)).errors) == 1
    assert await shadowing.judged() == ["errors_cut"]


async def _reason(text: str) -> str:
    """Why nothing could be said of an answer."""
    shadowing = Shadowing()
    with capture_logs() as logs:
        assert await shadowing.outcome(text) == "inconclusive"
    (line,) = [one for one in logs if one["event"] == "plan_shadow_inconclusive"]
    assert (await shadowing.ask(text)).plan == "compiled"
    return str(line["reason"])


async def test_first_error_is_a_matter_of_time() -> None:
    """Either of two errors nulls the place they share: that each side lists another one proves
    nothing."""
    World.begin(_failing(FAILED), PersonLoader=40)
    reason = await _reason("{ both { left { id } right { id } } }")
    assert reason == "other errors of a nulled subtree"


async def test_unanswered_keys_are_inconclusive() -> None:
    """An answer that ended at an error had not waited for what graphql-core still asks for."""
    World.begin(_failing(FAILED), OtherLoader=40)
    reason = await _reason('{ strict(key: "left") { id } other(key: "right") { id } }')
    assert reason == "keys without an answer"


# What cannot be replayed.


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ direct }", "a service was called directly"),
        ("{ askedCalls }", "a caller's log"),
        ("{ primed }", "a loader's clear_all"),
        ("{ tick }", "graphql-core differs from itself"),
    ],
)
async def test_unfit_answers_are_inconclusive(text: str, reason: str) -> None:
    """Answers that do not follow from recorded ones prove nothing, and disable nothing."""
    assert await _reason(text) == reason


async def test_deadline_does_not_fail_the_replay() -> None:
    """The replay has as much time as the request had, however long that is over."""
    shadowing = Shadowing()
    found = await shadowing.ask("{ timeLeft }", within=context(milliseconds=50))
    assert found.data == {"timeLeft": True}
    end = time.monotonic() + 0.06
    while time.monotonic() < end:
        await asyncio.sleep(0.01)
    assert await shadowing.judged() == ["equal"]


async def test_endless_replay_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """A replay that waits for what never comes ends, and the next pair has its turn."""
    monkeypatch.setattr(shadow_module, "REPLAY_LIMIT_S", 0.01)
    shadowing = Shadowing()

    async def never(_: Any) -> Any:
        await asyncio.Event().wait()

    turn = shadowing.shadow.begin(prepared("{ note }"), {}, context())
    assert turn
    shadowing.shadow.end(turn, {}, [], never)
    await shadowing.ask("{ note }")
    assert await shadowing.judged(2) == ["inconclusive", "equal"]


async def test_fault_costs_its_pair_only() -> None:
    """Whatever goes wrong in a replay is counted and logged; the next pair is judged."""
    shadowing = Shadowing()

    def fault(_: Any) -> Any:
        raise RuntimeError("a fault")

    turn = shadowing.shadow.begin(prepared("{ note }"), {}, context())
    assert turn
    shadowing.shadow.end(turn, {}, [], fault)
    await shadowing.ask("{ note }")
    with capture_logs() as logs:
        assert await shadowing.judged(2) == ["failed", "equal"]
    assert [line["event"] for line in logs] == ["plan_shadow_failed"]


# What it costs.


async def test_few_pairs_wait() -> None:
    """What comes faster than it is judged is dropped and counted, and not even recorded."""
    shadowing = Shadowing()
    for _ in range(MAX_WAITING + 2):
        await shadowing.ask("{ note }")
    assert shadowing.shadow.begin(prepared("{ note }"), {}, context()) is None
    assert shadowing.outcomes == ["dropped"] * 3
    assert await shadowing.judged(MAX_WAITING + 3) == ["dropped"] * 3 + ["equal"] * MAX_WAITING


async def test_requests_side_by_side_are_bounded() -> None:
    """So it is when many answers are under way at once."""
    shadowing = Shadowing()
    await asyncio.gather(*(shadowing.ask(PEOPLE) for _ in range(MAX_WAITING + 3)))
    assert shadowing.outcomes == ["dropped"] * 3
    assert len(shadowing.shadow._waiting) == MAX_WAITING


@pytest.mark.parametrize("share", [0.01, 0.2, 1.0])
async def test_share_of_cpu_is_kept(share: float) -> None:
    """However dear replays are, at no end of a pause have they had more than their share."""
    now = used = 0.0
    spent = iter([0.003, 0.05, 0.0, 1.5, 0.02])
    shares = []

    def cpu() -> float:
        return used

    async def pause(seconds: float) -> None:
        nonlocal now
        assert seconds >= 0
        now += seconds
        shares.append(used <= share * now + 1e-9)
        if len(shares) == 5:
            raise asyncio.CancelledError

    outcomes: list[Outcome] = []
    executor = Executor(SCHEMA, hide_suggestions=False)
    shadow = Shadow(executor.plans, 1, share, outcomes.append, cpu=cpu, pause=pause)

    def again(_: Any) -> Any:
        nonlocal now, used
        cost = next(spent)
        now, used = now + cost, used + cost
        raise RuntimeError("only its cost matters")

    async def feed() -> None:
        for _ in range(5):
            while len(shadow._waiting) >= MAX_WAITING:
                await asyncio.sleep(0)
            turn = shadow.begin(prepared("{ note }"), {}, context())
            assert turn
            shadow.end(turn, {}, [], again)

    with pytest.raises(asyncio.CancelledError), capture_logs():
        await asyncio.gather(feed(), shadow.replay_in_background())
    assert shares == [True] * 5
    assert outcomes == ["failed"] * 5
    assert next(spent, None) is None


async def test_request_itself_is_not_kept() -> None:
    """A pair that waits holds the answers, and neither the request's context nor its loaders."""
    shadowing = Shadowing()
    within = context()
    loader = weakref.ref(within.loader(PersonLoader))
    await shadowing.ask(PEOPLE, within=within)
    del within
    gc.collect()
    assert len(shadowing.shadow._waiting) == 1
    assert loader() is None
    assert await shadowing.judged() == ["equal"]


def test_settings_decide() -> None:
    """A gateway shadows one in so many as its settings say, and none where they say 0."""
    settings = settings_module.load()
    shadow = app._executor(SCHEMA, settings, Metrics("ios")).shadow
    assert shadow
    assert (shadow.one_in, shadow.cpu_share, shadow.files) == (997, 0.01, None)
    plans = settings.plans.model_copy(update={"shadow_one_in": 0})
    without = settings.model_copy(update={"plans": plans})
    assert app._executor(SCHEMA, without, Metrics("ios")).shadow is None


def test_every_difference_is_an_alarm() -> None:
    """Outcomes are counted by name, and differences apart from them, from 0 on."""
    metrics = Metrics("ios")
    assert metrics.registry.get_sample_value("facet_plan_differences_total") == 0
    for outcome in ("equal", "differs", "dropped"):
        metrics.shadowed(outcome)
    assert metrics.registry.get_sample_value("facet_plan_differences_total") == 1
    assert sample(metrics, "facet_plan_shadowed_total", outcome="differs") == 1
    assert sample(metrics, "facet_plan_shadowed_total", outcome="equal") == 1
