"""The inbox screen on Android, the badge that home shows of it, and notification channels."""

from __future__ import annotations

from enum import Enum

import strawberry

from bff.context import Info
from bff.contract import Section, SectionFallback, batch_field, record
from bff.loaders.accounts import AccountCardByIdLoader
from bff.loaders.content import ItemByIdLoader
from bff.loaders.notifications import (
    InboxHeadRecord,
    InboxKey,
    InboxPageByPageLoader,
    InboxPageRecord,
    NotificationRecord,
    PreferenceRecord,
    PreferencesByViewerLoader,
    PreferencesRecord,
    QuietHoursRecord,
)
from schema.android.account import AccountCard, viewer_key
from schema.android.items import FeedItem
from schema.blocks.paging import checked_size
from schema.blocks.scalars import DateTime


@strawberry.enum
class NotificationKind(Enum):
    LIKE = "like"
    COMMENT = "comment"
    FOLLOW = "follow"
    MENTION = "mention"
    NEW_CONTENT = "new_content"
    SYSTEM = "system"


@strawberry.type
@record(NotificationRecord)
class Notification:
    id: strawberry.ID
    kind: NotificationKind
    text: str
    created_at: DateTime
    read_at: DateTime | None = strawberry.field(description="Null while unread.")
    revision: int
    actor: AccountCard | None = batch_field(
        AccountCardByIdLoader, "actor_id", description="Null when the product itself speaks."
    )
    item: FeedItem | None = batch_field(ItemByIdLoader, "item_id")


@strawberry.type(description="The badge and the newest few.")
@record(InboxHeadRecord)
class InboxHead:
    unread: int
    latest: list[Notification]
    revision: int
    updated_at: DateTime


@strawberry.type
@record(InboxPageRecord)
class InboxPage:
    notifications: list[Notification] = strawberry.field(name="items")
    unread: int
    revision: int
    next_cursor: str | None = strawberry.field(
        name="nextPageToken", description="Null on the last page."
    )


@strawberry.enum(description="As NotificationManager.IMPORTANCE_*.")
class ChannelImportance(Enum):
    NONE = 0
    LOW = 2
    DEFAULT = 3
    HIGH = 4


# A person waits for an answer to these.
_PRESSING = frozenset({"comment", "mention"})


def _channel_id(root: PreferenceRecord) -> strawberry.ID:
    return strawberry.ID(f"facet.{root.kind}")


def _importance(root: PreferenceRecord) -> ChannelImportance:
    if root.push:
        return ChannelImportance.HIGH if root.kind in _PRESSING else ChannelImportance.DEFAULT
    return ChannelImportance.LOW if root.in_app else ChannelImportance.NONE


@strawberry.type(description="The notification channel the app creates for a kind.")
@record(PreferenceRecord)
class NotificationChannel:
    id: strawberry.ID = strawberry.field(resolver=_channel_id)
    importance: ChannelImportance = strawberry.field(
        resolver=_importance, description="Follows from the preference: push, in-app or nothing."
    )


def _channel(root: PreferenceRecord) -> PreferenceRecord:
    return root


@strawberry.type(description="Which ways one kind of notification may take.")
@record(PreferenceRecord)
class Preference:
    kind: NotificationKind
    push: bool
    email: bool
    in_app: bool
    channel = strawberry.field(_channel, graphql_type=NotificationChannel)


@strawberry.type(description="Local times HH:MM in an IANA time zone.")
@record(QuietHoursRecord)
class QuietHours:
    start: str
    end: str
    time_zone: str


@strawberry.type
@record(PreferencesRecord)
class Preferences:
    preferences: list[Preference]
    quiet_hours: QuietHours | None
    revision: int
    updated_at: DateTime


def _page_key(
    root: object,
    info: Info,
    page_size: int = 10,
    page_token: str | None = None,
    kind: NotificationKind | None = None,
) -> InboxKey:
    return InboxKey(checked_size(page_size), page_token, kind.value if kind else None)


@strawberry.type
class InboxScreen:
    page: InboxPage | None = batch_field(
        InboxPageByPageLoader,
        _page_key,
        description="Newest first; at most 50 a page.",
        directives=[Section(critical=True, fallback=SectionFallback.STALE)],
    )
    preferences: Preferences | None = batch_field(
        PreferencesByViewerLoader,
        viewer_key,
        directives=[Section()],
    )
