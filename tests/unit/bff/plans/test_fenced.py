"""The executor within a fence: what is withheld is not even asked for, each class has its plan."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import product
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from bff.context import Context
from bff.errors import FieldSunset, NotFound
from bff.fence import FREE, NOTHING_WITHHELD, Fence, Withheld, fence
from bff.plans.compiler import NotCompiled
from bff.plans.execute import MAX_CLASSES, Executed, Executor
from bff.plans.shadow import DIFFERS
from tests.unit.bff.plans import shadow_world, wave_world
from tests.unit.bff.plans.shadow_world import Shadowing
from tests.unit.bff.plans.test_shadow_differences import root_made
from tests.unit.bff.plans.wave_world import World

HOME = "{ home { viewer { id } feed { posts { ... on Post { id author { id } } } } } }"


@pytest.fixture(autouse=True)
def _world() -> Iterator[None]:
    shadow_world.World.begin()
    yield
    shadow_world.World.begin()


async def _run(text: str, fenced: Fence, world: World) -> Executed:
    executor = Executor(wave_world.SCHEMA, hide_suggestions=False)
    operation = wave_world.prepared(text)
    executor.compile(operation, {}, executor.touched(operation, fenced))
    found = await executor.execute(operation, {}, cast("Context", world), fenced)
    assert found.plan == "compiled"
    return found


async def test_absent_fields_make_no_call() -> None:
    """A field that needs a capability is null, and its plan knows no call for it."""
    world = World()
    found = await _run(HOME, fence({}, {}, ["Home.feed"]), world)
    assert found.data == {"home": {"viewer": {"id": "me"}, "feed": None}}
    assert not found.errors
    assert found.withheld == Withheld(nulled=1)
    assert world.made == [("Person", ["me"])]


async def test_brownouts_make_no_call() -> None:
    """A field in a brown-out is null with FIELD_SUNSET, and nobody is asked for it."""
    world = World()
    found = await _run(HOME, fence({}, {}, brownouts=["Home.feed"]), world)
    assert found.data == {"home": {"viewer": {"id": "me"}, "feed": None}}
    (error,) = found.errors
    assert isinstance(error.original_error, FieldSunset)
    assert error.original_error.code == "FIELD_SUNSET"
    assert error.path == ["home", "feed"]
    assert found.withheld == NOTHING_WITHHELD
    assert world.made == [("Person", ["me"])]


async def test_withheld_types_load_nothing() -> None:
    """Items of a type that is not sent go out of their list, and what they need is not loaded."""

    def answer(loader: str, key: str) -> Any:
        if loader == "FeedLoader":
            post, advert = wave_world.PostRecord("p", "ann"), wave_world.AdvertRecord("x")
            return wave_world.FeedRecord([post, advert, post, advert])
        return wave_world.usual(loader, key)

    text = "{ home { feed { posts { __typename ... on Post { author { id } } } } } }"
    for unknown, sent, calls in (("Post", "Advert", ["Feed"]), ("Advert", "Post", None)):
        world = World(answer)
        found = await _run(text, fence({}, {"Entry": [unknown]}), world)
        assert found.data is not None
        posts = found.data["home"]["feed"]["posts"]
        assert [post["__typename"] for post in posts] == [sent, sent]
        assert found.withheld == Withheld(dropped=2)
        assert [loader for loader, _ in world.made] == (calls or ["Feed", "Person"])


async def test_untouched_operations_share_the_free_plan() -> None:
    """A fence the operation does not meet costs no plan and no key of its own."""
    executor = Executor(wave_world.SCHEMA, hide_suggestions=False)
    operation = wave_world.prepared('{ person(key: "a") { id } }')
    fenced = fence({}, {"Entry": ["Post"]})
    assert executor.fence_key(operation, fenced) == executor.fence_key(operation, FREE) == ""
    executor.compile(operation, {})
    before = executor.plans.size
    found = await executor.execute(operation, {}, cast("Context", World()), fenced)
    assert (found.plan, executor.plans.size, len(executor.plans)) == ("compiled", before, 1)


async def test_a_class_is_compiled_in_the_background() -> None:
    """The first answer of a fence class is graphql-core's, the next its own plan's; the free plan
    is another. All are fenced."""
    executor = Executor(shadow_world.SCHEMA, hide_suggestions=False)
    operation = shadow_world.prepared('{ note person(key: "a") { id } }')
    fenced = fence({}, {}, ["Query.note"], ["Query.person"])
    compiling = asyncio.create_task(executor.compile_in_background())
    plans = []
    try:
        async with asyncio.timeout(10):
            while "compiled" not in plans:
                found = await executor.execute(operation, {}, shadow_world.context(), fenced)
                plans.append(found.plan)
                # `note` must not be null: nothing above it may be.
                assert (found.data, found.withheld) == (None, Withheld(nulled=1))
                await asyncio.sleep(0)
    finally:
        compiling.cancel()
    assert plans[0] == "generic(not compiled yet)"
    free = await executor.execute(operation, {}, shadow_world.context())
    assert free.plan == "generic(not compiled yet)"
    assert free.data == {"note": "Secret note", "person": {"id": "a"}}
    assert free.withheld == NOTHING_WITHHELD


async def test_too_many_classes_run_generic() -> None:
    """Plans are made for so many fence classes of an operation; others are executed by
    graphql-core, fenced as well, with the reason counted."""
    executor = Executor(shadow_world.SCHEMA, hide_suggestions=False)
    operation = shadow_world.prepared("{ both { maybe { id } } x: note me { id age } }")
    fields = ("Query.me", "Query.both", "Both.maybe", "Person.id", "Person.age")
    keys: dict[str, Fence] = {}
    for absent, sunset in product(fields, fields):
        one = fence({}, {}, [absent], [sunset])
        keys.setdefault(executor.fence_key(operation, one), one)
    assert len(keys) > MAX_CLASSES
    plans = []
    for one in keys.values():
        touched = executor.touched(operation, one)
        with suppress(NotCompiled):
            executor.compile(operation, {}, touched)
        found = await executor.execute(operation, {}, shadow_world.context(), one)
        assert found.data != (await executor.execute(operation, {}, shadow_world.context())).data
        plans.append(found.plan)
    assert plans[:MAX_CLASSES] == ["compiled"] * MAX_CLASSES
    assert set(plans[MAX_CLASSES:]) == {"generic(too many fence classes)"}


@pytest.mark.parametrize("how", ["mode", "not registered"])
async def test_generic_execution_is_fenced(how: str) -> None:
    """What is executed by graphql-core is fenced as well."""
    executor = Executor(shadow_world.SCHEMA, False, mode="generic" if how == "mode" else "compiled")
    operation = shadow_world.prepared('{ both { maybe { id } } person(key: "a") { id } }')
    operation = replace(operation, registered=how == "mode")
    fenced = fence({}, {}, ["Both.maybe"], ["Query.person"])
    found = await executor.execute(operation, {}, shadow_world.context(), fenced)
    assert found.plan == f"generic({how})"
    assert found.data == {"both": {"maybe": None}, "person": None}
    assert [error.path for error in found.errors] == [["person"]]
    assert found.withheld == Withheld(nulled=1)
    assert shadow_world.World.fetched == []


SHADOWED = '{ both { right { id } maybe { id } } person(key: "a") { id } note }'
FENCED = fence({}, {}, ["Both.maybe"], ["Query.person"])


async def _shadowed(shadowing: Shadowing, fenced: Fence, wrong: Any = None) -> Executed:
    operation = shadow_world.prepared(SHADOWED)
    executor = shadowing.executor
    (plan,) = executor.compile(operation, {}, executor.touched(operation, fenced))
    if wrong is not None:
        wrong(plan)
    return await executor.execute(operation, {}, shadow_world.context(), fenced)


async def test_shadow_mode_knows_the_fence() -> None:
    """The second execution is within the same fence, over the same answers: it is equal."""
    shadowing = Shadowing()
    found = await _shadowed(shadowing, FENCED)
    assert found.withheld == Withheld(nulled=1)
    assert await shadowing.judged() == ["equal"]


async def test_errors_that_are_gone_are_no_difference() -> None:
    """An error below a place that the fence takes out is told by neither execution."""

    def fails(loader: str, key: str) -> Any:
        return NotFound("gone") if key == "maybe" else shadow_world.usual(loader, key)

    shadow_world.World.begin(fails)
    shadowing = Shadowing()
    fenced = fence({}, {}, ["Both.right"])  # must not be null: all of `both` goes
    found = await _shadowed(shadowing, fenced)
    assert found.data is not None
    assert found.data["both"] is None
    assert not found.errors
    assert any("maybe" in keys for _, keys in shadow_world.World.fetched)
    assert await shadowing.judged() == ["equal"]


async def test_a_wrong_class_is_disabled_alone() -> None:
    """A plan of one fence class that differs is not used again; the free one is."""
    shadowing = Shadowing()

    def shout(found: dict[str, Any], _run: Any) -> None:
        found["note"] = "SECRET"

    await _shadowed(shadowing, FENCED, root_made(shout))
    with capture_logs() as logs:
        assert await shadowing.judged() == ["differs"]
    (alarm,) = [line for line in logs if line["event"] == "plan_differs"]
    operation = shadow_world.prepared(SHADOWED)
    assert alarm["fence"] == shadowing.executor.fence_key(operation, FENCED) != ""
    executor = shadowing.executor
    again = await executor.execute(operation, {}, shadow_world.context(), FENCED)
    assert again.plan == f"generic({DIFFERS})"
    assert again.data is not None
    assert again.data["note"] == "Secret note"
    assert (await _shadowed(shadowing, FREE)).plan == "compiled"
