"""The iOS home screen put together by hand, without GraphQL: what every row must answer.

Written apart from `schema/ios`, so that a gateway that answers wrongly does not set the measure.
It is also what the bare ASGI floor serves.
"""

from __future__ import annotations

from typing import Any

import msgspec

MEDIA = "https://media.facet.local"
LINK = "https://facet.local/i"

Json = dict[str, Any]


class Media(msgspec.Struct, frozen=True, gc=False):
    key: str
    width: int
    height: int
    blur_hash: str | None
    alt: str | None


class Card(msgspec.Struct, frozen=True, gc=False):
    id: str
    handle: str
    display_name: str
    avatar: Media | None
    verified: bool
    follower_count: int


class Progress(msgspec.Struct, frozen=True, gc=False):
    fraction: float
    position_s: int | None
    updated_at: str


class Item(msgspec.Struct, frozen=True, gc=False):
    """Any kind of item: what a kind does not have is None."""

    kind: str
    id: str
    title: str
    summary: str | None
    author_id: str
    image: Media | None
    topics: list[str]
    published_at: str
    reading_minutes: int | None = None
    duration_s: int | None = None
    captions: list[str] | None = None
    item_count: int | None = None


class Entry(msgspec.Struct, frozen=True, gc=False):
    item: Item
    saved: bool
    progress: Progress | None
    reason: str


class Feed(msgspec.Struct, frozen=True, gc=False):
    entries: list[Entry]
    next_cursor: str | None
    has_more: bool


class Notification(msgspec.Struct, frozen=True, gc=False):
    id: str
    kind: str
    actor_id: str | None
    text: str
    created_at: str
    read_at: str | None


class Head(msgspec.Struct, frozen=True, gc=False):
    unread: int
    latest: list[Notification]
    revision: int


class Stats(msgspec.Struct, frozen=True, gc=False):
    item_id: str
    views: int
    likes: int
    comments: int


class Cards(msgspec.Struct, frozen=True, gc=False):
    cards: list[Card]


class StatsList(msgspec.Struct, frozen=True, gc=False):
    stats: list[Stats]


def wanted(viewer: str, feed: Feed, head: Head) -> tuple[list[str], list[str]]:
    """The accounts and the items that the second round of calls asks for."""
    people = dict.fromkeys([viewer])
    people.update(dict.fromkeys(entry.item.author_id for entry in feed.entries))
    people.update(dict.fromkeys(row.actor_id for row in head.latest if row.actor_id))
    return list(people), [entry.item.id for entry in feed.entries]


def home(viewer: str, feed: Feed, head: Head, cards: list[Card], stats: list[Stats]) -> Json:
    """The body of the answer."""
    chips = {card.id: _chip(card) for card in cards}
    counts = {row.item_id: row for row in stats}
    me = next(card for card in cards if card.id == viewer)
    return {
        "data": {
            "home": {
                "__typename": "HomeScreen",
                "viewer": {**chips[viewer], "followerCount": me.follower_count},
                "feed": {
                    "__typename": "FeedPage",
                    "entries": [_entry(entry, chips, counts) for entry in feed.entries],
                    "endCursor": feed.next_cursor,
                    "hasMore": feed.has_more,
                },
                "inbox": {
                    "__typename": "InboxHead",
                    "unread": head.unread,
                    "revision": head.revision,
                    "latest": [_notification(row, chips) for row in head.latest],
                },
            }
        }
    }


def _chip(card: Card) -> Json:
    avatar = card.avatar
    return {
        "__typename": "AccountCard",
        "id": card.id,
        "handle": card.handle,
        "displayName": card.display_name,
        "verified": card.verified,
        "avatar": avatar
        and {"__typename": "Image", "url": _url(avatar, 40), "blurHash": avatar.blur_hash},
    }


def _entry(entry: Entry, chips: dict[str, Json], counts: dict[str, Stats]) -> Json:
    progress = entry.progress
    return {
        "__typename": "FeedEntry",
        "saved": entry.saved,
        "reason": entry.reason.upper(),
        "progress": progress
        and {
            "__typename": "Progress",
            "fraction": progress.fraction,
            "positionS": progress.position_s,
            "updatedAt": progress.updated_at,
        },
        "item": _item(entry.item, chips, counts),
    }


def _item(item: Item, chips: dict[str, Json], counts: dict[str, Stats]) -> Json:
    found: Json = {
        "__typename": item.kind.capitalize(),
        "id": item.id,
        "title": item.title,
        "summary": item.summary,
        "topics": item.topics,
        "publishedAt": item.published_at,
        "handoffUrl": f"{LINK}/{item.id}",
        "image": item.image and _image(item.image),
        "author": chips.get(item.author_id),
        "stats": None,
    }
    stats = counts.get(item.id)
    if stats is not None:
        found["stats"] = {
            "__typename": "Stats",
            "views": stats.views,
            "likes": stats.likes,
            "comments": stats.comments,
        }
    if item.kind == "article":
        found["readingMinutes"] = item.reading_minutes
    elif item.kind == "video":
        found["durationS"], found["captions"] = item.duration_s, item.captions
    else:
        found["itemCount"] = item.item_count
    return found


def _image(image: Media) -> Json:
    return {
        "__typename": "Image",
        "thumbnail": _url(image, 96),
        "cover": _url(image, 358),
        "width": image.width,
        "height": image.height,
        "blurHash": image.blur_hash,
        "alt": image.alt,
    }


def _url(image: Media, points: int) -> str:
    return f"{MEDIA}/{image.key}/w{min(points * 3, image.width)}.heic"


def _notification(row: Notification, chips: dict[str, Json]) -> Json:
    return {
        "__typename": "Notification",
        "id": row.id,
        "kind": row.kind.upper(),
        "text": row.text,
        "createdAt": row.created_at,
        "readAt": row.read_at,
        "actor": chips.get(row.actor_id) if row.actor_id else None,
    }
