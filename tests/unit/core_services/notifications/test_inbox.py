"""Inbox and preferences: what is shown is the viewer's own, complete, ordered and counted."""

from typing import Any

import pytest

from core_services.notifications.records import InboxHead, InboxPage, Preferences
from core_services.notifications.seed import KINDS, rows
from core_services.notifications.tables import notifications, preference_sets, preferences
from tests.unit.core_services.content.seeded import Seeded

DEMO, HEAVY = "acc_00001", "acc_00002"
_SEED = dict(rows())


def _told(account: str, kind: str | None = None) -> list[dict[str, Any]]:
    found = [
        row
        for row in _SEED[notifications]
        if row["account_id"] == account and kind in (None, row["kind"])
    ]
    return sorted(found, key=lambda row: (row["created_at"], row["id"]), reverse=True)


@pytest.mark.parametrize("first", [0, 1, 10])
async def test_head_shows_newest(inbox: Seeded, first: int) -> None:
    """The head is the newest `first` notifications beside the number of all unread ones."""
    told = _told(DEMO)
    head = await inbox.read(InboxHead, "GET", "/inbox/head", DEMO, params={"first": first})
    assert [one.id for one in head.latest] == [row["id"] for row in told[:first]]
    assert head.unread == sum(row["read_at"] is None for row in told)
    assert head.revision == len(told)


@pytest.mark.parametrize("account", [DEMO, HEAVY])
@pytest.mark.parametrize("kind", [None, *KINDS])
async def test_inbox_pages_cover_everything(inbox: Seeded, account: str, kind: str | None) -> None:
    """Following the cursors shows every notification once, newest first, of one kind or of all."""
    params: dict[str, Any] = {"first": 17} | ({} if kind is None else {"kind": kind})
    shown: list[str] = []
    while True:
        page = await inbox.read(InboxPage, "GET", "/inbox", account, params=params)
        shown += [one.id for one in page.notifications]
        if not page.has_more:
            break
        params["after"] = page.next_cursor
    assert shown == [row["id"] for row in _told(account, kind)]


async def test_same_cursor_same_page(inbox: Seeded) -> None:
    """A cursor names a place in the list: using it twice shows the same page."""
    first = await inbox.read(InboxPage, "GET", "/inbox", DEMO, params={"first": 5})
    params = {"first": 5, "after": first.next_cursor}
    once = await inbox.read(InboxPage, "GET", "/inbox", DEMO, params=params)
    assert once == await inbox.read(InboxPage, "GET", "/inbox", DEMO, params=params)
    assert {one.id for one in once.notifications}.isdisjoint(one.id for one in first.notifications)


async def test_unknown_account_has_empty_inbox(inbox: Seeded) -> None:
    """An account nobody told anything has nothing unread, nothing listed, and revision 0."""
    head = await inbox.read(InboxHead, "GET", "/inbox/head", "acc_new")
    assert (head.unread, head.latest, head.revision) == (0, [], 0)
    page = await inbox.read(InboxPage, "GET", "/inbox", "acc_new")
    assert page == InboxPage(
        notifications=[], unread=0, revision=0, next_cursor=None, has_more=False
    )


async def test_preferences_cover_every_kind(inbox: Seeded) -> None:
    """Preferences have one entry for each kind in fixed order, as the account chose them."""
    found = await inbox.read(Preferences, "GET", "/preferences", DEMO)
    chosen = [row for row in _SEED[preferences] if row["account_id"] == DEMO]
    assert [one.model_dump() | {"account_id": DEMO} for one in found.preferences] == chosen
    assert found.quiet_hours is not None
    assert (found.quiet_hours.start, found.quiet_hours.end) == ("22:00", "07:00")


async def test_quiet_hours_may_be_unset(inbox: Seeded) -> None:
    """An account without quiet hours has null there."""
    account = next(
        row["account_id"] for row in _SEED[preference_sets] if row["quiet_start"] is None
    )
    found = await inbox.read(Preferences, "GET", "/preferences", account)
    assert found.quiet_hours is None


async def test_unknown_account_has_defaults(inbox: Seeded) -> None:
    """An account that never chose has push and in-app on, e-mail off, and revision 0."""
    found = await inbox.read(Preferences, "GET", "/preferences", "acc_new")
    assert [one.kind for one in found.preferences] == list(KINDS)
    assert {(one.push, one.email, one.in_app) for one in found.preferences} == {(True, False, True)}
    assert (found.quiet_hours, found.revision) == (None, 0)
