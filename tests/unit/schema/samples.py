"""Answers of the core services, small but of every kind, and a caller that gives them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from bff.context import Context
from bff.request import Arrival, ClientIdentity, Deadline, Viewer
from bff.upstreams.method import Method

AT = "2026-11-01T08:00:00.000Z"
MEDIA = {"key": "img/ab", "width": 500, "height": 300, "blur_hash": "LEHV", "alt": "A pier"}
VIEWER = "acc_00001"
Json = dict[str, Any]


def card(account_id: str) -> Json:
    return {
        "id": account_id,
        "handle": f"h-{account_id}",
        "display_name": "Ada",
        "avatar": MEDIA if account_id == VIEWER else None,
        "verified": True,
        "follower_count": 3,
    }


def item(item_id: str, detail: bool = False) -> Json:
    """The last digit of the id picks the kind; a collection has no summary and no image."""
    kind = ("article", "video", "collection")[int(item_id[-1]) % 3]
    own: dict[str, Json] = {
        "article": {"reading_minutes": 4, "word_count": 900},
        "video": {"duration_s": 605, "captions": ["en"]},
        "collection": {"item_count": 2},
    }
    whole: dict[str, Json] = {
        "article": {"body": ["One.", "Two."]},
        "video": {"streams": [{"quality": "720p", "key": "vid/ab/720p", "bitrate_kbps": 2800}]},
        "collection": {"entry_ids": ["itm_0", "gone_9"]},
    }
    return {
        "kind": kind,
        "id": item_id,
        "title": f"Title of {item_id}",
        "summary": None if kind == "collection" else "Short.",
        "author_id": "acc_00002",
        "image": None if kind == "collection" else MEDIA,
        "topics": ["sea"],
        "published_at": AT,
        "updated_at": AT,
        "revision": 7,
        **own[kind],
        **(whole[kind] if detail else {}),
    }


PROGRESS = {"fraction": 0.5, "position_s": None, "updated_at": AT, "revision": 2}
ITEM_IDS = ["itm_0", "itm_1", "itm_2"]
REASONS = ["followed_topic", "popular", "because_you_saved", "new"]
WRITTEN = {"updated_at": AT, "revision": 8}
PREFERENCES = [
    {"kind": "like", "push": False, "email": False, "in_app": False},
    {"kind": "follow", "push": False, "email": True, "in_app": True},
    {"kind": "new_content", "push": True, "email": False, "in_app": True},
    {"kind": "mention", "push": True, "email": False, "in_app": False},
]
ADDRESS = {
    "id": "adr_1",
    "label": "Home",
    "line1": "1 Pier",
    "line2": None,
    "city": "Berlin",
    "postcode": "10115",
    "country": "DE",
    "state": "pending_verification",
    "revision": 8,
    "updated_at": AT,
}
PROFILE = {
    **card(VIEWER),
    "bio": None,
    "email": "ada@example.com",
    "phone": None,
    "locale": "en-GB",
    "following_count": 1,
    "joined_at": AT,
    "revision": 8,
    "updated_at": AT,
    "addresses": [ADDRESS],
    "devices": [{"id": "dev_1", "platform": "ios", "model": "m", "name": "n", "last_seen_at": AT}],
}


def notification(number: int, kind: str) -> Json:
    return {
        "id": f"ntf_{number}",
        "kind": kind,
        "actor_id": None if kind == "system" else "acc_00002",
        "item_id": "itm_1" if kind == "comment" else None,
        "text": "…",
        "created_at": AT,
        "read_at": None,
        "revision": number,
    }


NOTIFICATIONS = [
    notification(number, kind)
    for number, kind in enumerate(
        ("like", "comment", "follow", "mention", "new_content", "system"), start=1
    )
]
PAGE_END = {"next_cursor": "c2", "has_more": True}
ENTRY = {"saved": True, "progress": PROGRESS}


def _comments(body: Json) -> Json:
    one = {"id": "cmt_1", "author_id": "acc_00003", "text": "Aye.", "like_count": 0}
    comments = [one | {"created_at": AT, "revision": 1}, one | {"created_at": AT, "revision": 1}]
    threads = [
        {"item_id": thread["item_id"], "total": 9, "comments": comments, **PAGE_END}
        for thread in body["threads"]
    ]
    return {"threads": threads}


def _items(body: Json, detail: bool = False) -> Json:
    return {"items": [item(one, detail) for one in body["ids"] if one.startswith("itm_")]}


def _stats(body: Json) -> Json:
    one = {"views": 9, "likes": 2, "comments": 1, "shares": 0}
    return {"stats": [{"item_id": item_id, **one} for item_id in body["ids"]]}


def _states(body: Json) -> Json:
    one = {"saved": True, "saved_at": AT, "progress": None}
    return {"states": [{"item_id": item_id, **one} for item_id in body["ids"]]}


def _answers(body: Json, path: Mapping[str, str]) -> dict[str, Any]:
    """Method name → what makes its answer."""
    items = [item(one) for one in ITEM_IDS]
    saved = {"item_id": path.get("item_id", ""), **WRITTEN}
    return {
        "cards": lambda: {"cards": [card(one) for one in body["ids"]]},
        "profile": lambda: PROFILE,
        "sign_in": lambda: {
            "state": "SIGNED_IN",
            "account_id": VIEWER,
            "session_id": "ses_1",
            "access_token": "t",
            "expires_at": AT,
            **WRITTEN,
        },
        "sign_out": lambda: {"state": "SIGNED_OUT", "epoch": 5, **WRITTEN},
        "edit_profile": lambda: {"state": "SAVED", "profile": PROFILE, **WRITTEN},
        "add_address": lambda: {"state": "pending_verification", "address": ADDRESS, **WRITTEN},
        "feed": lambda: {
            "entries": [
                {"item": one, "reason": reason, **ENTRY}
                for one, reason in zip([*items, items[0]], REASONS, strict=True)
            ],
            **PAGE_END,
        },
        "items": lambda: _items(body),
        "item_details": lambda: _items(body, detail=True),
        "stats": lambda: _stats(body),
        "comments": lambda: _comments(body),
        "related": lambda: {"related": [{"item_id": body["ids"][0], "items": items}]},
        "viewer_states": lambda: _states(body),
        "saved": lambda: {
            "entries": [{"item": one, "saved_at": AT, "progress": None} for one in items],
            "total": 40,
            **PAGE_END,
        },
        "continue": lambda: {"entries": [{"item": one, **ENTRY} for one in items]},
        "save": lambda: {"saved": True, "state": "SAVED", **saved},
        "unsave": lambda: {"saved": False, "state": "UNSAVED", **saved},
        "inbox_head": lambda: {"unread": 6, "latest": NOTIFICATIONS, "revision": 6} | UPDATED,
        "inbox": lambda: {
            "notifications": NOTIFICATIONS,
            "unread": 6,
            "revision": 6,
            **PAGE_END,
        },
        "preferences": lambda: {
            "preferences": PREFERENCES,
            "quiet_hours": {"start": "22:00", "end": "07:00", "time_zone": "Europe/Berlin"},
            "revision": 3,
            **UPDATED,
        },
        "mark_read": lambda: {"state": "READ", "read_ids": ["ntf_1"], "unread": 5, **WRITTEN},
    }


UPDATED = {"updated_at": AT}


class SampleCaller:
    """Stands where the gateway's caller stands; remembers every call."""

    coalescer = None  # nobody else asks at the same time
    cache = None

    def __init__(self, viewer: Viewer | None) -> None:
        self.viewer = viewer
        self.calls: list[tuple[str, Json]] = []

    async def call(
        self,
        method: Method[Any],
        *,
        path: Mapping[str, str] | None = None,
        query: Mapping[str, object] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
        keys: int = 0,
    ) -> Any:
        sent = {"path": path, "query": query, "body": body, "key": idempotency_key}
        self.calls.append((method.name, {k: v for k, v in sent.items() if v is not None}))
        answer = _answers(body or {}, path or {})[method.name]()
        return msgspec.convert(answer, method.answer)

    @property
    def names(self) -> list[str]:
        return [name for name, _ in self.calls]


class Exchange:
    """One request's context over samples; `revoked` is what a sign-out moved."""

    def __init__(self, *, signed_in: bool = True, header_key: str | None = None) -> None:
        viewer = Viewer(VIEWER, "dev_1", "ses_1", 4, ("app",)) if signed_in else None
        arrival = Arrival(
            "r1", ClientIdentity(), Deadline.after_ms(10_000), idempotency_key=header_key
        )
        self.caller = SampleCaller(viewer)
        self.revoked: list[tuple[str, int]] = []
        caller: Any = self.caller
        self.context = Context(arrival, caller, lambda *moved: self.revoked.append(moved))
