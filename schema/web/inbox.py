"""The inbox screen on the web, and the badge that home shows of it."""

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
from schema.web.account import AccountCard, viewer_key
from schema.web.items import FeedItem
from schema.web.paging import CURSOR, Edge, PageInfo, page_info, with_cursors


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
@record(Edge)
class NotificationEdge:
    cursor: str | None = strawberry.field(description=CURSOR)
    node: Notification


def _edges(root: InboxPageRecord) -> list[Edge]:
    return [Edge(*edge) for edge in with_cursors(root.notifications, root.next_cursor)]


@strawberry.type
@record(InboxPageRecord)
class NotificationConnection:
    edges = strawberry.field(_edges, graphql_type=list[NotificationEdge])
    page_info: PageInfo = strawberry.field(resolver=page_info)
    unread: int
    revision: int


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
    notifications: NotificationConnection | None = batch_field(
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
