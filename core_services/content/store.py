"""What everybody sees alike: items, counters, comments, neighbours, each for a list of ids at once.

Every function takes a connection and runs a fixed number of statements, whatever the number of
ids; unknown ids are left out and answers keep the order asked for. What a viewer did with the
items is in `viewer_store`.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from orjson import Fragment
from sqlalchemy import (
    BigInteger,
    CompoundSelect,
    Integer,
    Select,
    String,
    and_,
    bindparam,
    func,
    select,
    tuple_,
    union_all,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.content.tables import (
    collection_entries,
    comments,
    item_details,
    item_stats,
    items,
)
from core_services.content.wire import ITEM_COLUMNS, Document, item, wire_time
from core_services.kit.database import among
from core_services.kit.paging import CursorKind

COMMENTS_AFTER = CursorKind("comments", int, str)
END_OF_TIME = 2**63 - 1
"""Later than every row: the place before the first one of a list that shows the newest first."""

_DETAIL_NAMES = {"article": "body", "video": "streams"}

_ITEMS = select(*ITEM_COLUMNS).where(among(items.c.id, "ids"))

_DETAILS = select(item_details.c.item_id, item_details.c.detail_json).where(
    among(item_details.c.item_id, "ids")
)

_ENTRIES = (
    select(collection_entries.c.collection_id, collection_entries.c.item_id)
    .where(among(collection_entries.c.collection_id, "ids"))
    .order_by(collection_entries.c.collection_id, collection_entries.c.position)
)

_STATS = select(
    item_stats.c.item_id,
    item_stats.c.views,
    item_stats.c.likes,
    item_stats.c.comments,
    item_stats.c.shares,
).where(among(item_stats.c.item_id, "ids"))

_neighbours = items.alias("neighbours")

# A range of the topic's own numbering: `2 * first` index entries an item, however big the topic.
_NEIGHBOURS = (
    select(items.c.id, _neighbours.c.id)
    .outerjoin(
        _neighbours,
        and_(
            _neighbours.c.main_topic == items.c.main_topic,
            _neighbours.c.topic_position.between(
                items.c.topic_position - bindparam("first", type_=Integer),
                items.c.topic_position + bindparam("first", type_=Integer),
            ),
            _neighbours.c.id != items.c.id,
        ),
    )
    .where(among(items.c.id, "ids"))
    .order_by(
        func.abs(items.c.topic_position - _neighbours.c.topic_position),
        _neighbours.c.topic_position.desc(),
    )
)


async def find_items(connection: AsyncConnection, ids: Sequence[str]) -> list[Document]:
    """The items with these ids, in this order."""
    found = await _items_by_id(connection, ids)
    return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


async def find_item_details(connection: AsyncConnection, ids: Sequence[str]) -> list[Document]:
    """The items with these ids, in this order, with their body, streams or entries."""
    found = await _items_by_id(connection, ids)
    await _add_details(connection, found)
    return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


async def find_stats(connection: AsyncConnection, ids: Sequence[str]) -> list[Document]:
    """The counters of the items with these ids."""
    rows = (await connection.execute(_STATS, {"ids": ids})).all()
    found = {
        id_: {"item_id": id_, "views": views, "likes": likes, "comments": said, "shares": shares}
        for id_, views, likes, said, shares in rows
    }
    return [found[id_] for id_ in dict.fromkeys(ids) if id_ in found]


async def find_related(
    connection: AsyncConnection, ids: Sequence[str], first: int
) -> list[Document]:
    """Up to `first` items of the same main topic for each id, nearest in time first."""
    rows = (await connection.execute(_NEIGHBOURS, {"ids": ids, "first": first})).all()
    nearest: dict[str, list[str]] = {}
    for id_, neighbour in rows:
        chosen = nearest.setdefault(id_, [])
        if neighbour is not None and len(chosen) < first:
            chosen.append(neighbour)
    wanted = {neighbour for chosen in nearest.values() for neighbour in chosen}
    found = await _items_by_id(connection, wanted)
    return [
        {"item_id": id_, "items": [found[neighbour] for neighbour in nearest[id_]]}
        for id_ in dict.fromkeys(ids)
        if id_ in nearest
    ]


async def find_comments(
    connection: AsyncConnection, threads: Mapping[str, str | None], first: int
) -> list[Document]:
    """A page of up to `first` comments for each item id → cursor (None: from the newest on).

    Raises BadCursor before any statement runs.
    """
    starts = {
        id_: (END_OF_TIME, "") if after is None else COMMENTS_AFTER.decode(after)
        for id_, after in threads.items()
    }
    known = {row["item_id"]: row for row in await find_stats(connection, list(threads))}
    pages: dict[str, list[Sequence[Any]]] = {id_: [] for id_ in known}
    if known:
        parameters: dict[str, Any] = {"limit": first + 1}
        for number, id_ in enumerate(known):
            at, before = starts[id_]
            parameters |= {f"item_{number}": id_, f"at_{number}": at, f"id_{number}": before}
        rows = await connection.execute(_newest_comments(len(known)), parameters)
        for row in rows:
            pages[row[0]].append(row)
    return [_thread(id_, known[id_]["comments"], page, first) for id_, page in pages.items()]


@lru_cache(maxsize=50)
def _newest_comments(threads: int) -> CompoundSelect[Any]:
    """One statement for this many threads, each branch a short range of the index.

    A window function would read every comment of a long thread to show three.
    """
    return union_all(*(_newest_of_one(number) for number in range(threads)))


def _newest_of_one(number: int) -> Select[Any]:
    page = (
        select(
            comments.c.item_id,
            comments.c.id,
            comments.c.author_id,
            comments.c.text,
            comments.c.like_count,
            comments.c.created_at,
            comments.c.revision,
        )
        .where(
            comments.c.item_id == bindparam(f"item_{number}", type_=String),
            tuple_(comments.c.created_at, comments.c.id)
            < tuple_(
                bindparam(f"at_{number}", type_=BigInteger),
                bindparam(f"id_{number}", type_=String),
            ),
        )
        .order_by(comments.c.created_at.desc(), comments.c.id.desc())
        .limit(bindparam("limit", type_=Integer))
    )
    # The sort order of a branch is its own: a sub-select keeps it in both databases.
    return select(page.subquery(f"thread_{number}"))


def _thread(id_: str, total: int, rows: Sequence[Sequence[Any]], first: int) -> Document:
    page, has_more = rows[:first], len(rows) > first
    return {
        "item_id": id_,
        "total": total,
        "comments": [_comment(row) for row in page],
        "next_cursor": COMMENTS_AFTER.encode(page[-1][5], page[-1][1]) if has_more else None,
        "has_more": has_more,
    }


def _comment(row: Sequence[Any]) -> Document:
    _, id_, author_id, text, like_count, created_at, revision = row
    return {
        "id": id_,
        "author_id": author_id,
        "text": text,
        "like_count": like_count,
        "created_at": wire_time(created_at),
        "revision": revision,
    }


async def _items_by_id(connection: AsyncConnection, ids: Iterable[str]) -> dict[str, Document]:
    rows = (await connection.execute(_ITEMS, {"ids": list(ids)})).all()
    return {row[0]: item(row) for row in rows}


async def _add_details(connection: AsyncConnection, found: Mapping[str, Document]) -> None:
    ids = {"ids": list(found)}
    for id_, detail in (await connection.execute(_DETAILS, ids)).all():
        found[id_][_DETAIL_NAMES[found[id_]["kind"]]] = Fragment(detail)
    for document in found.values():
        if document["kind"] == "collection":
            document["entry_ids"] = []
    for collection_id, id_ in (await connection.execute(_ENTRIES, ids)).all():
        found[collection_id]["entry_ids"].append(id_)
