"""Strawberry as its documentation has it: its ASGI view, aiodataloader, httpx with 200 connections.

Runs in an environment of its own (.venv-bench), because httpx is no dependency of the project.
Parsing and validation are remembered; nothing else is tuned.
"""

from __future__ import annotations

import enum
import json
import os
from collections.abc import Sequence
from typing import Annotated, Any, NewType

import httpx  # type: ignore[import-not-found]
import strawberry
from aiodataloader import DataLoader
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Route
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.schema.config import StrawberryConfig

MEDIA = "https://media.facet.local"
LINK = "https://facet.local/i"

settings: dict[str, Any] = json.loads(os.environ["BENCH"])
DateTime = NewType("DateTime", str)
Long = NewType("Long", int)
SCALARS: dict[object, Any] = {
    DateTime: strawberry.scalar(name="DateTime", serialize=str, parse_value=str),
    Long: strawberry.scalar(name="Long", serialize=int, parse_value=int),
}
Wire = dict[str, Any]


class Upstream:
    """The calls of one request; the client and its pool are the process's."""

    client: httpx.AsyncClient | None = None

    def __init__(self, viewer: str) -> None:
        self.viewer = viewer
        self.cards: DataLoader[str, Wire | None] = DataLoader(self._cards)
        self.stats: DataLoader[str, Wire | None] = DataLoader(self._stats)

    async def get(self, service: str, path: str) -> Wire:
        url = settings["services"][service] + path
        return self._read(await self._client().get(url, headers={"x-viewer": self.viewer}))

    async def _batch(self, service: str, path: str, ids: Sequence[str]) -> Wire:
        url = settings["services"][service] + path
        return self._read(await self._client().post(url, json={"ids": list(ids)}))

    async def _cards(self, ids: list[str]) -> list[Wire | None]:
        answer = await self._batch("accounts", "/v1/cards/batch", ids)
        found = {card["id"]: card for card in answer["cards"]}
        return [found.get(id_) for id_ in ids]

    async def _stats(self, ids: list[str]) -> list[Wire | None]:
        answer = await self._batch("content", "/v1/stats/batch", ids)
        found = {stats["item_id"]: stats for stats in answer["stats"]}
        return [found.get(id_) for id_ in ids]

    def _client(self) -> httpx.AsyncClient:
        if Upstream.client is None:
            limits = httpx.Limits(max_connections=200, max_keepalive_connections=200)
            Upstream.client = httpx.AsyncClient(limits=limits)
        return Upstream.client

    def _read(self, answer: httpx.Response) -> Wire:
        answer.raise_for_status()
        found: Wire = answer.json()
        return found


Info = strawberry.Info[Upstream, None]


@strawberry.type
class Image:
    key: strawberry.Private[str]
    width: int
    height: int
    blur_hash: str | None
    alt: str | None

    @strawberry.field
    def url(self, points: int = 120, scale: int = 3) -> str:
        return f"{MEDIA}/{self.key}/w{min(points * scale, self.width)}.heic"


def _image(media: Wire | None) -> Image | None:
    return media and Image(**media)  # type: ignore[return-value]


@strawberry.type
class AccountCard:
    id: strawberry.ID
    handle: str
    display_name: str
    avatar: Image | None
    verified: bool
    follower_count: int


async def _account(upstream: Upstream, id_: str | None) -> AccountCard | None:
    card = await upstream.cards.load(id_) if id_ is not None else None
    return card and AccountCard(**{**card, "avatar": _image(card["avatar"])})  # type: ignore[return-value]


@strawberry.type
class Stats:
    views: Long
    likes: Long
    comments: Long
    shares: Long


@strawberry.interface
class Item:
    id: strawberry.ID
    title: str
    summary: str | None
    image: Image | None
    topics: list[str]
    published_at: DateTime
    author_id: strawberry.Private[str]

    @strawberry.field
    async def author(self, info: Info) -> AccountCard | None:
        return await _account(info.context, self.author_id)

    @strawberry.field
    async def stats(self, info: Info) -> Stats | None:
        found = await info.context.stats.load(self.id)
        if found is None:
            return None
        return Stats(**{name: value for name, value in found.items() if name != "item_id"})

    @strawberry.field
    def handoff_url(self) -> str:
        return f"{LINK}/{self.id}"


@strawberry.type
class Article(Item):
    reading_minutes: int
    word_count: int


@strawberry.type
class Video(Item):
    duration_s: int
    captions: list[str]


@strawberry.type
class Collection(Item):
    item_count: int


FeedItem = Annotated[Article | Video | Collection, strawberry.union("FeedItem")]
KINDS: dict[str, type[Any]] = {"article": Article, "video": Video, "collection": Collection}
_UNUSED = ("kind", "updated_at", "revision")


def _item(item: Wire) -> Any:
    fields = {name: value for name, value in item.items() if name not in _UNUSED}
    return KINDS[item["kind"]](**{**fields, "image": _image(item["image"])})


@strawberry.type
class Progress:
    fraction: float
    position_s: int | None
    updated_at: DateTime
    revision: int


@strawberry.enum
class FeedReason(enum.Enum):
    FOLLOWED_TOPIC = "followed_topic"
    POPULAR = "popular"
    BECAUSE_YOU_SAVED = "because_you_saved"
    NEW = "new"


@strawberry.enum
class NotificationKind(enum.Enum):
    LIKE = "like"
    COMMENT = "comment"
    FOLLOW = "follow"
    MENTION = "mention"
    NEW_CONTENT = "new_content"
    SYSTEM = "system"


@strawberry.type
class FeedEntry:
    item: FeedItem
    saved: bool
    progress: Progress | None
    reason: FeedReason


@strawberry.type
class FeedPage:
    entries: list[FeedEntry]
    end_cursor: str | None
    has_more: bool


@strawberry.type
class Notification:
    id: strawberry.ID
    kind: NotificationKind
    text: str
    created_at: DateTime
    read_at: DateTime | None
    revision: int
    actor_id: strawberry.Private[str | None]

    @strawberry.field
    async def actor(self, info: Info) -> AccountCard | None:
        return await _account(info.context, self.actor_id)


@strawberry.type
class InboxHead:
    unread: int
    latest: list[Notification]
    revision: int
    updated_at: DateTime


def _entry(entry: Wire) -> FeedEntry:
    progress = entry["progress"]
    return FeedEntry(
        item=_item(entry["item"]),
        saved=entry["saved"],
        progress=progress and Progress(**progress),
        reason=FeedReason(entry["reason"]),
    )


def _notification(row: Wire) -> Notification:
    fields = {name: value for name, value in row.items() if name not in ("kind", "item_id")}
    return Notification(kind=NotificationKind(row["kind"]), **fields)


@strawberry.type
class HomeScreen:
    @strawberry.field
    async def viewer(self, info: Info) -> AccountCard | None:
        return await _account(info.context, info.context.viewer)

    @strawberry.field
    async def feed(self, info: Info, first: int = 12, after: str | None = None) -> FeedPage | None:
        page = await info.context.get("content", f"/v1/feed?first={first}")
        entries = [_entry(entry) for entry in page["entries"]]
        return FeedPage(entries=entries, end_cursor=page["next_cursor"], has_more=page["has_more"])

    @strawberry.field
    async def inbox(self, info: Info, first: int = 3) -> InboxHead | None:
        head = await info.context.get("notifications", f"/v1/inbox/head?first={first}")
        return InboxHead(**{**head, "latest": [_notification(row) for row in head["latest"]]})


@strawberry.type
class Query:
    @strawberry.field
    def home(self) -> HomeScreen:
        return HomeScreen()


schema = strawberry.Schema(
    Query,
    extensions=[ParserCache, ValidationCache],
    config=StrawberryConfig(scalar_map=SCALARS),
)


class Registered(GraphQL[Upstream, None]):
    """The view, with documents by id."""

    async def parse_http_body(self, request: Any) -> Any:
        data: Any = await super().parse_http_body(request)
        persisted = data.extensions and data.extensions["persistedQuery"]["sha256Hash"]
        if data.query is None and persisted == settings["operation"]["id"]:
            data.query = settings["operation"]["text"]
        return data

    async def get_context(self, request: Any, response: Any) -> Upstream:
        return Upstream(request.headers["x-user"])


app = Starlette(
    routes=[Route("/graphql", Registered(schema, graphql_ide=None))],
    middleware=[Middleware(GZipMiddleware, minimum_size=860, compresslevel=1)],
)
