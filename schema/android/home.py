"""The home screen on Android: who I am, my feed, my badge."""

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
from schema.android.account import AccountCard, viewer_key
from schema.android.inbox import InboxHead
from schema.android.items import FeedItem, FeedReason, Progress
from schema.blocks.paging import checked_size


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
    entries: list[FeedEntry] = strawberry.field(name="items")
    next_cursor: str | None = strawberry.field(
        name="nextPageToken", description="Null on the last page."
    )


def _feed_key(
    root: object, info: Info, page_size: int = 10, page_token: str | None = None
) -> PageKey:
    return PageKey(checked_size(page_size), page_token)


def _head_key(root: object, info: Info, page_size: int = 3) -> int:
    return checked_size(page_size, most=10, least=0)


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
