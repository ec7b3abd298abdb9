"""Things to read and watch on Android, as cards; their bodies are the content screen's."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import strawberry

from bff.contract import Fallback, batch_field, record
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
from schema.android.account import AccountCard
from schema.android.image import Image
from schema.blocks.scalars import DateTime, Long

APP_LINK = "https://facet.local/a"


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


def _app_link(root: ItemRecord) -> str:
    return f"{APP_LINK}/{root.id}"


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
    app_link: str = strawberry.field(
        resolver=_app_link, description="Android App Link, opened in the app where it is installed."
    )


@strawberry.type
@record(ArticleRecord)
class Article(Item):
    reading_minutes: int
    word_count: int


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
