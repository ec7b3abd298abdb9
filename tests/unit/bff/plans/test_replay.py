"""Recording and replaying: the same answers to the same keys, and never a call."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bff.context import Context
from bff.errors import NotFound, Unauthenticated
from bff.plans.replay import NotRecorded, Recording, RecordingContext, ReplayContext, fresh
from bff.store.shelf import Stale
from tests.unit.bff.plans.shadow_world import (
    OwnLoader,
    PersonLoader,
    PersonRecord,
    World,
    Writes,
    context,
    usual,
)


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    World.begin()
    yield
    World.begin()


def recorded(within: Context | None = None) -> RecordingContext:
    within = within or context()
    return RecordingContext(within, Recording.of(within))


async def test_both_ways_are_recorded() -> None:
    """Keys loaded one by one and lists alike; the request's answers are not touched."""
    made = recorded()
    found = await made.loader(PersonLoader).load_all(["a", "b"])
    assert await made.load(PersonLoader, "c") == usual("PersonLoader", "c")
    await asyncio.sleep(0)
    replay = ReplayContext(made.recording)
    assert await asyncio.gather(*(replay.load(PersonLoader, key) for key in "abc")) == [
        *found,
        usual("PersonLoader", "c"),
    ]
    assert replay.asked == made.recording.asked == {(PersonLoader, key) for key in "abc"}
    assert len(World.fetched) == 2
    assert replay.unfit is None


async def test_loaders_of_the_exchange_are_shared() -> None:
    """A recording goes through the request's own loaders: what it loaded before is not loaded
    again, and is recorded."""
    within = context()
    await within.load(PersonLoader, "a")
    made = recorded(within)
    await made.load(PersonLoader, "a")
    assert World.fetched == [("PersonLoader", ["a"])]
    assert await ReplayContext(made.recording).load(PersonLoader, "a") is not None


async def test_old_records_are_not_replayed() -> None:
    """A last good answer that was shown makes a recording unfit; that there was none does not."""
    made = recorded()
    assert made.loader(PersonLoader).stale_of(["a"]) == [None]
    assert made.recording.unfit is None
    assert ReplayContext(made.recording).loader(PersonLoader).stale_of(["a"]) == [None]
    kept: Any = made.loader(PersonLoader)
    kept._loader.stale_of = lambda keys: [Stale("old", 9.0) for _ in keys]
    assert kept.stale_of(["a"]) == [Stale("old", 9.0)]
    assert made.recording.unfit == "an old record was shown"


async def test_every_waiter_has_its_own_future() -> None:
    """One waiter that is cancelled takes no other along."""
    made = recorded()
    await made.load(PersonLoader, "a")
    replay = ReplayContext(made.recording)
    first, second = replay.load(PersonLoader, "a"), replay.load(PersonLoader, "a")
    first.cancel()
    assert isinstance(await second, PersonRecord)


async def test_unrecorded_keys_fail_and_are_told() -> None:
    """A key without an answer is an error in its place and stands in `missing`."""
    made = recorded()
    await made.load(PersonLoader, "a")
    replay = ReplayContext(made.recording)
    with pytest.raises(NotRecorded):
        await replay.load(PersonLoader, "b")
    assert replay.missing == {(PersonLoader, "b")}


async def test_refused_keys_are_refused_again() -> None:
    """What the request's loader does not take, the replay's does not either."""
    made = recorded()
    refusals = []
    for one in (made, ReplayContext(made.recording)):
        keys: tuple[Any, ...] = (None, ["unhashable"])
        for key in keys:
            with pytest.raises(TypeError) as refused:
                await one.load(PersonLoader, key)
            refusals.append(str(refused.value))
    assert refusals[:2] == refusals[2:]


async def test_viewer_and_key_are_the_requests() -> None:
    """Who asks, and the request's idempotency key, are as they were; without a viewer the
    viewer's loaders refuse."""
    made = recorded()
    replay = ReplayContext(made.recording)
    assert replay.viewer is made.viewer
    assert replay.signed_in() is made.signed_in()
    assert replay.idempotency_key("") == made.idempotency_key("")
    with pytest.raises(Unauthenticated):
        ReplayContext(recorded(context(signed_in=False)).recording).load(OwnLoader, "me")


async def test_errors_are_new_ones() -> None:
    """An error is recorded and given without where it was raised."""
    World.begin(lambda loader, key: NotFound("gone", detail="d", extensions={"x": 1}))
    made = recorded()
    with pytest.raises(NotFound) as first:
        await made.load(PersonLoader, "a")
    await asyncio.sleep(0)
    with pytest.raises(NotFound) as second:
        await ReplayContext(made.recording).load(PersonLoader, "a")
    kept = made.recording.answers[PersonLoader, "a"]
    assert len({id(first.value), id(second.value), id(kept)}) == 3
    assert kept.__traceback__ is None
    assert vars(kept) == vars(first.value) == vars(second.value)


def test_error_that_cannot_be_copied_stays() -> None:
    """An exception that cannot be made anew is used as it is."""

    class Odd(Exception):
        def __init__(self, one: str, two: str) -> None:
            super().__init__(one)

    odd = Odd("a", "b")
    assert fresh(odd) is odd


async def test_two_answers_for_a_key_are_unfit() -> None:
    """A call that failed and was made again: nobody can tell which answer a field had."""
    answers: list[Any] = [NotFound("gone"), usual("", "a")]

    def source(_loader: str, _key: str) -> Any:
        found = answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found

    World.begin(source)
    made = recorded()
    assert isinstance((await made.loader(PersonLoader).load_all(["a"]))[0], NotFound)
    assert made.recording.unfit is None
    assert await made.loader(PersonLoader).load_all(["a"]) == [usual("", "a")]
    assert made.recording.unfit == "one key had two answers"


async def test_calls_past_loaders_are_unfit() -> None:
    """What was not asked through a loader's two ways was not recorded."""
    acts: tuple[Callable[[Context], object], ...] = (
        lambda one: one.upstream(Writes),
        lambda one: one.epoch_moved("me", 1),
        lambda one: one.loader(PersonLoader).clear("a"),
    )
    for act in acts:
        made = recorded()
        act(made)
        assert made.recording.unfit


async def test_replay_never_calls() -> None:
    """Whatever would make a call, or tell of a sign-out, gives the replay up instead."""
    replay = ReplayContext(recorded().recording)
    with pytest.raises(NotRecorded):
        replay.upstream(Writes).caller.call  # noqa: B018
    assert replay.unfit == "a caller's call"
    replay = ReplayContext(recorded().recording)
    replay.epoch_moved("me", 1)
    assert replay.unfit == "a sign-out"
    assert not World.fetched


async def test_load_nobody_awaits_is_asked() -> None:
    """A key counts as asked for when it is asked for, on both sides alike."""
    made = recorded()
    made.load(PersonLoader, "a")
    replay = ReplayContext(made.recording)
    replay.load(PersonLoader, "a")
    assert replay.asked == made.recording.asked == {(PersonLoader, "a")}
    assert not made.recording.answers
    await made.load(PersonLoader, "a")


async def test_error_nobody_hears_is_no_news() -> None:
    """A key that fails after the replay is over leaves no line in the log."""
    told: list[Any] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, what: told.append(what))
    try:
        ReplayContext(recorded().recording).load(PersonLoader, "a")
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert told == []
