"""Calls of batch fields leave when all that can bring them keys is through, and no later."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import strawberry

from bff.context import Context
from bff.contract import batch_field
from bff.plans.execute import Executor, graphql_schema
from tests.unit.bff.plans.wave_world import (
    Person,
    PersonLoader,
    Post,
    PostLoader,
    World,
    prepared,
    run,
)


def _left(root: object) -> str:
    return "left"


def _right(root: object) -> str:
    return "right"


@strawberry.type
class Branch:
    person: Person | None = batch_field(PersonLoader, _right)


@strawberry.type
class Query:
    person: Person | None = batch_field(PersonLoader, _left)
    post: Post | None = batch_field(PostLoader, _left)

    @strawberry.field
    async def branch(self) -> Branch:
        for _ in range(5):
            await asyncio.sleep(0)
        return Branch()

    @strawberry.field
    async def broken(self) -> Branch | None:
        await asyncio.sleep(0)
        raise ValueError("no branch")


@strawberry.type
class Mutation:
    first: Person | None = batch_field(PersonLoader, _left)
    second: Person | None = batch_field(PersonLoader, _right)


SCHEMA = graphql_schema(strawberry.Schema(Query, Mutation))


async def execute(text: str, world: World) -> Any:
    executor = Executor(SCHEMA, hide_suggestions=False)
    operation = prepared(text, SCHEMA)
    executor.compile(operation, {})
    async with asyncio.timeout(20):
        found = await executor.execute(operation, {}, cast("Context", world))
    assert found.plan == "compiled"
    return found


async def test_a_wave_waits_for_its_own_feeders() -> None:
    """A call whose feeder has answered leaves, however long a call beside it takes."""
    world = World(held=["FeedLoader"])
    text = '{ person(key: "a") { newest { id } } home { feed { posts { __typename } } } }'
    running = asyncio.create_task(run(text, world))
    await world.has_made(3)
    assert sorted(loader for loader, _ in world.made) == ["Feed", "Person", "Post"]
    world.release("FeedLoader")
    assert not (await running).errors


async def test_a_resolver_is_waited_for() -> None:
    """A key that comes from below an asynchronous resolver goes along with those at hand."""
    world = World()
    found = await execute("{ person { id } branch { person { id } } }", world)
    assert found.data == {"person": {"id": "left"}, "branch": {"person": {"id": "right"}}}
    assert world.made == [("Person", ["left", "right"])]


async def test_a_resolver_holds_up_nobody() -> None:
    """A resolver that failed, or gave a key, is over: the call leaves, whatever is under way."""
    for text, keys in (("broken", ["left"]), ("branch", ["left", "right"])):
        world = World(held=["PostLoader"])
        asked = f"{{ person {{ id }} {text} {{ person {{ id }} }} post {{ id }} }}"
        running = asyncio.create_task(execute(asked, world))
        await world.has_made(2)
        assert sorted(world.made) == [("Person", keys), ("Post", ["left"])]
        world.release("PostLoader")
        found = await running
        assert found.data["person"] == {"id": "left"}
        assert (found.data[text] is None) == bool(found.errors) == (text == "broken")


async def test_batch_fields_at_the_root_of_a_mutation() -> None:
    """Each is a call of its own, after the one before, and its record stands in the answer."""
    world = World()
    text = "mutation { a: first { id } b: second { id } c: first { id friend { id } } }"
    found = await execute(text, world)
    assert not found.errors
    assert found.data == {
        "a": {"id": "left"},
        "b": {"id": "right"},
        "c": {"id": "left", "friend": {"id": "friend-of-left"}},
    }
    assert [keys for _, keys in world.made][:3] == [["left"], ["right"], ["left"]]


async def test_one_fragment_at_two_depths() -> None:
    """What is selected alike below different calls waits for the calls above it in each place."""
    world = World()
    text = """{ near: person(key: "a") { ...F } far: person(key: "b") { friend { ...F } } }
        fragment F on Person { friend { newest { id } } }"""
    found = await run(text, world)
    assert not found.errors
    assert world.late == 0
    persons = [keys for loader, keys in world.made if loader == "Person"]
    assert persons == [["a", "b"], ["friend-of-a", "friend-of-b"], ["friend-of-friend-of-b"]]
    posts = [key for loader, keys in world.made if loader == "Post" for key in keys]
    assert sorted(posts) == ["friend-of-a", "friend-of-friend-of-b"]


async def test_no_key_where_one_must_be() -> None:
    """Without a key a field that must not be null is an error, and nobody is asked."""
    world = World()
    found = await run("{ strict { id } }", world)
    assert found.data is None
    assert "Cannot return null for non-nullable field Query.strict." in str(found.errors)
    assert world.made == []
