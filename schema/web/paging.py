"""Relay-style pages on the web: edges of a node and a cursor, and what stands at a page's end.

Services tell one cursor a page, at its end; the edges before it have none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, TypeVar

import strawberry

from bff.contract import record
from bff.loaders.content import FeedPageRecord, SavedPageRecord, ThreadRecord
from bff.loaders.notifications import InboxPageRecord

T = TypeVar("T")

CURSOR = "To go on after this edge; null on all but the last of a page."


class Edge(NamedTuple):
    """An edge that says nothing but its node."""

    node: Any
    cursor: str | None


def with_cursors(entries: Sequence[T], end_cursor: str | None) -> Iterator[tuple[T, str | None]]:
    """Each entry with the cursor after it, where there is one."""
    last = len(entries) - 1
    return ((entry, end_cursor if n == last else None) for n, entry in enumerate(entries))


@strawberry.type(description="Pages go forward only.")
@record(FeedPageRecord, SavedPageRecord, ThreadRecord, InboxPageRecord)
class PageInfo:
    has_more: bool = strawberry.field(name="hasNextPage")
    next_cursor: str | None = strawberry.field(name="endCursor")


def page_info(root: Any) -> Any:
    """The page itself: its end is among its own fields."""
    return root
