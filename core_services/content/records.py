"""What content says and hears on the wire: exact shapes for OpenAPI; nothing here reads a database.

Answers are written by `store` as plain dictionaries of these shapes (no second validation on the
way out); the tests hold every answer against these classes.
"""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field

from core_services.kit.paging import LONGEST_CURSOR
from core_services.kit.records import (
    IdBatch,
    Input,
    LooseId,
    Media,
    Reply,
    Revision,
    Text,
    WireTime,
)

EXAMPLE_IDS = ["itm_00001", "itm_00002", "itm_00003"]
"""Ids of the demo seed: what OpenAPI shows, and what answers 2xx when tried."""

Id = Annotated[str, Field(min_length=1, max_length=64)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Cursor = Annotated[str, Field(min_length=1, max_length=LONGEST_CURSOR)]
GivenCursor = Annotated[Text, Field(max_length=LONGEST_CURSOR)]
Reason = Literal["followed_topic", "popular", "because_you_saved", "new"]


class Stream(Reply):
    """One rendition of a video; `key` names the stored file, the address is made elsewhere."""

    quality: Literal["240p", "360p", "480p", "720p", "1080p", "2160p"]
    key: Annotated[str, Field(min_length=1, max_length=128, examples=["vid/ab12cd/720p"])]
    bitrate_kbps: Annotated[int, Field(ge=1, le=1_000_000)]


class _Item(Reply):
    id: Id
    title: Annotated[str, Field(min_length=1, max_length=400)]
    summary: Annotated[str, Field(max_length=2_000)] | None
    author_id: Id
    image: Media | None
    topics: Annotated[list[Annotated[str, Field(max_length=40)]], Field(min_length=1, max_length=5)]
    published_at: WireTime
    updated_at: WireTime
    revision: Revision


class Article(_Item):
    """Something to read."""

    kind: Literal["article"]
    reading_minutes: Annotated[int, Field(ge=1, le=1_000)]
    word_count: Annotated[int, Field(ge=0, le=1_000_000)]


class Video(_Item):
    """Something to watch; `captions` are BCP 47 language tags."""

    kind: Literal["video"]
    duration_s: Annotated[int, Field(ge=1, le=86_400, description="seconds")]
    captions: Annotated[list[Annotated[str, Field(max_length=16)]], Field(max_length=20)]


class Collection(_Item):
    """An ordered list of other items."""

    kind: Literal["collection"]
    item_count: Annotated[int, Field(ge=0, le=1_000)]


Item = Annotated[Article | Video | Collection, Field(discriminator="kind")]


class ArticleInFull(Article):
    """An article with its paragraphs."""

    body: list[Annotated[str, Field(max_length=10_000)]]


class VideoInFull(Video):
    """A video with its streams, best last."""

    streams: list[Stream]


class CollectionInFull(Collection):
    """A collection with its entries, in its own order."""

    entry_ids: list[Id]


ItemInFull = Annotated[ArticleInFull | VideoInFull | CollectionInFull, Field(discriminator="kind")]


class Progress(Reply):
    """How far the viewer got: `fraction` of the whole, `position_s` seconds into a video."""

    fraction: Annotated[float, Field(ge=0, le=1)]
    position_s: Annotated[int, Field(ge=0, le=86_400)] | None
    updated_at: WireTime
    revision: Revision


class FeedEntry(Reply):
    """One item of the viewer's feed, and why it is there."""

    item: Item
    saved: bool
    progress: Progress | None
    reason: Reason


class FeedPage(Reply):
    """Newest first; `next_cursor` is null exactly when `has_more` is false."""

    entries: Annotated[list[FeedEntry], Field(max_length=50)]
    next_cursor: Cursor | None
    has_more: bool


class SavedEntry(Reply):
    """One item the viewer saved."""

    item: Item
    saved_at: WireTime
    progress: Progress | None


class SavedPage(Reply):
    """Last saved first; `total` counts everything saved, not this page."""

    entries: Annotated[list[SavedEntry], Field(max_length=50)]
    total: Count
    next_cursor: Cursor | None
    has_more: bool


class ContinueEntry(Reply):
    """One item begun and not finished."""

    item: Item
    saved: bool
    progress: Progress


class ContinueList(Reply):
    """What the viewer last stopped in, newest progress first."""

    entries: Annotated[list[ContinueEntry], Field(max_length=20)]


class Stats(Reply):
    """Public counters of one item."""

    item_id: Id
    views: Count
    likes: Count
    comments: Count
    shares: Count


class StatsList(Reply):
    """Counters of the items that exist, in the order asked for."""

    stats: list[Stats]


class Comment(Reply):
    """One comment; the author's card comes from accounts."""

    id: Id
    author_id: Id
    text: Annotated[str, Field(min_length=1, max_length=4_000)]
    like_count: Count
    created_at: WireTime
    revision: Revision


class Thread(Reply):
    """One page of an item's comments, newest first; `total` counts all of them."""

    item_id: Id
    total: Count
    comments: Annotated[list[Comment], Field(max_length=50)]
    next_cursor: Cursor | None
    has_more: bool


class ThreadList(Reply):
    """Threads of the items that exist, in the order asked for."""

    threads: list[Thread]


class Related(Reply):
    """Items of the same main topic, nearest in time first."""

    item_id: Id
    items: Annotated[list[Item], Field(max_length=20)]


class RelatedList(Reply):
    """Neighbours of the items that exist, in the order asked for."""

    related: list[Related]


class ItemList(Reply):
    """The items that exist, in the order asked for."""

    items: list[Item]


class ItemDetailList(Reply):
    """The items that exist, in the order asked for, with body, streams or entries."""

    items: list[ItemInFull]


class ViewerState(Reply):
    """What the viewer did with one item."""

    item_id: Id
    saved: bool
    saved_at: WireTime | None
    progress: Progress | None


class ViewerStateList(Reply):
    """One entry for each item that exists, touched or not, in the order asked for."""

    states: list[ViewerState]


class SavedState(Reply):
    """The outcome of saving or unsaving; `revision` is that of the viewer's saved row."""

    item_id: Id
    saved: bool
    state: Literal["SAVED", "UNSAVED"]
    updated_at: WireTime
    revision: Revision


def _example(body: dict[str, Any]) -> ConfigDict:
    return ConfigDict(json_schema_extra={"examples": [body]})


class ItemIds(IdBatch):
    """Ids to look up; duplicates collapse, unknown ids are left out of the answer."""

    model_config = _example({"ids": EXAMPLE_IDS})


class RelatedBatch(IdBatch):
    """Items to find neighbours of, at most `first` each."""

    model_config = _example({"ids": EXAMPLE_IDS, "first": 4})

    first: Annotated[int, Field(ge=1, le=20)]


class ThreadAsk(Input):
    """One thread to read, from its newest comment or from a cursor on."""

    item_id: LooseId
    after: GivenCursor | None = None


class ThreadBatch(Input):
    """Threads to read, at most `first` comments each; the first ask for an item counts."""

    model_config = _example({"threads": [{"item_id": id_} for id_ in EXAMPLE_IDS], "first": 3})

    threads: Annotated[list[ThreadAsk], Field(min_length=1, max_length=50)]
    first: Annotated[int, Field(ge=1, le=50)]
