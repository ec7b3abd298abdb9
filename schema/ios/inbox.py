"""The inbox screen on iOS, and the badge that home shows of it."""

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
from schema.blocks.paging import checked_size
from schema.blocks.scalars import DateTime
from schema.ios.account import AccountCard, viewer_key
from schema.ios.items import FeedItem


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
    notifications: list[Notification]
    unread: int
    revision: int
    next_cursor: str | None = strawberry.field(name="endCursor")
    has_more: bool


@strawberry.type(description="Which ways one kind of notification may take.")
@record(PreferenceRecord)
class Preference:
    kind: NotificationKind
    push: bool
    email: bool
    in_app: bool


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
    first: int = 20,
    after: str | None = None,
    kind: NotificationKind | None = None,
) -> InboxKey:
    return InboxKey(checked_size(first), after, kind.value if kind else None)


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
