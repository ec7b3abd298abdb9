"""The home screen on iOS: who I am, my feed, my badge."""

from __future__ import annotations

import strawberry

from bff.context import Info
from bff.contract import Section, SectionFallback, batch_field, record
from bff.loaders.accounts import AccountCardByIdLoader
from bff.loaders.content import (
    FeedEntryRecord,
    FeedPageByPageLoader,
    FeedPageRecord,
    PageKey,
)
from bff.loaders.notifications import InboxHeadByFirstLoader
from schema.blocks.paging import checked_size
from schema.ios.account import AccountCard, viewer_key
from schema.ios.inbox import InboxHead
from schema.ios.items import FeedItem, FeedReason, Progress


@strawberry.type(description="An item with what it is to the viewer.")
@record(FeedEntryRecord)
class FeedEntry:
    item: FeedItem
    saved: bool
    progress: Progress | None
    reason: FeedReason


@strawberry.type
@record(FeedPageRecord)
class FeedPage:
    entries: list[FeedEntry]
    next_cursor: str | None = strawberry.field(name="endCursor")
    has_more: bool


def _feed_key(root: object, info: Info, first: int = 12, after: str | None = None) -> PageKey:
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
    feed: FeedPage | None = batch_field(
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
