"""Waves: what leaves together, what waits for whom and how long, and what nobody waits for."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import pytest

from bff.plans.execute import Executor
from bff.plans.waves import join_budget
from tests.unit.bff.plans.wave_world import (
    SCHEMA,
    AdvertRecord,
    FeedRecord,
    InboxRecord,
    PersonRecord,
    PostRecord,
    World,
    prepared,
    run,
    usual,
)

HOME = """{ home {
  viewer { id }
  feed { posts { ... on Post { id author { id } } ... on Advert { id } } }
  inbox { senders { id } }
} }"""
EVERYBODY = ("Person", ["ann", "bob", "cleo", "me"])
FEED, INBOX = ("Feed", ["me"]), ("Inbox", ["me"])


async def test_sections_share_one_call() -> None:
    """The same loader wanted by three sections makes one call, once both others have answered."""
    world = World()
    result = await run(HOME, world)
    assert not result.errors
    assert world.made == [FEED, INBOX, EVERYBODY]
    assert result.data == {
        "home": {
            "viewer": {"id": "me"},
            "feed": {
                "posts": [
                    {"id": "p1", "author": {"id": "ann"}},
                    {"id": "p2", "author": {"id": "bob"}},
                ]
            },
            "inbox": {"senders": [{"id": "cleo"}, {"id": "ann"}]},
        }
    }


async def test_a_late_feeder_is_waited_for() -> None:
    """Within the join budget, however long after the others a feeder answers: the same calls."""
    world = World(held=["FeedLoader"])
    running = asyncio.create_task(run(HOME, world))
    await world.has_made(2)
    await asyncio.sleep(0.02)
    assert world.made == [FEED, INBOX]
    world.release("FeedLoader")
    assert not (await running).errors
    assert world.made == [FEED, INBOX, EVERYBODY]
    assert world.late == 0


async def test_keys_leave_at_the_budget() -> None:
    """A feeder that answers after the join budget costs a follow-up, which is counted late."""
    world = World(held=["FeedLoader"], remaining=0.04)
    running = asyncio.create_task(run(HOME, world))
    await world.has_made(3)
    assert world.made == [FEED, INBOX, ("Person", ["ann", "cleo", "me"])]
    assert world.late == 0
    world.release("FeedLoader")
    result = await running
    assert not result.errors
    assert world.made[3] == ("Person", ["ann", "bob"])
    assert (len(world.made), world.late) == (4, 1)
    assert result.data is not None
    assert result.data["home"]["feed"]["posts"][1]["author"] == {"id": "bob"}


async def test_a_feeder_that_never_answers() -> None:
    """A feeder that fails in the end costs its own section: no call more, none late."""

    def answer(loader: str, key: str) -> Any:
        return TimeoutError("too late") if loader == "FeedLoader" else usual(loader, key)

    world = World(answer, held=["FeedLoader"], remaining=0.04)
    running = asyncio.create_task(run(HOME, world))
    await world.has_made(3)
    world.release("FeedLoader")
    result = await running
    assert [error.path for error in result.errors] == [["home", "feed"]]
    assert result.data is not None
    assert result.data["home"]["inbox"] == {"senders": [{"id": "cleo"}, {"id": "ann"}]}
    assert (len(world.made), world.late) == (3, 0)


async def test_one_loader_at_two_depths() -> None:
    """A loader below itself waits for no budget: one call a depth."""
    world = World()
    result = await run('{ person(key: "a") { id friend { id friend { id } } } }', world)
    assert not result.errors
    assert world.made == [
        ("Person", ["a"]),
        ("Person", ["friend-of-a"]),
        ("Person", ["friend-of-friend-of-a"]),
    ]


async def test_loaders_that_feed_each_other() -> None:
    """Two loaders that feed each other take turns and wait for no budget."""
    world = World()
    text = '{ person(key: "a") { newest { author { newest { author { id } } } } } }'
    result = await run(text, world)
    assert not result.errors
    assert [loader for loader, _ in world.made] == ["Person", "Post", "Person", "Post", "Person"]


async def test_an_empty_list_holds_up_nobody() -> None:
    """A feed without posts brings no keys: the others' leave at once."""

    def answer(loader: str, key: str) -> Any:
        empty = {"FeedLoader": FeedRecord([]), "InboxLoader": InboxRecord([])}
        return empty.get(loader) or usual(loader, key)

    world = World(answer)
    assert not (await run(HOME, world)).errors
    assert world.made == [FEED, INBOX, ("Person", ["me"])]


async def test_no_keys_make_no_call() -> None:
    """A wave whose feeders brought no key makes no call, and what it feeds is over at once."""

    def answer(loader: str, key: str) -> Any:
        return PostRecord("p", None) if loader == "PostLoader" else usual(loader, key)

    world = World(answer)
    text = '{ person(key: "a") { newest { author { newest { id } } } } }'
    result = await run(text, world)
    assert result.data == {"person": {"newest": {"author": None}}}
    assert world.made == [("Person", ["a"]), ("Post", ["a"])]


async def test_a_null_parent_holds_up_nobody() -> None:
    """A section whose record is not found brings no keys."""

    def answer(loader: str, key: str) -> Any:
        return None if loader == "FeedLoader" else usual(loader, key)

    world = World(answer)
    result = await run(HOME, world)
    assert result.data is not None
    assert result.data["home"]["feed"] is None
    assert world.made == [FEED, INBOX, ("Person", ["ann", "cleo", "me"])]


async def test_another_type_holds_up_nobody() -> None:
    """Entries of a type without the field bring no keys."""

    def answer(loader: str, key: str) -> Any:
        adverts = FeedRecord([AdvertRecord("a1"), AdvertRecord("a2")])
        return adverts if loader == "FeedLoader" else usual(loader, key)

    world = World(answer)
    result = await run(HOME, world)
    assert result.data is not None
    assert result.data["home"]["feed"] == {"posts": [{"id": "a1"}, {"id": "a2"}]}
    assert world.made == [FEED, INBOX, ("Person", ["ann", "cleo", "me"])]


async def test_a_skipped_branch_holds_up_nobody() -> None:
    """What @skip leaves out is not waited for, and the two outcomes have two plans."""
    text = """query($with: Boolean!) { home {
      viewer { id } feed @include(if: $with) { posts { ... on Post { author { id } } } }
    } }"""
    without, whole = World(), World()
    assert (await run(text, without, {"with": False})).data == {"home": {"viewer": {"id": "me"}}}
    assert without.made == [("Person", ["me"])]
    assert not (await run(text, whole, {"with": True})).errors
    assert whole.made == [FEED, ("Person", ["ann", "bob", "me"])]


async def test_a_key_of_a_failed_branch() -> None:
    """A section whose list fails takes its keys with it; the others' leave without a wait."""

    def answer(loader: str, key: str) -> Any:
        return ValueError("broken") if loader == "InboxLoader" else usual(loader, key)

    world = World(answer)
    result = await run(HOME, world)
    assert [error.path for error in result.errors] == [["home", "inbox"]]
    assert world.made == [FEED, INBOX, ("Person", ["ann", "bob", "me"])]


async def test_second_mutation_uses_the_loader() -> None:
    """A mutation field's calls wait for no other mutation field, which has not begun."""
    world = World()
    result = await run("mutation { a: write { by { id } } b: write { by { id } } }", world)
    assert result.data == {"a": {"by": {"id": "me"}}, "b": {"by": {"id": "me"}}}
    assert world.made == [("Person", ["me"]), ("Person", ["me"])]


async def test_a_loader_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of ours before a call costs the fields of that loader, not the answer."""
    world = World()
    made = world.loader

    def broken(kind: type) -> Any:
        if kind.__name__ == "PersonLoader":
            raise ZeroDivisionError
        return made(kind)

    monkeypatch.setattr(world, "loader", broken)
    result = await run("{ home { viewer { id } feed { posts { ... on Post { id } } } } }", world)
    assert result.data == {
        "home": {"viewer": None, "feed": {"posts": [{"id": "p1"}, {"id": "p2"}]}}
    }
    assert [error.path for error in result.errors] == [["home", "viewer"]]


async def test_an_error_stands_at_each_place() -> None:
    """A key that fails is an error at every place that asked for it, and at no other."""

    def answer(loader: str, key: str) -> Any:
        return ValueError("no ann") if key == "ann" else usual(loader, key)

    world = World(answer)
    result = await run(HOME, world)
    assert sorted(map(str, (error.path for error in result.errors))) == [
        "['home', 'feed', 'posts', 0, 'author']",
        "['home', 'inbox', 'senders', 1]",
    ]


async def test_a_missing_record_nulls_upwards() -> None:
    """A field that must not be null takes what stands above it along, up to the whole answer."""
    world = World(lambda _loader, _key: None)
    result = await run('{ strict(key: "a") { id } }', world)
    assert result.data is None
    assert [error.message for error in result.errors] == [
        "Cannot return null for non-nullable field Query.strict."
    ]


async def test_a_key_of_none_is_null() -> None:
    """A batch field without a key is null and asks nobody."""
    world = World()
    assert (await run("{ person { id } }", world)).data == {"person": None}
    assert world.made == []


async def test_a_key_of_none_in_a_list_is_null() -> None:
    """A list of keys with None among them has null there, and asks for the others."""

    def answer(loader: str, key: str) -> Any:
        senders: Any = [None, "ann", None]
        return InboxRecord(senders) if loader == "InboxLoader" else usual(loader, key)

    world = World(answer)
    result = await run("{ home { inbox { senders { id } } } }", world)
    assert not result.errors
    assert result.data == {"home": {"inbox": {"senders": [None, {"id": "ann"}, None]}}}
    assert world.made == [INBOX, ("Person", ["ann"])]


async def test_cancelled_run_leaves_nothing() -> None:
    """A caller who leaves takes the calls of the run along."""
    world = World(held=["FeedLoader", "InboxLoader"])
    running = asyncio.create_task(run(HOME, world))
    await world.has_made(2)
    before = asyncio.all_tasks() - {asyncio.current_task()}
    assert len(before) == 3
    running.cancel()
    await asyncio.wait(before)
    assert all(task.cancelled() for task in before)


async def test_resolvers_of_records_are_called() -> None:
    """A resolver on the record runs beside attributes and batch fields."""
    world = World(lambda _loader, key: PersonRecord(key, None))
    result = await run('{ person(key: "a") { shout friend { id } } }', world)
    assert result.data == {"person": {"shout": "A", "friend": None}}


def test_join_budget_leaves_room() -> None:
    """A quarter of the time left; less where many calls follow, so that each could take as long."""
    assert join_budget(2.0, 1) == 0.5
    assert join_budget(2.0, 3) == 0.5
    assert join_budget(2.0, 4) == 0.4
    assert join_budget(0.0, 1) == 0.0


@pytest.mark.parametrize("broken", [(), ("FeedLoader",), ("PersonLoader",)])
async def test_a_run_leaves_no_circles(broken: tuple[str, ...]) -> None:
    """What an answer was made with is freed at once: nothing waits for Python's collector."""

    def answer(loader: str, key: str) -> Any:
        return ValueError("broken") if loader in broken else usual(loader, key)

    executor = Executor(SCHEMA, hide_suggestions=False)
    operation = prepared(HOME)
    executor.compile(operation, {})

    async def ask() -> None:
        context: Any = World(answer)
        found = await executor.execute(operation, {}, context)
        assert bool(found.errors) == bool(broken)

    await ask()
    gc.collect()
    gc.disable()
    try:
        for _ in range(20):
            await ask()
        assert gc.collect() == 0
    finally:
        gc.enable()
