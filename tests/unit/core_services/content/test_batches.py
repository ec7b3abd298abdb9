"""Batches: found records only, in the order asked for, each once."""

from typing import Any

import pytest

from core_services.content.records import (
    ArticleInFull,
    CollectionInFull,
    ItemDetailList,
    ItemList,
    RelatedList,
    StatsList,
    ThreadList,
    VideoInFull,
    ViewerStateList,
)
from core_services.content.seed import rows
from core_services.content.tables import comments, items, saved
from tests.unit.core_services.content.seeded import Seeded

DEMO = "acc_00001"
_SEED = dict(rows())
# Out of order, twice, unknown, empty, another script, and what SQL and JSON might trip over.
_ASKED = [
    "itm_00900", "itm_00003", "nope", "itm_00900", "", "Ω" * 64, "itm_00001", "%", "' OR 1=1 --",
    '"],[', "itm_00002", "itm_00003",
]  # fmt: skip
_FOUND = ["itm_00900", "itm_00003", "itm_00001", "itm_00002"]


async def test_items_keep_request_order(content: Seeded) -> None:
    """Items come in the order asked for, duplicates collapsed, unknown ids left out."""
    found = await content.read(ItemList, "POST", "/items/batch", json={"ids": _ASKED})
    assert [item.id for item in found.items] == _FOUND


async def test_stats_keep_request_order(content: Seeded) -> None:
    """Counters come in the order asked for, duplicates collapsed, unknown ids left out."""
    found = await content.read(StatsList, "POST", "/stats/batch", json={"ids": _ASKED})
    assert [stats.item_id for stats in found.stats] == _FOUND


async def test_states_cover_untouched_items(content: Seeded) -> None:
    """Every existing item has a viewer state, in the order asked for, touched or not."""
    asked = {"ids": _ASKED}
    found = await content.read(
        ViewerStateList, "POST", "/viewer-states/batch", "acc_new", json=asked
    )
    assert [state.item_id for state in found.states] == _FOUND
    assert not any(state.saved or state.progress for state in found.states)


async def test_states_are_viewers_own(content: Seeded) -> None:
    """The saved flags of the demo account's states are exactly its saved rows."""
    own = [row for row in _SEED[saved] if row["account_id"] == DEMO]
    asked = {"ids": [row["item_id"] for row in own]}
    found = await content.read(ViewerStateList, "POST", "/viewer-states/batch", DEMO, json=asked)
    expected = {row["item_id"]: row["saved_at"] is not None for row in own}
    assert {state.item_id: state.saved for state in found.states} == expected
    assert all(state.saved == (state.saved_at is not None) for state in found.states)


async def test_details_only_when_asked(content: Seeded) -> None:
    """Body, streams and entries are in the details, and absent from the cards."""
    ids = {"ids": ["itm_00001", "itm_00002", "itm_00003"]}
    full = await content.read(ItemDetailList, "POST", "/item-details/batch", json=ids)
    article, video, collection = full.items
    assert isinstance(article, ArticleInFull)
    assert isinstance(video, VideoInFull)
    assert isinstance(collection, CollectionInFull)
    assert article.body
    assert video.streams
    assert len(collection.entry_ids) == collection.item_count
    plain = (await content.call("POST", "/items/batch", json=ids)).json()["items"]
    assert not any({"body", "streams", "entry_ids"} & item.keys() for item in plain)


async def test_whole_seed_has_exact_shape(content: Seeded) -> None:
    """Every seeded item, in full, is of exactly the shape that OpenAPI promises."""
    ids = [row["id"] for row in _SEED[items]]
    for start in range(0, len(ids), 200):
        asked = {"ids": ids[start : start + 200]}
        found = await content.read(ItemDetailList, "POST", "/item-details/batch", json=asked)
        assert [item.id for item in found.items] == asked["ids"]


async def test_text_survives_unchanged(content: Seeded) -> None:
    """Titles of any script, with quotes, breaks and emoji, come back as they were written."""
    hard = [row for row in _SEED[items] if not row["title"].isascii()][:200]
    found = await content.read(
        ItemList, "POST", "/items/batch", json={"ids": [row["id"] for row in hard]}
    )
    assert [item.title for item in found.items] == [row["title"] for row in hard]


async def test_comments_page_through_threads(content: Seeded) -> None:
    """Several threads page side by side until each has shown all its comments, newest first."""
    expected = {id_: _thread(id_) for id_ in ("itm_00001", "itm_00002", "itm_00003")}
    shown: dict[str, list[str]] = {id_: [] for id_ in expected}
    asks: list[dict[str, Any]] = [{"item_id": id_} for id_ in expected]
    while asks:
        body = {"threads": asks, "first": 6}
        page = await content.read(ThreadList, "POST", "/comments/batch", json=body)
        assert [thread.item_id for thread in page.threads] == [ask["item_id"] for ask in asks]
        for thread in page.threads:
            assert thread.total == len(expected[thread.item_id])
            shown[thread.item_id] += [comment.id for comment in thread.comments]
        asks = [
            {"item_id": thread.item_id, "after": thread.next_cursor}
            for thread in page.threads
            if thread.has_more
        ]
    assert shown == expected


def _thread(item_id: str) -> list[str]:
    found = [row for row in _SEED[comments] if row["item_id"] == item_id]
    found.sort(key=lambda row: (row["created_at"], row["id"]), reverse=True)
    return [row["id"] for row in found]


async def test_comments_collapse_and_skip(content: Seeded) -> None:
    """A thread asked for twice is answered once, an unknown item not at all, a silent one empty."""
    commented = {row["item_id"] for row in _SEED[comments]}
    silent = next(row["id"] for row in _SEED[items] if row["id"] not in commented)
    asks = [{"item_id": id_} for id_ in ("nope", silent, "itm_00001", "nope", "itm_00001")]
    body = {"threads": asks, "first": 2}
    found = await content.read(ThreadList, "POST", "/comments/batch", json=body)
    assert [thread.item_id for thread in found.threads] == [silent, "itm_00001"]
    assert found.threads[0].comments == []
    assert found.threads[0].total == 0


async def test_fifty_threads_at_once(content: Seeded) -> None:
    """The largest batch of threads is answered whole."""
    asks = [{"item_id": f"itm_{number:05}"} for number in range(1, 51)]
    body = {"threads": asks, "first": 50}
    found = await content.read(ThreadList, "POST", "/comments/batch", json=body)
    assert len(found.threads) == 50


async def test_related_share_main_topic(content: Seeded) -> None:
    """Neighbours share the item's main topic, exclude it, and are as many as asked for."""
    body = {"ids": ["itm_00003", "nope", "itm_06000", "itm_00001"], "first": 5}
    found = await content.read(RelatedList, "POST", "/related/batch", json=body)
    assert [related.item_id for related in found.related] == ["itm_00003", "itm_06000", "itm_00001"]
    topics = {row["id"]: row["main_topic"] for row in _SEED[items]}
    for related in found.related:
        ids = [item.id for item in related.items]
        assert len(set(ids)) == 5
        assert related.item_id not in ids
        assert {topics[id_] for id_ in ids} == {topics[related.item_id]}


async def test_related_nearest_come_first(content: Seeded) -> None:
    """Fewer neighbours are the beginning of more neighbours."""
    many = {"ids": ["itm_03000"], "first": 20}
    few = {"ids": ["itm_03000"], "first": 3}
    all_of_them = await content.read(RelatedList, "POST", "/related/batch", json=many)
    nearest = await content.read(RelatedList, "POST", "/related/batch", json=few)
    assert len(all_of_them.related[0].items) == 20
    assert nearest.related[0].items == all_of_them.related[0].items[:3]


@pytest.mark.parametrize("size", [1, 200])
async def test_batch_takes_up_to_200(content: Seeded, size: int) -> None:
    """One id and two hundred ids are both one answer."""
    asked = {"ids": [f"itm_{number:05}" for number in range(1, size + 1)]}
    found = await content.read(StatsList, "POST", "/stats/batch", json=asked)
    assert len(found.stats) == size
