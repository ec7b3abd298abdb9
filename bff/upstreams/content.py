"""The content service as the gateway sees it: feed, items, stats, comments, saved, progress."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from bff.contract import Scope
from bff.upstreams.calls import Caller
from bff.upstreams.media import MediaRecord
from bff.upstreams.method import Answer, Method, Record

SERVICE = "content"


class ItemFields(Record, frozen=True):
    """What every kind of item has; the same for every viewer."""

    id: str
    title: str
    summary: str | None
    author_id: str
    image: MediaRecord | None
    topics: list[str]
    published_at: str
    updated_at: str
    revision: int


class ArticleRecord(ItemFields, frozen=True, tag_field="kind", tag="article"):
    reading_minutes: int
    word_count: int


class VideoRecord(ItemFields, frozen=True, tag_field="kind", tag="video"):
    duration_s: int
    captions: list[str]


class CollectionRecord(ItemFields, frozen=True, tag_field="kind", tag="collection"):
    item_count: int


class StreamRecord(Record, frozen=True):
    quality: str
    key: str
    bitrate_kbps: int


class ArticleDetailRecord(ArticleRecord, frozen=True, tag_field="kind", tag="article"):
    body: list[str]


class VideoDetailRecord(VideoRecord, frozen=True, tag_field="kind", tag="video"):
    streams: list[StreamRecord]


class CollectionDetailRecord(CollectionRecord, frozen=True, tag_field="kind", tag="collection"):
    entry_ids: list[str]


ItemRecord = ArticleRecord | VideoRecord | CollectionRecord
ItemDetailRecord = ArticleDetailRecord | VideoDetailRecord | CollectionDetailRecord


class ProgressRecord(Record, frozen=True):
    """How far the viewer got; `fraction` 0 to 1, `position_s` seconds into a video."""

    fraction: float
    position_s: int | None
    updated_at: str
    revision: int


class FeedEntryRecord(Record, frozen=True):
    """An item with what it is to the viewer."""

    item: ItemRecord
    saved: bool
    progress: ProgressRecord | None
    reason: Literal["followed_topic", "popular", "because_you_saved", "new"]


class FeedPageRecord(Record, frozen=True):
    entries: list[FeedEntryRecord]
    next_cursor: str | None
    has_more: bool


class StatsRecord(Record, frozen=True):
    item_id: str
    views: int
    likes: int
    comments: int
    shares: int


class CommentRecord(Record, frozen=True):
    id: str
    author_id: str
    text: str
    like_count: int
    created_at: str
    revision: int


class ThreadRecord(Record, frozen=True):
    item_id: str
    total: int
    comments: list[CommentRecord]
    next_cursor: str | None
    has_more: bool


class RelatedRecord(Record, frozen=True):
    item_id: str
    items: list[ItemRecord]


class ViewerStateRecord(Record, frozen=True):
    item_id: str
    saved: bool
    saved_at: str | None
    progress: ProgressRecord | None


class SavedEntryRecord(Record, frozen=True):
    item: ItemRecord
    saved_at: str
    progress: ProgressRecord | None


class SavedPageRecord(Record, frozen=True):
    entries: list[SavedEntryRecord]
    total: int
    next_cursor: str | None
    has_more: bool


class ContinueEntryRecord(Record, frozen=True):
    item: ItemRecord
    saved: bool
    progress: ProgressRecord


class ContinueRecord(Record, frozen=True):
    entries: list[ContinueEntryRecord]


class SavedStateRecord(Record, frozen=True):
    """The outcome of saving or unsaving."""

    item_id: str
    saved: bool
    state: str
    updated_at: str
    revision: int


class ItemsAnswer(Answer, frozen=True):
    items: list[ItemRecord]


class ItemDetailsAnswer(Answer, frozen=True):
    items: list[ItemDetailRecord]


class StatsAnswer(Answer, frozen=True):
    stats: list[StatsRecord]


class ThreadsAnswer(Answer, frozen=True):
    threads: list[ThreadRecord]


class RelatedAnswer(Answer, frozen=True):
    related: list[RelatedRecord]


class ViewerStatesAnswer(Answer, frozen=True):
    states: list[ViewerStateRecord]


_SHARED, _VIEWER = Scope.SHARED, Scope.VIEWER

FEED = Method(SERVICE, "feed", "GET", "/v1/feed", _VIEWER, FeedPageRecord)
ITEMS = Method(SERVICE, "items", "POST", "/v1/items/batch", _SHARED, ItemsAnswer)
ITEM_DETAILS = Method(
    SERVICE, "item_details", "POST", "/v1/item-details/batch", _SHARED, ItemDetailsAnswer
)
STATS = Method(SERVICE, "stats", "POST", "/v1/stats/batch", _SHARED, StatsAnswer)
COMMENTS = Method(SERVICE, "comments", "POST", "/v1/comments/batch", _SHARED, ThreadsAnswer)
RELATED = Method(SERVICE, "related", "POST", "/v1/related/batch", _SHARED, RelatedAnswer)
VIEWER_STATES = Method(
    SERVICE, "viewer_states", "POST", "/v1/viewer-states/batch", _VIEWER, ViewerStatesAnswer
)
SAVED = Method(SERVICE, "saved", "GET", "/v1/saved", _VIEWER, SavedPageRecord)
CONTINUE = Method(SERVICE, "continue", "GET", "/v1/continue", _VIEWER, ContinueRecord)
SAVE = Method(SERVICE, "save", "PUT", "/v1/saved/{item_id}", _VIEWER, SavedStateRecord, effect=True)
UNSAVE = Method(
    SERVICE, "unsave", "DELETE", "/v1/saved/{item_id}", _VIEWER, SavedStateRecord, effect=True
)


class Content:
    """Calls to content in one request."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def feed(self, first: int, after: str | None) -> FeedPageRecord:
        """A page of the viewer's feed, newest first."""
        return await self._caller.call(FEED, query={"first": first, "after": after})

    async def items(self, ids: Sequence[str]) -> dict[str, ItemRecord]:
        body = {"ids": ids}
        answer = await self._caller.call(ITEMS, body=body, keys=len(ids))
        return {item.id: item for item in answer.items}

    async def item_details(self, ids: Sequence[str]) -> dict[str, ItemDetailRecord]:
        """Items with their body, streams or entries."""
        body = {"ids": ids}
        answer = await self._caller.call(ITEM_DETAILS, body=body, keys=len(ids))
        return {item.id: item for item in answer.items}

    async def stats(self, ids: Sequence[str]) -> dict[str, StatsRecord]:
        answer = await self._caller.call(STATS, body={"ids": ids}, keys=len(ids))
        return {stats.item_id: stats for stats in answer.stats}

    async def comments(
        self, threads: Sequence[tuple[str, str | None]], first: int
    ) -> dict[str, ThreadRecord]:
        """One page of comments for each (item id, cursor); at most one page an item."""
        wanted = [{"item_id": item_id, "after": after} for item_id, after in threads]
        body = {"threads": wanted, "first": first}
        answer = await self._caller.call(COMMENTS, body=body, keys=len(threads))
        return {thread.item_id: thread for thread in answer.threads}

    async def related(self, ids: Sequence[str], first: int) -> dict[str, RelatedRecord]:
        body = {"ids": ids, "first": first}
        answer = await self._caller.call(RELATED, body=body, keys=len(ids))
        return {related.item_id: related for related in answer.related}

    async def viewer_states(self, ids: Sequence[str]) -> dict[str, ViewerStateRecord]:
        answer = await self._caller.call(VIEWER_STATES, body={"ids": ids}, keys=len(ids))
        return {state.item_id: state for state in answer.states}

    async def saved(self, first: int, after: str | None) -> SavedPageRecord:
        return await self._caller.call(SAVED, query={"first": first, "after": after})

    async def in_progress(self, first: int) -> ContinueRecord:
        """What the viewer began and has not finished, latest first."""
        return await self._caller.call(CONTINUE, query={"first": first})

    async def save(self, item_id: str, key: str) -> SavedStateRecord:
        return await self._caller.call(SAVE, path={"item_id": item_id}, idempotency_key=key)

    async def unsave(self, item_id: str, key: str) -> SavedStateRecord:
        return await self._caller.call(UNSAVE, path={"item_id": item_id}, idempotency_key=key)
