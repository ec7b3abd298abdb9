"""Loaders over content, and the records and calls that schemas take from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bff.errors import FieldError
from bff.loaders.base import Loader, each
from bff.upstreams.content import (
    COMMENTS,
    CONTINUE,
    FEED,
    ITEM_DETAILS,
    ITEMS,
    RELATED,
    SAVED,
    STATS,
    VIEWER_STATES,
    ArticleDetailRecord,
    ArticleRecord,
    CollectionDetailRecord,
    CollectionRecord,
    CommentRecord,
    Content,
    ContinueEntryRecord,
    ContinueRecord,
    FeedEntryRecord,
    FeedPageRecord,
    ItemDetailRecord,
    ItemRecord,
    ProgressRecord,
    RelatedRecord,
    SavedEntryRecord,
    SavedPageRecord,
    SavedStateRecord,
    StatsRecord,
    StreamRecord,
    ThreadRecord,
    VideoDetailRecord,
    VideoRecord,
    ViewerStateRecord,
)


class PageKey(NamedTuple):
    """A page of the viewer's: how many, and after which cursor."""

    first: int
    after: str | None = None


class ThreadKey(NamedTuple):
    """A page of one item's comments."""

    item_id: str
    first: int
    after: str | None = None


class RelatedKey(NamedTuple):
    """So many items related to one."""

    item_id: str
    first: int


class FeedPageByPageLoader(Loader[PageKey, FeedPageRecord]):
    """One call a page: pages of one feed cannot be asked for together."""

    method = FEED

    async def fetch(self, keys: Sequence[PageKey]) -> list[FeedPageRecord | FieldError]:
        content = Content(self.caller)
        return await each(content.feed(*key) for key in keys)


class SavedPageByPageLoader(Loader[PageKey, SavedPageRecord]):
    method = SAVED

    async def fetch(self, keys: Sequence[PageKey]) -> list[SavedPageRecord | FieldError]:
        content = Content(self.caller)
        return await each(content.saved(*key) for key in keys)


class ContinueByFirstLoader(Loader[int, ContinueRecord]):
    """What the viewer began: the largest number asked for serves all."""

    method = CONTINUE

    async def fetch(self, keys: Sequence[int]) -> list[ContinueRecord | None]:
        found = await Content(self.caller).in_progress(max(keys))
        return [ContinueRecord(found.entries[:key]) for key in keys]


class ItemByIdLoader(Loader[str, ItemRecord]):
    method = ITEMS

    async def fetch(self, keys: Sequence[str]) -> list[ItemRecord | None]:
        items = await Content(self.caller).items(keys)
        return [items.get(key) for key in keys]


class ItemDetailByIdLoader(Loader[str, ItemDetailRecord]):
    method = ITEM_DETAILS

    async def fetch(self, keys: Sequence[str]) -> list[ItemDetailRecord | None]:
        items = await Content(self.caller).item_details(keys)
        return [items.get(key) for key in keys]


class StatsByItemIdLoader(Loader[str, StatsRecord]):
    method = STATS

    async def fetch(self, keys: Sequence[str]) -> list[StatsRecord | None]:
        stats = await Content(self.caller).stats(keys)
        return [stats.get(key) for key in keys]


class ThreadByItemIdLoader(Loader[ThreadKey, ThreadRecord]):
    """One call for each page size and cursor: the service takes one `first` for all threads of a
    call, one page an item, and refuses a whole call for one bad cursor."""

    method = COMMENTS
    max_batch_size = 50

    def apart(self, key: ThreadKey) -> tuple[int, str | None]:
        return key.first, key.after

    async def fetch(self, keys: Sequence[ThreadKey]) -> list[ThreadRecord | None]:
        wanted = [(key.item_id, key.after) for key in keys]
        threads = await Content(self.caller).comments(wanted, keys[0].first)
        return [threads.get(key.item_id) for key in keys]


class RelatedByItemIdLoader(Loader[RelatedKey, RelatedRecord]):
    """One call: the largest number asked for serves all."""

    method = RELATED

    async def fetch(self, keys: Sequence[RelatedKey]) -> list[RelatedRecord | None]:
        ids = list(dict.fromkeys(key.item_id for key in keys))
        found = await Content(self.caller).related(ids, max(key.first for key in keys))
        return [
            RelatedRecord(key.item_id, found[key.item_id].items[: key.first])
            if key.item_id in found
            else None
            for key in keys
        ]


class ViewerStateByItemIdLoader(Loader[str, ViewerStateRecord]):
    method = VIEWER_STATES

    async def fetch(self, keys: Sequence[str]) -> list[ViewerStateRecord | None]:
        states = await Content(self.caller).viewer_states(keys)
        return [states.get(key) for key in keys]


__all__ = [
    "ArticleDetailRecord",
    "ArticleRecord",
    "CollectionDetailRecord",
    "CollectionRecord",
    "CommentRecord",
    "Content",
    "ContinueByFirstLoader",
    "ContinueEntryRecord",
    "ContinueRecord",
    "FeedEntryRecord",
    "FeedPageByPageLoader",
    "FeedPageRecord",
    "ItemByIdLoader",
    "ItemDetailByIdLoader",
    "ItemDetailRecord",
    "ItemRecord",
    "PageKey",
    "ProgressRecord",
    "RelatedByItemIdLoader",
    "RelatedKey",
    "RelatedRecord",
    "SavedEntryRecord",
    "SavedPageByPageLoader",
    "SavedPageRecord",
    "SavedStateRecord",
    "StatsByItemIdLoader",
    "StatsRecord",
    "StreamRecord",
    "ThreadByItemIdLoader",
    "ThreadKey",
    "ThreadRecord",
    "VideoDetailRecord",
    "VideoRecord",
    "ViewerStateByItemIdLoader",
    "ViewerStateRecord",
]
