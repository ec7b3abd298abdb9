"""The home screen on the web: who I am, my feed, my badge."""

from __future__ import annotations

from typing import NamedTuple

import strawberry

from bff.context import Info
from bff.contract import Section, SectionFallback, batch_field, record
from bff.loaders.accounts import AccountCardByIdLoader
from bff.loaders.content import (
    FeedPageByPageLoader,
    FeedPageRecord,
    ItemRecord,
    PageKey,
    ProgressRecord,
)
from bff.loaders.notifications import InboxHeadByFirstLoader
from schema.blocks.paging import checked_size
from schema.web.account import AccountCard, viewer_key
from schema.web.inbox import InboxHead
from schema.web.items import FeedItem, FeedReason, Progress
from schema.web.paging import CURSOR, PageInfo, page_info, with_cursors


class FeedEdgeValue(NamedTuple):
    """A feed entry as an edge."""

    cursor: str | None
    node: ItemRecord
    saved: bool
    progress: ProgressRecord | None
    reason: str


@strawberry.type(description="An item with what it is to the viewer.")
@record(FeedEdgeValue)
class FeedEdge:
    cursor: str | None = strawberry.field(description=CURSOR)
    node: FeedItem
    saved: bool
    progress: Progress | None
    reason: FeedReason


def _edges(root: FeedPageRecord) -> list[FeedEdgeValue]:
    return [
        FeedEdgeValue(cursor, entry.item, entry.saved, entry.progress, entry.reason)
        for entry, cursor in with_cursors(root.entries, root.next_cursor)
    ]


@strawberry.type
@record(FeedPageRecord)
class FeedConnection:
    edges = strawberry.field(_edges, graphql_type=list[FeedEdge])
    page_info: PageInfo = strawberry.field(resolver=page_info)


def _feed_key(root: object, info: Info, first: int = 20, after: str | None = None) -> PageKey:
    return PageKey(checked_size(first), after)


def _head_key(root: object, info: Info, first: int = 3) -> int:
    return checked_size(first, most=10, least=0)


@strawberry.type
class HomeScreen:
    viewer: AccountCard | None = batch_field(
        AccountCardByIdLoader,
        viewer_key,
        directives=[Section(fallback=SectionFallback.STALE)],
    )
    feed: FeedConnection | None = batch_field(
        FeedPageByPageLoader,
        _feed_key,
        description="Newest first; at most 50 a page.",
        directives=[Section(critical=True, fallback=SectionFallback.STALE)],
    )
    inbox: InboxHead | None = batch_field(
        InboxHeadByFirstLoader,
        _head_key,
        description="At most 10; none for the badge alone.",
        directives=[Section(budget_ms=1_000)],
    )
