"""The queries of notifications: reading an inbox is one statement, marking is one transaction.

One statement is one consistent view of the database: the unread count and the list it stands
beside never disagree, and no read path counts. An account nobody told anything has an empty inbox
at revision 0 and the default preferences.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from time import time_ns
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    Select,
    String,
    bindparam,
    select,
    true,
    tuple_,
    update,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.kit.database import among
from core_services.kit.errors import NotFound
from core_services.kit.paging import CursorKind
from core_services.kit.revisions import next_revision
from core_services.kit.times import to_wire
from core_services.notifications.tables import (
    inboxes,
    notifications,
    preference_sets,
    preferences,
)

INBOX_AFTER = CursorKind("inbox", int, str)
KINDS = ("like", "comment", "follow", "mention", "new_content", "system")

_END_OF_TIME = 2**63 - 1
_NEVER = 0

Document = dict[str, Any]

_columns = notifications.c
_viewer = bindparam("viewer", type_=String)
_place = tuple_(bindparam("before_at", type_=BigInteger), bindparam("before_id", type_=String))


def _page(*narrowed: Any) -> Select[Any]:
    """The viewer's inbox, with a page of notifications beside it (one row of nulls if empty)."""
    page = (
        select(
            _columns.id,
            _columns.kind,
            _columns.actor_id,
            _columns.item_id,
            _columns.text,
            _columns.created_at,
            _columns.read_at,
            _columns.revision,
        )
        .where(_columns.account_id == _viewer, *narrowed)
        .order_by(_columns.created_at.desc(), _columns.id.desc())
        .limit(bindparam("first", type_=Integer))
        .subquery("page")
    )
    return (
        select(
            *page.c,
            inboxes.c.unread,
            inboxes.c.revision.label("inbox_revision"),
            inboxes.c.updated_at,
        )
        .select_from(inboxes)
        .outerjoin(page, true())
        .where(inboxes.c.account_id == _viewer)
        .order_by(page.c.created_at.desc(), page.c.id.desc())
    )


_before = tuple_(_columns.created_at, _columns.id) < _place
_HEAD = _page()
_INBOX = _page(_before)
_INBOX_OF_KIND = _page(_before, _columns.kind == bindparam("kind", type_=String))

_PREFERENCES = (
    select(
        preferences.c.kind,
        preferences.c.push,
        preferences.c.email,
        preferences.c.in_app,
        preference_sets.c.quiet_start,
        preference_sets.c.quiet_end,
        preference_sets.c.quiet_time_zone,
        preference_sets.c.revision,
        preference_sets.c.updated_at,
    )
    .select_from(preference_sets)
    .outerjoin(preferences, preferences.c.account_id == preference_sets.c.account_id)
    .where(preference_sets.c.account_id == _viewer)
)

# By id alone, and the owner compared here: a long inbox must not be searched for three ids.
_THESE = select(_columns.id, _columns.account_id, _columns.created_at).where(
    among(_columns.id, "ids")
)

_READ = (
    update(notifications)
    .where(_columns.read_at.is_(None))
    .values(
        read_at=bindparam("now", type_=BigInteger), revision=bindparam("next", type_=BigInteger)
    )
    .returning(_columns.id, _columns.created_at)
)
_READ_THESE = _READ.where(among(_columns.id, "ids"))
_READ_UP_TO = _READ.where(
    _columns.account_id == _viewer, tuple_(_columns.created_at, _columns.id) <= _place
)

_INBOX_STATE = select(inboxes.c.unread, inboxes.c.updated_at, inboxes.c.revision).where(
    inboxes.c.account_id == _viewer
)
_COUNT_DOWN = (
    update(inboxes)
    .where(inboxes.c.account_id == _viewer)
    .values(
        unread=inboxes.c.unread - bindparam("read", type_=BigInteger),
        updated_at=bindparam("now", type_=BigInteger),
        revision=bindparam("next", type_=BigInteger),
    )
    .returning(inboxes.c.unread, inboxes.c.updated_at, inboxes.c.revision)
)


async def read_head(connection: AsyncConnection, viewer: str, first: int) -> Document:
    """The unread count and the newest `first` (0 …) notifications."""
    rows = (await connection.execute(_HEAD, {"viewer": viewer, "first": first})).all()
    unread, revision, updated_at = rows[0][8:] if rows else (0, 0, _NEVER)
    return {
        "unread": unread,
        "latest": [_notification(row) for row in rows if row[0] is not None],
        "revision": revision,
        "updated_at": wire_time(updated_at),
    }


async def read_inbox(
    connection: AsyncConnection, viewer: str, first: int, after: str | None, kind: str | None
) -> Document:
    """A page of notifications, of one kind or of all; raises BadCursor."""
    at, id_ = (_END_OF_TIME, "") if after is None else INBOX_AFTER.decode(after)
    asked: Document = {"viewer": viewer, "first": first + 1, "before_at": at, "before_id": id_}
    if kind is not None:
        asked["kind"] = kind
    found = (await connection.execute(_INBOX if kind is None else _INBOX_OF_KIND, asked)).all()
    unread, revision, _ = found[0][8:] if found else (0, 0, _NEVER)
    rows = [row for row in found if row[0] is not None]
    page, has_more = rows[:first], len(rows) > first
    return {
        "notifications": [_notification(row) for row in page],
        "unread": unread,
        "revision": revision,
        "next_cursor": INBOX_AFTER.encode(page[-1].created_at, page[-1].id) if has_more else None,
        "has_more": has_more,
    }


async def read_preferences(connection: AsyncConnection, viewer: str) -> Document:
    """One entry for each kind; a kind the viewer never decided on has the default."""
    rows = (await connection.execute(_PREFERENCES, {"viewer": viewer})).all()
    chosen = {row[0]: row[1:4] for row in rows if row[0] is not None}
    start, end, zone, revision, updated_at = rows[0][4:] if rows else (None, None, None, 0, _NEVER)
    return {
        "preferences": [
            _preference(kind, *chosen.get(kind, (True, False, True))) for kind in KINDS
        ],
        "quiet_hours": None if zone is None else {"start": start, "end": end, "time_zone": zone},
        "revision": revision,
        "updated_at": wire_time(updated_at),
    }


async def mark_these(connection: AsyncConnection, viewer: str, ids: Sequence[str]) -> Document:
    """Mark these notifications read, all or none; raises NotFound for one that is not the viewer's.

    Answers every id asked for, in that order, whether or not it was read before.
    """
    # First, because it locks the account's counter: what is read next cannot change meanwhile.
    revision = await next_revision(connection, viewer)
    wanted = list(dict.fromkeys(ids))
    if len(await _own(connection, viewer, wanted)) < len(wanted):
        raise NotFound
    marked = {"now": _now(), "next": revision}
    changed = (await connection.execute(_READ_THESE, marked | {"ids": wanted})).all()
    return await _read(connection, viewer, wanted, len(changed), marked)


async def mark_up_to(connection: AsyncConnection, viewer: str, newest: str) -> Document:
    """Mark this notification and all older ones read; raises NotFound if it is not the viewer's.

    Answers the ids that were unread until now, newest first.
    """
    revision = await next_revision(connection, viewer)
    own = await _own(connection, viewer, [newest])
    if not own:
        raise NotFound
    id_, _, created_at = own[0]
    marked = {"now": _now(), "next": revision}
    bounds = {"viewer": viewer, "before_at": created_at, "before_id": id_}
    changed = (await connection.execute(_READ_UP_TO, marked | bounds)).all()
    newest_first = sorted(changed, key=lambda row: (row.created_at, row.id), reverse=True)
    return await _read(connection, viewer, [row.id for row in newest_first], len(changed), marked)


async def _own(connection: AsyncConnection, viewer: str, ids: Sequence[str]) -> list[Any]:
    """Those of the notifications that are the viewer's."""
    rows = await connection.execute(_THESE, {"ids": ids})
    return [row for row in rows if row.account_id == viewer]


async def _read(
    connection: AsyncConnection, viewer: str, ids: Sequence[str], changed: int, marked: Document
) -> Document:
    """Count down in the same transaction; what changed nothing leaves time and revision alone."""
    if changed:
        counted = marked | {"viewer": viewer, "read": changed}
        state = (await connection.execute(_COUNT_DOWN, counted)).one()
    else:
        state = (await connection.execute(_INBOX_STATE, {"viewer": viewer})).one()
    return {
        "state": "READ",
        "read_ids": list(ids),
        "unread": state.unread,
        "updated_at": wire_time(state.updated_at),
        "revision": state.revision,
    }


def _notification(row: Sequence[Any]) -> Document:
    id_, kind, actor_id, item_id, text, created_at, read_at, revision = row[:8]
    return {
        "id": id_,
        "kind": kind,
        "actor_id": actor_id,
        "item_id": item_id,
        "text": text,
        "created_at": wire_time(created_at),
        "read_at": None if read_at is None else wire_time(read_at),
        "revision": revision,
    }


def _preference(kind: str, push: bool, email: bool, in_app: bool) -> Document:
    return {"kind": kind, "push": push, "email": email, "in_app": in_app}


# An inbox shows the same times again and again: formatting each anew costs ten times the look-up.
@lru_cache(maxsize=65_536)
def wire_time(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds, for whole milliseconds since 1970."""
    return to_wire(datetime.fromtimestamp(milliseconds / 1000, UTC))


def _now() -> int:
    return time_ns() // 1_000_000
