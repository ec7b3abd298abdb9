"""From rows to wire dictionaries, once and without validation: the shapes are those of `records`.

Columns that hold JSON text go into the answer as they are (`orjson.Fragment`): not parsed, not
encoded again.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from orjson import Fragment

from core_services.content.tables import items, progress
from core_services.kit.times import to_wire

ITEM_COLUMNS = (
    items.c.id,
    items.c.kind,
    items.c.title,
    items.c.summary,
    items.c.author_id,
    items.c.image_json,
    items.c.topics_json,
    items.c.published_at,
    items.c.updated_at,
    items.c.revision,
    items.c.reading_minutes,
    items.c.word_count,
    items.c.duration_s,
    items.c.captions_json,
    items.c.item_count,
)
"""What `item` reads, in this order."""

PROGRESS_COLUMNS = (
    progress.c.fraction,
    progress.c.position_s,
    progress.c.updated_at.label("progress_updated_at"),
    progress.c.revision.label("progress_revision"),
)
"""What `progress_of` reads, in this order."""

Document = dict[str, Any]


def item(row: Sequence[Any]) -> Document:
    """The item of a row that begins with ITEM_COLUMNS."""
    kind, image = row[1], row[5]
    document: Document = {
        "kind": kind,
        "id": row[0],
        "title": row[2],
        "summary": row[3],
        "author_id": row[4],
        "image": None if image is None else Fragment(image),
        "topics": Fragment(row[6]),
        "published_at": wire_time(row[7]),
        "updated_at": wire_time(row[8]),
        "revision": row[9],
    }
    if kind == "article":
        document["reading_minutes"], document["word_count"] = row[10], row[11]
    elif kind == "video":
        document["duration_s"], document["captions"] = row[12], Fragment(row[13])
    else:
        document["item_count"] = row[14]
    return document


def progress_of(row: Sequence[Any]) -> Document | None:
    """The progress in a row of PROGRESS_COLUMNS; None where the outer join found nothing."""
    fraction, position_s, updated_at, revision = row
    if fraction is None:
        return None
    return {
        "fraction": fraction,
        "position_s": position_s,
        "updated_at": wire_time(updated_at),
        "revision": revision,
    }


# A home screen carries some fifty times and most of them again and again: formatting each anew
# costs ten times the look-up.
@lru_cache(maxsize=65_536)
def wire_time(milliseconds: int) -> str:
    """RFC 3339 in UTC with milliseconds, for whole milliseconds since 1970."""
    return to_wire(datetime.fromtimestamp(milliseconds / 1000, UTC))
