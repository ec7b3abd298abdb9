"""Feed, saved and continue: what a viewer pages through is complete, ordered and their own."""

from typing import Any

import pytest

from core_services.content.records import ContinueList, FeedPage, SavedPage
from core_services.content.seed import rows
from core_services.content.tables import REACH_FOLLOWERS, followed_topics, items, progress, saved
from tests.unit.core_services.content.seeded import Seeded

DEMO = "acc_00001"
_SEED = dict(rows())


def _of(table: Any, account: str) -> list[dict[str, Any]]:
    return [row for row in _SEED[table] if row["account_id"] == account]


def _expected_feed(account: str) -> list[str]:
    followed = {row["topic"] for row in _of(followed_topics, account)}
    shown = [
        row
        for row in _SEED[items]
        if row["reach"] > REACH_FOLLOWERS or row["main_topic"] in followed
    ]
    shown.sort(key=lambda row: (row["published_at"], row["id"]), reverse=True)
    return [row["id"] for row in shown]


async def _all_pages(content: Seeded, viewer: str, first: int) -> list[FeedPage]:
    pages: list[FeedPage] = []
    cursor: str | None = None
    while not pages or cursor is not None:
        params = {"first": first} | ({} if cursor is None else {"after": cursor})
        pages.append(await content.read(FeedPage, "GET", "/feed", viewer, params=params))
        cursor = pages[-1].next_cursor
        assert pages[-1].has_more == (cursor is not None)
    return pages


@pytest.mark.parametrize("first", [50, 37])
async def test_feed_pages_cover_everything(content: Seeded, first: int) -> None:
    """Following the cursors shows every item of the feed exactly once, newest first."""
    pages = await _all_pages(content, DEMO, first)
    assert [entry.item.id for page in pages for entry in page.entries] == _expected_feed(DEMO)
    assert all(len(page.entries) == first for page in pages[:-1])


async def test_feed_breaks_ties_of_time(content: Seeded) -> None:
    """Items published at the same instant are split over two pages without loss or repetition."""
    shown, params = [], {"first": "1"}
    for _ in range(40):
        page = await content.read(FeedPage, "GET", "/feed", DEMO, params=params)
        shown += [entry.item for entry in page.entries]
        params = {"first": "1", "after": str(page.next_cursor)}
    assert len({item.published_at for item in shown}) < len(shown)
    assert [item.id for item in shown] == _expected_feed(DEMO)[:40]


async def test_same_cursor_same_page(content: Seeded) -> None:
    """A cursor names a place in the list: using it twice shows the same page."""
    first = await content.read(FeedPage, "GET", "/feed", DEMO, params={"first": 7})
    params = {"first": 7, "after": first.next_cursor}
    once = await content.read(FeedPage, "GET", "/feed", DEMO, params=params)
    again = await content.read(FeedPage, "GET", "/feed", DEMO, params=params)
    assert once == again
    assert once.entries[0] != first.entries[0]


async def test_feeds_differ_between_viewers(content: Seeded) -> None:
    """Viewers who follow different topics see different feeds, each with several reasons."""
    mine = await content.read(FeedPage, "GET", "/feed", DEMO, params={"first": 50})
    other = await content.read(FeedPage, "GET", "/feed", "acc_00002", params={"first": 50})
    assert [entry.item.id for entry in mine.entries] != [entry.item.id for entry in other.entries]
    assert {"followed_topic", "popular"} <= {entry.reason for entry in mine.entries}


async def test_feed_of_unknown_account(content: Seeded) -> None:
    """An account without any row sees what is for everybody, nothing saved and nothing begun."""
    page = await content.read(FeedPage, "GET", "/feed", "acc_new", params={"first": 50})
    assert [entry.item.id for entry in page.entries] == _expected_feed("acc_new")[:50]
    assert all(not entry.saved and entry.progress is None for entry in page.entries)
    assert {entry.reason for entry in page.entries} <= {"popular", "new"}


async def test_feed_knows_viewers_own_rows(content: Seeded) -> None:
    """`saved` and `progress` of each entry are those of the viewer, never of somebody else."""
    own_saved = {row["item_id"] for row in _of(saved, DEMO) if row["saved_at"] is not None}
    own_progress = {row["item_id"]: row["fraction"] for row in _of(progress, DEMO)}
    entries = [entry for page in await _all_pages(content, DEMO, 50) for entry in page.entries]
    assert {entry.item.id for entry in entries if entry.saved} <= own_saved
    assert any(entry.saved for entry in entries)
    for entry in entries:
        fraction = None if entry.progress is None else entry.progress.fraction
        assert fraction == own_progress.get(entry.item.id)


async def test_saved_pages_cover_everything(content: Seeded) -> None:
    """The saved list shows each saved item once, last saved first, beside the total of all."""
    expected = [row for row in _of(saved, DEMO) if row["saved_at"] is not None]
    expected.sort(key=lambda row: (row["saved_at"], row["item_id"]), reverse=True)
    shown: list[str] = []
    params: dict[str, Any] = {"first": 10}
    while True:
        page = await content.read(SavedPage, "GET", "/saved", DEMO, params=params)
        assert page.total == len(expected)
        shown += [entry.item.id for entry in page.entries]
        if not page.has_more:
            break
        params["after"] = page.next_cursor
    assert shown == [row["item_id"] for row in expected]


async def test_saved_list_may_be_empty(content: Seeded) -> None:
    """An account that saved nothing gets an empty page with total 0."""
    page = await content.read(SavedPage, "GET", "/saved", "acc_new")
    assert page == SavedPage(entries=[], total=0, next_cursor=None, has_more=False)


async def test_continue_leaves_out_finished(content: Seeded) -> None:
    """Continue lists what was begun and not finished, newest progress first, at most `first`."""
    begun = [row for row in _of(progress, DEMO) if 0 < row["fraction"] < 1]
    begun.sort(key=lambda row: (row["updated_at"], row["item_id"]), reverse=True)
    found = await content.read(ContinueList, "GET", "/continue", DEMO, params={"first": 20})
    assert [entry.item.id for entry in found.entries] == [row["item_id"] for row in begun[:20]]
    few = await content.read(ContinueList, "GET", "/continue", DEMO, params={"first": 2})
    assert few.entries == found.entries[:2]
