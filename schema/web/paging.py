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


def _nothing_before(root: object) -> bool:
    return False


def _no_start(root: object) -> str | None:
    return None


# Relay's compiler refuses a connection without the two fields that say nothing here; the Relay
# cursor specification allows both values where a server pages forward only.
@strawberry.type(description="Pages go forward only.")
@record(FeedPageRecord, SavedPageRecord, ThreadRecord, InboxPageRecord)
class PageInfo:
    has_more: bool = strawberry.field(name="hasNextPage")
    next_cursor: str | None = strawberry.field(name="endCursor")
    has_previous_page: bool = strawberry.field(
        resolver=_nothing_before, description="Always false: going back is the app's own memory."
    )
    start_cursor: str | None = strawberry.field(resolver=_no_start, description="Always null.")


def page_info(root: Any) -> Any:
    """The page itself: its end is among its own fields."""
    return root
