"""The content screen on the web: one item whole, what people say of it, what to open next.

All but `viewerState` is the same for everybody, so that a page of it may be cached in public.
"""

from __future__ import annotations

from typing import Annotated

import strawberry

from bff.contract import Section, SectionFallback, batch_field, record
from bff.loaders.accounts import AccountCardByIdLoader
from bff.loaders.content import (
    ArticleDetailRecord,
    CollectionDetailRecord,
    CommentRecord,
    ItemByIdLoader,
    ItemDetailByIdLoader,
    RelatedByItemIdLoader,
    RelatedKey,
    RelatedRecord,
    StreamRecord,
    ThreadByItemIdLoader,
    ThreadKey,
    ThreadRecord,
    VideoDetailRecord,
    ViewerStateByItemIdLoader,
    ViewerStateRecord,
)
from schema.blocks.paging import checked_size
from schema.blocks.scalars import DateTime
from schema.blocks.stream import stream_url
from schema.web.account import AccountCard
from schema.web.items import FeedItem, Item, Progress
from schema.web.meta import Meta, meta
from schema.web.paging import CURSOR, Edge, PageInfo, page_info, with_cursors


@strawberry.type
@record(ArticleDetailRecord)
class ArticleDetail(Item):
    reading_minutes: int
    word_count: int
    body: list[str] = strawberry.field(description="Paragraphs of plain text.")
    meta = strawberry.field(meta, graphql_type=Meta)


def _dash_url(root: StreamRecord) -> str:
    return stream_url(root, "mpd")


@strawberry.type(description="One rendition of a video.")
@record(StreamRecord)
class Stream:
    quality: str = strawberry.field(description="Lines of the picture, e.g. 720p.")
    url: str = strawberry.field(resolver=_dash_url, description="DASH manifest.")
    bitrate_kbps: int


@strawberry.type
@record(VideoDetailRecord)
class VideoDetail(Item):
    duration_s: int
    captions: list[str] = strawberry.field(description="Languages, BCP 47.")
    streams: list[Stream]
    meta = strawberry.field(meta, graphql_type=Meta)


@strawberry.type
@record(CollectionDetailRecord)
class CollectionDetail(Item):
    item_count: int
    entries: list[FeedItem | None] = batch_field(
        ItemByIdLoader, "entry_ids", description="In order; null where an item is gone."
    )
    meta = strawberry.field(meta, graphql_type=Meta)


ContentItem = Annotated[
    ArticleDetail | VideoDetail | CollectionDetail, strawberry.union("ContentItem")
]


@strawberry.type
@record(CommentRecord)
class Comment:
    id: strawberry.ID
    text: str
    like_count: int
    created_at: DateTime
    author: AccountCard | None = batch_field(AccountCardByIdLoader, "author_id")


@strawberry.type
@record(Edge)
class CommentEdge:
    cursor: str | None = strawberry.field(description=CURSOR)
    node: Comment


def _edges(root: ThreadRecord) -> list[Edge]:
    return [Edge(*edge) for edge in with_cursors(root.comments, root.next_cursor)]


@strawberry.type
@record(ThreadRecord)
class CommentConnection:
    edges = strawberry.field(_edges, graphql_type=list[CommentEdge])
    page_info: PageInfo = strawberry.field(resolver=page_info)
    total: int = strawberry.field(name="totalCount")


@strawberry.type
@record(RelatedRecord)
class Related:
    items: list[FeedItem]


@strawberry.type(description="What the item is to the viewer.")
@record(ViewerStateRecord)
class ViewerState:
    saved: bool
    saved_at: DateTime | None
    progress: Progress | None


def _thread_key(root: ContentScreen, first: int = 20, after: str | None = None) -> ThreadKey:
    return ThreadKey(root.id, checked_size(first), after)


def _related_key(root: ContentScreen, first: int = 6) -> RelatedKey:
    return RelatedKey(root.id, checked_size(first, most=20))


@strawberry.type
class ContentScreen:
    id: strawberry.ID
    item: ContentItem | None = batch_field(
        ItemDetailByIdLoader,
        "id",
        description="Null when there is no such item.",
        directives=[Section(critical=True, fallback=SectionFallback.STALE)],
    )
    comments: CommentConnection | None = batch_field(
        ThreadByItemIdLoader,
        _thread_key,
        description="Newest first; at most 50 a page.",
        directives=[Section(budget_ms=1_000)],
    )
    related: Related | None = batch_field(
        RelatedByItemIdLoader,
        _related_key,
        description="At most 20.",
        directives=[Section(budget_ms=800, fallback=SectionFallback.EMPTY)],
    )
    viewer_state: ViewerState | None = batch_field(
        ViewerStateByItemIdLoader,
        "id",
        directives=[Section()],
    )
