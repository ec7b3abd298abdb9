"""The notifications service as the gateway sees it: inbox, badge, preferences."""

from __future__ import annotations

from typing import Any, Literal

from bff.contract import Scope
from bff.upstreams.calls import Caller
from bff.upstreams.method import Method, Record

SERVICE = "notifications"


# Closed: a notification of a kind this gateway does not know yet is left out and counted.
NotificationKind = Literal["like", "comment", "follow", "mention", "new_content", "system"]


class NotificationRecord(Record, frozen=True):
    id: str
    kind: NotificationKind
    actor_id: str | None
    item_id: str | None
    text: str
    created_at: str
    read_at: str | None
    revision: int


class InboxHeadRecord(Record, frozen=True):
    """The badge and the newest few."""

    unread: int
    latest: list[NotificationRecord]
    revision: int
    updated_at: str


class InboxPageRecord(Record, frozen=True):
    notifications: list[NotificationRecord]
    unread: int
    revision: int
    next_cursor: str | None
    has_more: bool


class PreferenceRecord(Record, frozen=True):
    kind: NotificationKind
    push: bool
    email: bool
    in_app: bool


class QuietHoursRecord(Record, frozen=True):
    """Local times `HH:MM` in an IANA time zone."""

    start: str
    end: str
    time_zone: str


class PreferencesRecord(Record, frozen=True):
    preferences: list[PreferenceRecord]
    quiet_hours: QuietHoursRecord | None
    revision: int
    updated_at: str


class MarkedReadRecord(Record, frozen=True):
    state: str
    read_ids: list[str]
    unread: int
    updated_at: str
    revision: int


_VIEWER = Scope.VIEWER

INBOX_HEAD = Method(SERVICE, "inbox_head", "GET", "/v1/inbox/head", _VIEWER, InboxHeadRecord)
INBOX = Method(SERVICE, "inbox", "GET", "/v1/inbox", _VIEWER, InboxPageRecord)
PREFERENCES = Method(SERVICE, "preferences", "GET", "/v1/preferences", _VIEWER, PreferencesRecord)
MARK_READ = Method(
    SERVICE, "mark_read", "POST", "/v1/inbox/read", _VIEWER, MarkedReadRecord, effect=True
)


class Notifications:
    """Calls to notifications in one request."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def inbox_head(self, first: int) -> InboxHeadRecord:
        return await self._caller.call(INBOX_HEAD, query={"first": first})

    async def inbox(self, first: int, after: str | None, kind: str | None) -> InboxPageRecord:
        query = {"first": first, "after": after, "kind": kind}
        return await self._caller.call(INBOX, query=query)

    async def preferences(self) -> PreferencesRecord:
        return await self._caller.call(PREFERENCES)

    async def mark_read(self, what: dict[str, Any], key: str) -> MarkedReadRecord:
        """`what` is `{"ids": […]}` or `{"up_to": id}`."""
        return await self._caller.call(MARK_READ, body=what, idempotency_key=key)
