"""What one viewer sees and does: feed, saved items, progress; each answer is one statement.

One statement is one consistent view of the database: a page and its total never disagree. What is
the same for everybody is in `store`.
"""

from collections.abc import Sequence
from time import time_ns
from typing import Any

from sqlalchemy import (
    BigInteger,
    Integer,
    String,
    and_,
    bindparam,
    func,
    or_,
    select,
    text,
    true,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.content.store import END_OF_TIME
from core_services.content.tables import (
    REACH_FOLLOWERS,
    REACH_POPULAR,
    followed_topics,
    items,
    progress,
    saved,
)
from core_services.content.wire import (
    ITEM_COLUMNS,
    PROGRESS_COLUMNS,
    Document,
    item,
    progress_of,
    wire_time,
)
from core_services.kit.database import among
from core_services.kit.errors import NotFound
from core_services.kit.paging import CursorKind
from core_services.kit.revisions import next_revision

FEED_AFTER = CursorKind("feed", int, str)
SAVED_AFTER = CursorKind("saved", int, str)

_AUTHORS_OF_LAST = 10

_viewer = bindparam("viewer", type_=String)
_first = bindparam("first", type_=Integer)
_place = tuple_(bindparam("before_at", type_=BigInteger), bindparam("before_id", type_=String))
_ITEM = len(ITEM_COLUMNS)

_own_saved = and_(saved.c.item_id == items.c.id, saved.c.account_id == _viewer)
_own_progress = and_(progress.c.item_id == items.c.id, progress.c.account_id == _viewer)

_followed = items.c.main_topic.in_(
    select(followed_topics.c.topic).where(followed_topics.c.account_id == _viewer)
)
_liked_items = items.alias("liked_items")
# The last few only: who saved thousands must not pay for each of them at every home screen.
_last_saved = (
    select(saved.c.item_id)
    .where(saved.c.account_id == _viewer, saved.c.saved_at.is_not(None))
    .order_by(saved.c.saved_at.desc(), saved.c.item_id.desc())
    .limit(_AUTHORS_OF_LAST)
    .subquery("last_saved")
)
_author_saved = items.c.author_id.in_(
    select(_liked_items.c.author_id).join(_last_saved, _last_saved.c.item_id == _liked_items.c.id)
)

_FEED = (
    select(
        *ITEM_COLUMNS,
        *PROGRESS_COLUMNS,
        saved.c.saved_at,
        items.c.reach,
        _followed.label("followed"),
        _author_saved.label("author_saved"),
    )
    .outerjoin(saved, _own_saved)
    .outerjoin(progress, _own_progress)
    .where(
        tuple_(items.c.published_at, items.c.id) < _place,
        or_(items.c.reach > REACH_FOLLOWERS, _followed),
    )
    .order_by(items.c.published_at.desc(), items.c.id.desc())
    .limit(_first)
)

_shelf = (
    select(saved.c.item_id, saved.c.saved_at)
    .where(
        saved.c.account_id == _viewer,
        saved.c.saved_at.is_not(None),
        tuple_(saved.c.saved_at, saved.c.item_id) < _place,
    )
    .order_by(saved.c.saved_at.desc(), saved.c.item_id.desc())
    .limit(_first)
    .subquery("shelf")
)
_shelf_size = (
    select(func.count().label("total"))
    .select_from(saved)
    .where(saved.c.account_id == _viewer, saved.c.saved_at.is_not(None))
    .subquery("shelf_size")
)
# The total leads, so that it is there when the page is empty.
_SAVED = (
    select(*ITEM_COLUMNS, *PROGRESS_COLUMNS, _shelf.c.saved_at, _shelf_size.c.total)
    .select_from(_shelf_size)
    .outerjoin(_shelf, true())
    .outerjoin(items, items.c.id == _shelf.c.item_id)
    .outerjoin(progress, _own_progress)
    .order_by(_shelf.c.saved_at.desc(), _shelf.c.item_id.desc())
)

_CONTINUE = (
    select(*ITEM_COLUMNS, *PROGRESS_COLUMNS, saved.c.saved_at)
    .select_from(progress)
    .join(items, items.c.id == progress.c.item_id)
    .outerjoin(saved, _own_saved)
    .where(progress.c.account_id == _viewer, progress.c.fraction > 0, progress.c.fraction < 1)
    .order_by(progress.c.updated_at.desc(), progress.c.item_id.desc())
    .limit(_first)
)

_STATES = (
    select(items.c.id, saved.c.saved_at, *PROGRESS_COLUMNS)
    .outerjoin(saved, _own_saved)
    .outerjoin(progress, _own_progress)
    .where(among(items.c.id, "ids"))
)

_SAVED_ROW = (
    select(items.c.id, saved.c.saved_at, saved.c.updated_at, saved.c.revision)
    .outerjoin(saved, _own_saved)
    .where(items.c.id == bindparam("item", type_=String))
)

# Both databases know this upsert.
_WRITE_SAVED = text(
    "INSERT INTO saved (account_id, item_id, saved_at, updated_at, revision) "
    "VALUES (:account_id, :item_id, :saved_at, :updated_at, :revision) "
    "ON CONFLICT (account_id, item_id) DO UPDATE SET saved_at = excluded.saved_at, "
    "updated_at = excluded.updated_at, revision = excluded.revision"
).bindparams(
    bindparam("account_id", type_=String),
    bindparam("item_id", type_=String),
    bindparam("saved_at", type_=BigInteger),
    bindparam("updated_at", type_=BigInteger),
    bindparam("revision", type_=BigInteger),
)


async def read_feed(
    connection: AsyncConnection, viewer: str, first: int, after: str | None
) -> Document:
    """A page of what the viewer follows and what is for everybody; raises BadCursor."""
    rows = (await connection.execute(_FEED, _page_of(FEED_AFTER, viewer, first, after))).all()
    page = rows[:first]
    entries = [
        {
            "item": item(row),
            "saved": row[_ITEM + 4] is not None,
            "progress": progress_of(row[_ITEM : _ITEM + 4]),
            "reason": _reason(*row[_ITEM + 4 :]),
        }
        for row in page
    ]
    has_more = len(rows) > first
    cursor = FEED_AFTER.encode(page[-1].published_at, page[-1].id) if has_more else None
    return {"entries": entries, "next_cursor": cursor, "has_more": has_more}


async def read_saved(
    connection: AsyncConnection, viewer: str, first: int, after: str | None
) -> Document:
    """A page of what the viewer saved, with the number of all of it; raises BadCursor."""
    found = (await connection.execute(_SAVED, _page_of(SAVED_AFTER, viewer, first, after))).all()
    rows = [row for row in found if row[0] is not None]
    page = rows[:first]
    entries = [
        {
            "item": item(row),
            "saved_at": wire_time(row[_ITEM + 4]),
            "progress": progress_of(row[_ITEM : _ITEM + 4]),
        }
        for row in page
    ]
    has_more = len(rows) > first
    return {
        "entries": entries,
        "total": found[0].total,
        "next_cursor": SAVED_AFTER.encode(page[-1].saved_at, page[-1].id) if has_more else None,
        "has_more": has_more,
    }


async def read_continue(connection: AsyncConnection, viewer: str, first: int) -> Document:
    """The items the viewer began and did not finish, newest progress first."""
    rows = (await connection.execute(_CONTINUE, {"viewer": viewer, "first": first})).all()
    return {
        "entries": [
            {
                "item": item(row),
                "saved": row[_ITEM + 4] is not None,
                "progress": progress_of(row[_ITEM : _ITEM + 4]),
            }
            for row in rows
        ]
    }


async def find_states(
    connection: AsyncConnection, viewer: str, ids: Sequence[str]
) -> list[Document]:
    """What the viewer did with each of these items that exists."""
    rows = (await connection.execute(_STATES, {"viewer": viewer, "ids": ids})).all()
    found = {
        row[0]: {
            "item_id": row[0],
            "saved": row[1] is not None,
            "saved_at": None if row[1] is None else wire_time(row[1]),
            "progress": progress_of(row[2:]),
        }
        for row in rows
    }
    return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


async def write_saved(
    connection: AsyncConnection, viewer: str, item_id: str, *, save: bool
) -> Document:
    """Save or unsave one item; raises NotFound. What already is so keeps its time and revision.

    An item never saved before is unsaved by a row too: its revision must outlive this answer.
    """
    # First, because it locks the account's counter: what is read next cannot change meanwhile.
    revision = await next_revision(connection, viewer)
    row = (await connection.execute(_SAVED_ROW, {"viewer": viewer, "item": item_id})).one_or_none()
    if row is None:
        raise NotFound
    _, saved_at, updated_at, stored_revision = row
    if stored_revision is None or (saved_at is not None) != save:
        updated_at, stored_revision = time_ns() // 1_000_000, revision
        written = {
            "account_id": viewer,
            "item_id": item_id,
            "saved_at": updated_at if save else None,
            "updated_at": updated_at,
            "revision": revision,
        }
        await connection.execute(_WRITE_SAVED, written)
    return {
        "item_id": item_id,
        "saved": save,
        "state": "SAVED" if save else "UNSAVED",
        "updated_at": wire_time(updated_at),
        "revision": stored_revision,
    }


def _page_of(kind: CursorKind, viewer: str, first: int, after: str | None) -> dict[str, Any]:
    """The parameters of a keyset page: one row more than asked tells whether there is another."""
    at, id_ = (END_OF_TIME, "") if after is None else kind.decode(after)
    return {"viewer": viewer, "first": first + 1, "before_at": at, "before_id": id_}


def _reason(saved_at: int | None, reach: int, followed: bool, author_saved: bool) -> str:
    if followed:
        return "followed_topic"
    if author_saved and saved_at is None:
        return "because_you_saved"
    return "popular" if reach == REACH_POPULAR else "new"
