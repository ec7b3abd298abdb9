"""The screen contract holds on both paths of execution: deadlines, budgets, fallbacks, report."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bff.errors import Unauthenticated, UpstreamUnavailable
from bff.plans.execute import Executed, Mode
from bff.screens.parked import parked
from tests.unit.bff.screens.screen_world import (
    HANG,
    WRITTEN,
    FeedLoader,
    NotesLoader,
    PersonLoader,
    PostLoader,
    World,
    ask,
)
from tests.unit.bff.screens.virtual_time import run_virtually

DEAD = UpstreamUnavailable("The service cannot be reached; try again later.")
both = pytest.mark.parametrize("mode", ["compiled", "generic"])


async def _timed(text: str, world: World, mode: Mode) -> tuple[Executed, float]:
    loop = asyncio.get_running_loop()
    began = loop.time()
    found = await ask(text, world, mode)
    return found, loop.time() - began


def run(text: str, world: World, mode: Mode) -> tuple[Executed, float]:
    """The answer, and after how many (virtual) seconds it was there."""
    return run_virtually(_timed(text, world, mode))


def codes(found: Executed) -> list[tuple[str, str]]:
    return sorted(
        (".".join(map(str, error.path or ())), cast("Any", error.original_error).code)
        for error in found.errors
    )


@both
def test_whole_answer_says_nothing(mode: Mode) -> None:
    """Where all sections are there, only the counts know of them."""
    found, took = run("{ home { feed { __typename } notes { texts } } }", World(), mode)
    assert found.data == {
        "home": {"feed": {"__typename": "Feed"}, "notes": {"texts": ["note of me"]}}
    }
    assert not found.errors
    assert found.sections.told == {}
    assert found.sections.counted == (("Home.feed", "ok"), ("Home.notes", "ok"))
    assert took < 0.1


@both
def test_screen_leaves_at_its_deadline(mode: Mode) -> None:
    """What is awaited when the screen's time is up is null at its nearest nullable place; the rest
    is there."""
    feed = "feed { posts { ... on Post { author { id } } } }"
    text = f"{{ home {{ hanging loose {{ id }} notes {{ texts }} {feed} }} }}"
    world = World({(PersonLoader, "ann"): HANG})
    found, took = run(text, world, mode)
    assert took == pytest.approx(1.0, abs=0.01)
    assert found.data == {
        "home": {
            "hanging": None,
            "loose": None if mode == "compiled" else {"id": "me"},
            "notes": {"texts": ["note of me"]},
            "feed": {
                "posts": [
                    {"author": None},
                    {"author": None if mode == "compiled" else {"id": "bob"}},
                ]
            },
        }
    }
    assert ("home.hanging", "DEADLINE_EXCEEDED") in codes(found)
    assert ("home.feed.posts.0.author", "DEADLINE_EXCEEDED") in codes(found)
    assert {code for _, code in codes(found)} == {"DEADLINE_EXCEEDED"}
    assert found.sections.told["home.feed"] == {"status": "timed_out", "code": "DEADLINE_EXCEEDED"}
    assert found.sections.told["home.notes"] == {"status": "ok"}


@both
def test_exchange_deadline_is_never_longer(mode: Mode) -> None:
    """A request that allows less than the screen's own deadline is answered within that."""
    found, took = run("{ home { hanging } }", World(seconds=0.25), mode)
    assert took == pytest.approx(0.25, abs=0.01)
    assert codes(found) == [("home.hanging", "DEADLINE_EXCEEDED")]


@both
def test_stubborn_resolver_holds_nothing(mode: Mode) -> None:
    """Nobody waits for a resolver that goes on when it is cancelled."""
    found, took = run("{ home { stubborn notes { texts } } }", World(), mode)
    assert took == pytest.approx(1.0, abs=0.01)
    assert found.data == {"home": {"stubborn": None, "notes": {"texts": ["note of me"]}}}


@both
def test_root_without_screen_ends_too(mode: Mode) -> None:
    """No declaration is needed for an answer to leave at the request's deadline."""
    found, took = run("{ wide { hanging } }", World(seconds=2), mode)
    assert took == pytest.approx(2, abs=0.01)
    assert found.data == {"wide": {"hanging": None}}


@both
def test_budget_gives_up_one_section(mode: Mode) -> None:
    """A section whose budget ends costs its own places; the screen waits on for the others, and
    leaves as soon as they are there."""
    world = World({(NotesLoader, "me"): HANG})
    found, took = run("{ home { notes { texts } slow feed { __typename } } }", world, mode)
    assert took == pytest.approx(0.2, abs=0.01)
    assert found.data == {"home": {"notes": None, "slow": None, "feed": {"__typename": "Feed"}}}
    assert codes(found) == [("home.notes", "UPSTREAM_TIMEOUT"), ("home.slow", "UPSTREAM_TIMEOUT")]
    assert found.sections.told == {
        "home.notes": {"status": "timed_out", "code": "UPSTREAM_TIMEOUT", "fallback": "OMIT"},
        "home.slow": {"status": "timed_out", "code": "UPSTREAM_TIMEOUT", "fallback": "OMIT"},
        "home.feed": {"status": "ok"},
    }
    assert not found.sections.is_failed


@both
def test_omitted_section_has_its_cause(mode: Mode) -> None:
    """Null with the key present, and the error that caused it."""
    world = World({(NotesLoader, "me"): DEAD})
    found, _ = run("{ home { notes { texts } feed { __typename } } }", world, mode)
    assert found.data == {"home": {"notes": None, "feed": {"__typename": "Feed"}}}
    assert codes(found) == [("home.notes", "UPSTREAM_UNAVAILABLE")]
    told = found.sections.told["home.notes"]
    assert told == {"status": "omitted", "code": "UPSTREAM_UNAVAILABLE", "fallback": "OMIT"}


@both
@pytest.mark.parametrize("fate", [DEAD, HANG], ids=["dead", "hangs"])
def test_stale_records_go_on(mode: Mode, fate: Any) -> None:
    """A failed call, or one that takes too long, is replaced by old records, and what they ask for
    by theirs; the app sees no error."""
    world = World({(FeedLoader, "*"): fate, (PersonLoader, "*"): fate}, {FeedLoader, PersonLoader})
    found, _ = run("{ home { feed { posts { ... on Post { author { id } } } } } }", world, mode)
    assert found.data == {
        "home": {"feed": {"posts": [{"author": {"id": "ann"}}, {"author": {"id": "bob"}}]}}
    }
    assert not found.errors
    code = "UPSTREAM_UNAVAILABLE" if fate is DEAD else "DEADLINE_EXCEEDED"
    told = {"status": "stale", "ageS": 43, "code": code, "fallback": "STALE"}
    assert found.sections.told == {"home.feed": told}
    assert not found.sections.is_failed


@both
def test_stale_without_records_is_omitted(mode: Mode) -> None:
    """Where nothing was kept the section is null with its error, which fails the screen if it
    is critical."""
    found, _ = run("{ home { feed { __typename } } }", World({(FeedLoader, "*"): DEAD}), mode)
    assert found.data == {"home": {"feed": None}}
    assert codes(found) == [("home.feed", "UPSTREAM_UNAVAILABLE")]
    assert found.sections.told["home.feed"]["status"] == "omitted"
    assert found.sections.is_failed


@both
def test_stale_hides_no_refusal(mode: Mode) -> None:
    """A viewer who has to sign in hears so, whatever is kept."""
    world = World({(FeedLoader, "*"): Unauthenticated("Sign in.")}, {FeedLoader})
    found, _ = run("{ home { feed { __typename } } }", world, mode)
    assert codes(found) == [("home.feed", "UNAUTHENTICATED")]


@both
@pytest.mark.parametrize("fate", [DEAD, HANG], ids=["dead", "hangs"])
def test_empty_values_stand_in(mode: Mode, fate: Any) -> None:
    """An empty list, or an object of empty lists and nulls, without an error; also where a value
    below that may not be null took the section along."""
    text = "{ home { must { id } extras { kind: __typename tags word must { id } } } }"
    found, _ = run(text, World({(PersonLoader, "*"): fate}), mode)
    extras: dict[str, Any] = {"kind": "Extras", "tags": [], "word": None, "must": []}
    assert found.data == {"home": {"must": [], "extras": extras}}
    assert not found.errors
    status = "omitted" if fate is DEAD else "timed_out"
    assert {one["status"] for one in found.sections.told.values()} == {status}
    assert {one["fallback"] for one in found.sections.told.values()} == {"EMPTY"}


@both
def test_parts_of_a_section_may_be_null(mode: Mode) -> None:
    """A part that may be null by itself leaves its section standing, with an error of its own."""
    found, _ = run("{ home { friends { id } } }", World({(PersonLoader, "bob"): DEAD}), mode)
    assert found.data == {"home": {"friends": [{"id": "ann"}, None]}}
    assert codes(found) == [("home.friends.1", "UPSTREAM_UNAVAILABLE")]
    assert found.sections.told == {}


@both
def test_sections_in_lists_are_told_once(mode: Mode) -> None:
    """One entry for all places of a section in a list: the worst of them."""
    text = "{ home { feed { posts { ... on Post { author { best { id } } } } } } }"
    found, _ = run(text, World({(PostLoader, "bob"): DEAD}), mode)
    path = "home.feed.posts[].author.best"
    assert list(found.sections.told) == ["home.feed", path]
    assert found.sections.told["home.feed"] == {"status": "ok"}
    assert found.sections.told[path]["status"] == "omitted"
    assert dict(found.sections.counted)["Person.best"] == "omitted"


@both
def test_a_call_others_wait_for_goes_on(mode: Mode) -> None:
    """Giving up a section does not end the call: what waits for it beside is answered by it."""

    async def main() -> Executed:
        world = World({(NotesLoader, "me"): HANG})
        found = await ask("{ home { notes { texts } } }", world, mode)
        assert parked() >= 1
        await asyncio.sleep(40)
        assert world.done == 1, "the call was cancelled"
        assert parked() == 0
        return found

    assert run_virtually(main()).data == {"home": {"notes": None}}


@both
def test_writes_come_to_their_end(mode: Mode) -> None:
    """At the deadline the answer leaves without a write's outcome; the write itself goes on, and
    the next one is not begun."""

    async def main() -> Executed:
        WRITTEN.clear()
        text = 'mutation { a: write(text: "one", seconds: 5) b: write(text: "two", seconds: 1) }'
        found, took = await _timed(text, World(seconds=2), mode)
        assert took == pytest.approx(2, abs=0.01)
        assert WRITTEN == []
        await asyncio.sleep(10)
        assert WRITTEN == ["one"]
        return found

    found = run_virtually(main())
    assert found.data == {"a": None, "b": None}
    assert codes(found) == [("a", "DEADLINE_EXCEEDED"), ("b", "DEADLINE_EXCEEDED")]


@both
def test_budgets_of_a_write_count_from_its_field(mode: Mode) -> None:
    """The time an earlier field of a mutation took is not charged to a later one's sections."""
    text = 'mutation { write(text: "x", seconds: 0.5) home { notes { texts } } }'
    found, _ = run(text, World(), mode)
    assert found.data == {"write": "x", "home": {"notes": {"texts": ["note of me"]}}}
    late, took = run(text, World({(NotesLoader, "me"): HANG}), mode)
    assert late.data == {"write": "x", "home": {"notes": None}}
    assert took == pytest.approx(0.7, abs=0.01)


@both
def test_null_above_takes_sections_along(mode: Mode) -> None:
    """Where an error nulls what is around a section, the section is told as omitted."""
    text = "{ home { feed { posts { ... on Post { strict { best { id } } } } } } }"
    found, _ = run(text, World({(PersonLoader, "*"): DEAD}), mode)
    assert found.data == {"home": {"feed": {"posts": [None, None]}}}
    assert found.sections.told["home.feed.posts[].strict.best"]["status"] == "omitted"
    assert found.sections.told["home.feed"] == {"status": "ok"}


@both
def test_loaders_that_kept_are_told(mode: Mode) -> None:
    """What a loader itself answered from what it kept makes its sections stale."""
    world = World(stale_loads={"notes.notes": 12.4})
    found, _ = run("{ home { notes { texts } feed { __typename } } }", world, mode)
    told = {"status": "stale", "ageS": 12, "fallback": "STALE"}
    assert found.sections.told == {"home.notes": told, "home.feed": {"status": "ok"}}
