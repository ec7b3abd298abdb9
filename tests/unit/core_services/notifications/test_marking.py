"""Marking read: all or nothing, once for each key, and the stored count is always the true one."""

import asyncio
from typing import Any

import httpx2
import pytest
from sqlalchemy import func, select

from core_services.kit.revisions import current_revision
from core_services.notifications.records import InboxHead, Read
from core_services.notifications.seed import rows
from core_services.notifications.tables import inboxes, notifications
from tests.unit.core_services.content.seeded import Seeded

_TOLD: dict[str, list[dict[str, Any]]] = {}
for _row in dict(rows())[notifications]:
    _TOLD.setdefault(_row["account_id"], []).append(_row)
# Accounts of a dozen notifications or more, some of them unread: one for each test that writes.
_ACCOUNTS = sorted(
    account
    for account, told in _TOLD.items()
    if 12 <= len(told) <= 60 and sum(row["read_at"] is None for row in told) >= 4
)


def _unread(account: str) -> list[str]:
    return [row["id"] for row in _TOLD[account] if row["read_at"] is None]


async def _mark(inbox: Seeded, viewer: str, key: str, body: Any) -> httpx2.Response:
    return await inbox.call("POST", "/inbox/read", viewer, key, json=body)


async def _marked(inbox: Seeded, viewer: str, key: str, body: Any) -> Read:
    answer = await _mark(inbox, viewer, key, body)
    assert answer.status_code == 200, answer.text
    return Read.model_validate_json(answer.content, strict=True)


async def _count(inbox: Seeded, viewer: str) -> tuple[int, int]:
    """The stored unread counter and what counting says."""
    async with inbox.database.reader() as connection:
        stored = select(inboxes.c.unread).where(inboxes.c.account_id == viewer)
        counted = select(func.count()).where(
            notifications.c.account_id == viewer, notifications.c.read_at.is_(None)
        )
        return (
            (await connection.execute(stored)).scalar_one(),
            (await connection.execute(counted)).scalar_one(),
        )


async def test_ids_are_marked(inbox: Seeded) -> None:
    """The ids given become read, the count falls by those that were unread, the revision rises."""
    viewer = _ACCOUNTS[0]
    unread = _unread(viewer)
    before = await inbox.read(InboxHead, "GET", "/inbox/head", viewer)
    read = await _marked(inbox, viewer, "ids", {"ids": [unread[1], unread[0], unread[1]]})
    assert read.read_ids == [unread[1], unread[0]]
    assert read.unread == before.unread - 2
    assert read.revision > before.revision
    after = await inbox.read(InboxHead, "GET", "/inbox/head", viewer, params={"first": 10})
    assert (after.unread, after.revision, after.updated_at) == (
        read.unread,
        read.revision,
        read.updated_at,
    )
    stored, counted = await _count(inbox, viewer)
    assert stored == counted == read.unread


async def test_up_to_marks_all_older(inbox: Seeded) -> None:
    """`up_to` marks that notification and every older one, and nothing newer."""
    viewer = _ACCOUNTS[1]
    told = sorted(_TOLD[viewer], key=lambda row: (row["created_at"], row["id"]))
    place = len(told) // 2
    older = [row["id"] for row in told[: place + 1] if row["read_at"] is None]
    newer = [row["id"] for row in told[place + 1 :] if row["read_at"] is None]
    read = await _marked(inbox, viewer, "up-to", {"up_to": told[place]["id"]})
    assert read.read_ids == older[::-1]
    assert read.unread == len(newer)
    assert await _count(inbox, viewer) == (len(newer), len(newer))


async def test_rows_carry_new_revision(inbox: Seeded) -> None:
    """Rows marked by a call carry the revision it answered; rows read before keep theirs."""
    viewer = _ACCOUNTS[2]
    read_before = next(row for row in _TOLD[viewer] if row["read_at"] is not None)
    unread = _unread(viewer)[0]
    asked = {"ids": [read_before["id"], unread]}
    read = await _marked(inbox, viewer, "rows", asked)
    assert read.read_ids == asked["ids"]
    async with inbox.database.reader() as connection:
        query = select(notifications.c.id, notifications.c.revision, notifications.c.read_at)
        found = await connection.execute(query.where(notifications.c.id.in_(asked["ids"])))
        stored = {id_: (revision, read_at) for id_, revision, read_at in found}
    assert stored[unread][0] == read.revision
    assert stored[read_before["id"]] == (read_before["revision"], read_before["read_at"])


@pytest.mark.parametrize("form", ["ids", "up_to"])
async def test_foreign_id_changes_nothing(inbox: Seeded, form: str) -> None:
    """One id of somebody else, or of nobody, is 404 and leaves every row and count as it was."""
    viewer, other = _ACCOUNTS[3], _ACCOUNTS[4]
    own, foreign = _unread(viewer)[0], _unread(other)[0]
    for number, id_ in enumerate((foreign, "ntf_999999", "nope", "🙂")):
        body = {"ids": [own, id_]} if form == "ids" else {"up_to": id_}
        answer = await _mark(inbox, viewer, f"foreign-{form}-{number}", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    for account in (viewer, other):
        expected = len(_unread(account))
        assert await _count(inbox, account) == (expected, expected)
    async with inbox.database.reader() as connection:
        assert await current_revision(connection, viewer) == len(_TOLD[viewer])


async def test_replay_returns_first_answer(inbox: Seeded) -> None:
    """A repeat with the same key answers what the first call did and counts down only once."""
    viewer = _ACCOUNTS[5]
    unread = _unread(viewer)
    first = await _mark(inbox, viewer, "replay", {"ids": [unread[0]]})
    await _marked(inbox, viewer, "replay-other", {"ids": [unread[1]]})
    again = await _mark(inbox, viewer, "replay", {"ids": [unread[0]]})
    assert again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert await _count(inbox, viewer) == (len(unread) - 2, len(unread) - 2)


async def test_other_input_same_key(inbox: Seeded) -> None:
    """A key that stood for other ids, or for the other form, is refused and marks nothing."""
    viewer = _ACCOUNTS[6]
    unread = _unread(viewer)
    await _marked(inbox, viewer, "other", {"ids": [unread[0]]})
    for body in ({"ids": [unread[1]]}, {"up_to": unread[0]}):
        answer = await _mark(inbox, viewer, "other", body)
        assert (answer.status_code, answer.json()["code"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    assert await _count(inbox, viewer) == (len(unread) - 1, len(unread) - 1)


async def test_parallel_repeats_count_once(inbox: Seeded) -> None:
    """Twenty calls at once with one key have one effect and one answer."""
    viewer = _ACCOUNTS[7]
    body = {"ids": _unread(viewer)[:2]}
    answers = await asyncio.gather(*(_mark(inbox, viewer, "par", body) for _ in range(20)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    assert sum("idempotency-replayed" in answer.headers for answer in answers) == 19
    expected = len(_unread(viewer)) - 2
    assert await _count(inbox, viewer) == (expected, expected)


async def test_parallel_intents_count_right(inbox: Seeded) -> None:
    """Overlapping marks at once, ids and `up_to` mixed, end with the true count."""
    viewer = _ACCOUNTS[8]
    told = _TOLD[viewer]
    bodies = [{"ids": [row["id"] for row in told[at : at + 4]]} for at in range(0, 12, 2)]
    bodies += [{"up_to": row["id"]} for row in told[2:10:3]]
    calls = [_mark(inbox, viewer, f"mix-{number}", body) for number, body in enumerate(bodies)]
    answers = await asyncio.gather(*calls)
    assert {answer.status_code for answer in answers} == {200}
    stored, counted = await _count(inbox, viewer)
    assert stored == counted < len(_unread(viewer))


async def test_marking_again_keeps_revision(inbox: Seeded) -> None:
    """Marking what is read, with a new key, answers the unchanged count, revision and time."""
    viewer = _ACCOUNTS[9]
    body = {"ids": _unread(viewer)[:1]}
    first = await _marked(inbox, viewer, "again-1", body)
    assert await _marked(inbox, viewer, "again-2", body) == first


async def test_everything_can_be_read(inbox: Seeded) -> None:
    """Up to the newest, nothing stays unread; doing it again marks nothing."""
    viewer = _ACCOUNTS[10]
    newest = max(_TOLD[viewer], key=lambda row: (row["created_at"], row["id"]))["id"]
    read = await _marked(inbox, viewer, "all-1", {"up_to": newest})
    assert set(read.read_ids) == set(_unread(viewer))
    again = await _marked(inbox, viewer, "all-2", {"up_to": newest})
    assert (again.read_ids, again.unread, again.revision) == ([], 0, read.revision)
