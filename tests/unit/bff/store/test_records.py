"""Level one keeps what services allow, drops what they say, and stays in its bytes."""

from __future__ import annotations

import gc
import tracemalloc
from dataclasses import replace
from typing import Any

import msgspec
import pytest

from bff.errors import NotFound
from bff.store.records import MOST_OF_VIEWER, MOST_TAGS, RecordCache
from bff.store.shelf import ABSENT_S, Entry, Tags
from bff.upstreams.accounts import CardsAnswer
from bff.upstreams.content import ItemsAnswer, StatsAnswer
from tests.unit.bff.store.kept import OWN, Counted, World, viewer

CARD = {
    "id": "acc_00001",
    "handle": "reader_of_many_things",
    "display_name": "A Reader",
    "avatar": None,
    "verified": True,
    "follower_count": 123_456,
}
STATS = {"item_id": "itm_00001", "views": 1_234, "likes": 321, "comments": 45, "shares": 6}
ITEM = {
    "kind": "article",
    "id": "itm_00001",
    "title": "A title of the usual length for a title",
    "summary": "A summary says in some more words what one will read " * 3,
    "author_id": "acc_00001",
    "image": None,
    "topics": ["science", "weather", "sea"],
    "published_at": "2026-11-20T10:00:00Z",
    "updated_at": "2026-11-20T10:00:00Z",
    "revision": 3,
    "reading_minutes": 4,
    "word_count": 900,
}


def test_kept_is_found_again() -> None:
    """An answer is kept by reference under its key, with its times."""
    world = World()
    record = object()
    [entry] = world.keep({"a": record}, "public, max-age=60, stale-while-revalidate=30")
    assert world.kept() == {"a": record}
    assert entry.record is record
    assert (entry.fresh_until, entry.usable_until) == (1_060.0, 1_090.0)


def test_errors_are_never_kept() -> None:
    """The error of one key is not kept, its neighbours are."""
    world = World()
    world.keep({"a": "A", "b": NotFound("There is nothing with this id; check it.")})
    assert world.kept() == {"a": "A"}


def test_absence_is_kept_shortly() -> None:
    """That there is none is believed for moments, and never stands in place of a failure."""
    world = World()
    [entry] = world.keep({"a": None}, "public, max-age=60, stale-if-error=600")
    assert entry.gone_at == world.clock.now + ABSENT_S


@pytest.mark.parametrize("declared", ["private, max-age=60", "public, max-age=60"])
def test_scope_must_agree(declared: str) -> None:
    """`private` of what is everybody's, `public` of what is a viewer's: not kept, counted."""
    world = World()
    who = viewer() if declared.startswith("public") else None
    assert world.keep({"a": "A"}, declared, viewer=who) == []
    assert len(world.cache) == 0
    assert world.counted.counts["refused.scope"] == 1


def test_jitter_only_shortens() -> None:
    """Answers go stale up to the share earlier, never later; all of one call at once."""
    for rolled in (0.0, 0.5, 1.0):
        world = World(jitter=0.2, dice=lambda rolled=rolled: rolled)  # type: ignore[misc]
        entries = world.keep({"a": "A", "b": "B"}, "public, max-age=100")
        assert {entry.fresh_until for entry in entries} == {1_100.0 - 20 * rolled}


def test_viewers_answers_have_a_viewer() -> None:
    """A viewer's place cannot be made without the viewer."""
    world = World()
    with pytest.raises(ValueError, match="without the viewer"):
        world.shelf(OWN).place(None, "a")


def test_sign_out_drops_and_refuses() -> None:
    """At a sign-out everything of the account goes, of any session; what was asked for before it
    is not kept when it comes; a new session's is."""
    world = World()
    old, other = viewer(epoch=1), viewer("acc_2")
    for who in (old, viewer(session="s2"), other):
        world.keep({"a": "A"}, "private, max-age=60", viewer=who)
    world.cache.viewer_left("acc_1", 2)
    assert world.kept(other) == {(other, "a"): "A"}
    began = world.clock.now
    world.clock.now += 1
    world.keep({"a": "A"}, "private, max-age=60", viewer=old, began=began)
    world.keep({"a": "A"}, "private, max-age=60", viewer=old)
    assert world.counted.counts["refused.signed_out"] == 2
    fresh = viewer(epoch=2)
    world.keep({"a": "B"}, "private, max-age=60", viewer=fresh)
    assert world.kept(fresh)[(fresh, "a")] == "B"


def test_tags_drop_their_own() -> None:
    """A tag that names a key is that key's alone, a kind alone stands for each of its keys, any
    other is everybody's."""
    world = World()
    world.keep({"1": "A", "2": "B"}, tags=("item:1", "item:2", "topic:sea"))
    world.keep({"3": "C", "4": "D"}, tags=("item",))
    world.cache.drop(["item:1"])
    assert set(world.kept()) == {"2", "3", "4"}
    world.cache.drop(["item:3"])
    assert set(world.kept()) == {"2", "4"}
    world.cache.drop(["topic:sea"])
    assert set(world.kept()) == {"4"}
    world.cache.drop(["item"])
    assert world.kept() == {}
    assert world.cache.size == 0


def test_drop_reaches_what_is_under_way() -> None:
    """What a call that began before the drop brings is not kept, and nobody joins that call."""
    world = World()
    began = world.clock.now
    world.shelf().flights["1"] = object()
    world.clock.now += 1
    world.cache.drop(["item:1"])
    assert world.shelf().flights == {}
    world.keep({"1": "old", "2": "B"}, tags=("item:1", "item:2"), began=began)
    assert world.kept() == {"2": "B"}
    assert world.counted.counts["refused.outdated"] == 1
    world.clock.now += 1
    world.keep({"1": "new"}, tags=("item:1",))
    assert world.kept()["1"] == "new"


@pytest.mark.parametrize(("tag", "joined"), [("viewer:acc_1", True), ("item:7", False)])
def test_write_ends_waiting_where_it_must(tag: str, joined: bool) -> None:
    """A write that made a viewer's answers old leaves calls alone that can bring none of them;
    one of a kind that a service's answers bear ends the waiting for it."""
    world = World()
    [entry] = world.keep({"1": "A"}, tags=("item:1",))
    shelf, own = world.shelf(), world.shelf(OWN)
    shelf.learn(entry.freshness)
    shelf.flights["2"] = own.flights["2"] = object()
    world.cache.outdated([tag])
    assert (bool(shelf.flights), bool(own.flights)) == (joined, False)
    shelf.flights["2"] = object()
    world.cache.drop_named([tag])  # as another process tells it that knows of no kinds
    assert shelf.flights == {}


def test_too_many_tags_are_not_kept() -> None:
    """The index of tags is bounded: an answer with too many is not kept, counted."""
    world = World()
    world.keep({"1": "A"}, tags=tuple(f"topic:{n}" for n in range(MOST_TAGS + 1)))
    assert world.kept() == {}
    assert world.counted.counts["refused.tags"] == 1


def test_bytes_are_bounded() -> None:
    """However much comes, it stays in its bytes; what was used lately stays."""
    world = World(max_memory=100_000)
    for n in range(1_000):
        world.keep({f"k{n}": n}, size=200)
        entry = world.shelf().entries.get("k0")
        if entry is not None:
            entry.used = True
        assert world.cache.size <= 100_000
    assert "k0" in world.kept()
    assert world.counted.counts["evicted"] > 800
    assert world.cache.size == sum(entry.size for entry in world.shelf().entries.values())


def test_one_account_cannot_fill_it() -> None:
    """However many releases and devices one account names, so many of its answers are kept, the
    newest; nobody else's goes for them."""
    world = World()
    other = viewer("acc_2")
    world.keep({"a": "other's"}, "private, max-age=60", viewer=other)
    for n in range(MOST_OF_VIEWER * 3):
        who = viewer(session=f"s{n}")
        world.keep({"a": "A"}, "private, max-age=60", viewer=who)
    assert len(world.cache) == MOST_OF_VIEWER + 1
    assert {(other, "a"), (who, "a")} <= set(world.kept(other))
    assert world.counted.counts["refused.account"] == MOST_OF_VIEWER * 2
    world.cache.viewer_left("acc_1", 2)
    assert len(world.cache) == 1


def test_tag_of_its_own_name_hides_nobody() -> None:
    """A service that names the viewer's own tag itself changes nothing of whose an answer is."""
    world = World()
    for n in range(MOST_OF_VIEWER + 1):
        tags = ("viewer:acc_1", f"page:{n}")
        world.keep({"a": "A"}, "private, max-age=60", tags, viewer(session=f"s{n}"))
    assert len(world.cache) == MOST_OF_VIEWER


def test_old_entries_are_swept() -> None:
    """What is past its last use goes while others come, though nobody asks for it."""
    world = World()
    world.keep({f"old{n}": n for n in range(50)})
    world.clock.now += 3_600
    world.keep({f"new{n}": n for n in range(60)})
    assert not any(str(key).startswith("old") for key in world.kept())


def test_off_keeps_nothing() -> None:
    """Without memory nothing is kept."""
    world = World(max_memory=0)
    assert world.keep({"a": "A"}) == []
    assert world.shelf().idle


def test_tags_of_keys_with_ids() -> None:
    """Keys that hold an id beside other things have the tags of that id."""
    key: Any = type("Key", (), {"item_id": "1"})()
    assert Tags(["thread:1", "thread:2"], [key]).of(key) == ["thread:2", "thread:1"]


@pytest.mark.parametrize(
    ("answer", "field", "one"),
    [(CardsAnswer, "cards", CARD), (StatsAnswer, "stats", STATS), (ItemsAnswer, "items", ITEM)],
)
def test_size_is_honest(answer: Any, field: str, one: dict[str, Any]) -> None:
    """What the cache says it holds is what its records, places and tags really take: not less, and
    at most three times as much."""
    many, calls = 40, 25
    kind = replace(OWN, name=field, of_viewer=False)
    cache = RecordCache(1 << 30, Counted(), jitter=0.0)
    shelf = cache.shelf(kind)
    bodies = []
    for call in range(calls):
        listed = [
            {**one, ("item_id" if field == "stats" else "id"): f"id_{call:05}_{n:05}"}
            for n in range(many)
        ]
        bodies.append(msgspec.json.encode({field: listed}))
    decoder = msgspec.json.Decoder(answer)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for body in bodies:
        _keep_all(cache, shelf, getattr(decoder.decode(body), field), len(body))
    gc.collect()
    real = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert len(cache) == many * calls
    assert real <= cache.size <= 3 * real, (real, cache.size)


def _keep_all(cache: RecordCache, shelf: Any, records: list[Any], size: int) -> None:
    from bff.store.freshness import read_freshness
    from bff.store.shelf import Brought

    keys = [getattr(one, "item_id", None) or one.id for one in records]
    freshness = read_freshness("public, max-age=60, stale-if-error=600")
    assert freshness is not None
    tags = Tags([f"item:{key}" for key in keys], keys)
    kept: list[Entry] = cache.keep(
        shelf, None, None, Brought(keys, records, freshness, tags, cache.clock(), size)
    )
    assert len(kept) == len(records)
