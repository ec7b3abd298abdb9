"""Things to read and watch on iOS, as cards; their bodies are the content screen's."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import strawberry

from bff.contract import Fallback, Sunset, batch_field, record
from bff.loaders.accounts import AccountCardByIdLoader
from bff.loaders.content import (
    ArticleRecord,
    CollectionRecord,
    ItemRecord,
    ProgressRecord,
    StatsByItemIdLoader,
    StatsRecord,
    VideoRecord,
)
from schema.blocks.scalars import DateTime, Long
from schema.ios.account import AccountCard
from schema.ios.image import Image

UNIVERSAL_LINK = "https://facet.local/i"


@strawberry.type
@record(StatsRecord)
class Stats:
    views: Long
    likes: Long
    comments: Long
    shares: Long


@strawberry.type(description="How far the viewer got.")
@record(ProgressRecord)
class Progress:
    fraction: float = strawberry.field(description="0 to 1.")
    position_s: int | None = strawberry.field(description="Seconds into a video.")
    updated_at: DateTime
    revision: int


def _handoff_url(root: ItemRecord) -> str:
    return f"{UNIVERSAL_LINK}/{root.id}"


def _read_time(root: ArticleRecord) -> str:
    return f"{root.reading_minutes} min"


@strawberry.interface(description="What every kind of item has.")
class Item:
    id: strawberry.ID
    title: str
    summary: str | None
    image: Image | None
    topics: list[str]
    published_at: DateTime
    author: AccountCard | None = batch_field(AccountCardByIdLoader, "author_id")
    stats: Stats | None = batch_field(StatsByItemIdLoader, "id")
    handoff_url: str = strawberry.field(
        resolver=_handoff_url, description="Universal link that Handoff passes to another device."
    )


@strawberry.type
@record(ArticleRecord)
class Article(Item):
    reading_minutes: int
    word_count: int
    read_time: str = strawberry.field(
        resolver=_read_time,
        deprecation_reason="Localise readingMinutes in the app.",
        directives=[Sunset(after="2027-06-30", releases_below="8.0.0")],
    )


@strawberry.type
@record(VideoRecord)
class Video(Item):
    duration_s: int
    captions: list[str] = strawberry.field(description="Languages, BCP 47.")


@strawberry.type
@record(CollectionRecord)
class Collection(Item):
    item_count: int


FeedItem = Annotated[Article | Video | Collection, strawberry.union("FeedItem")]


@strawberry.enum(description="Why an item is in the feed.", directives=[Fallback(member="NEW")])
class FeedReason(Enum):
    FOLLOWED_TOPIC = "followed_topic"
    POPULAR = "popular"
    BECAUSE_YOU_SAVED = "because_you_saved"
    NEW = "new"
