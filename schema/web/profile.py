"""The profile screen on the web: my account, what I saved, what I began to read."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import strawberry

from bff.context import Info
from bff.contract import Section, SectionFallback, batch_field, record
from bff.loaders.accounts import (
    AddressRecord,
    DeviceRecord,
    ProfileByViewerLoader,
    ProfileRecord,
)
from bff.loaders.content import (
    ContinueByFirstLoader,
    ContinueEntryRecord,
    ContinueRecord,
    ItemRecord,
    PageKey,
    ProgressRecord,
    SavedPageByPageLoader,
    SavedPageRecord,
)
from bff.loaders.notifications import PreferencesByViewerLoader
from schema.blocks.paging import checked_size
from schema.blocks.scalars import DateTime
from schema.web.account import viewer_key
from schema.web.image import Image
from schema.web.inbox import Preferences
from schema.web.items import FeedItem, Progress
from schema.web.paging import CURSOR, PageInfo, page_info, with_cursors


@strawberry.enum
class AddressState(Enum):
    PENDING_VERIFICATION = "pending_verification"
    VERIFIED = "verified"
    REJECTED = "rejected"


@strawberry.type
@record(AddressRecord)
class Address:
    id: strawberry.ID
    label: str
    line1: str
    line2: str | None
    city: str
    postcode: str
    country: str = strawberry.field(description="ISO 3166 alpha-2.")
    state: AddressState
    revision: int
    updated_at: DateTime


@strawberry.enum
class DevicePlatform(Enum):
    IOS = "ios"
    ANDROID = "android"
    WEB = "web"


@strawberry.type
@record(DeviceRecord)
class Device:
    id: strawberry.ID
    platform: DevicePlatform
    model: str
    name: str
    last_seen_at: DateTime


@strawberry.type(description="What only the account itself may see.")
@record(ProfileRecord)
class Profile:
    id: strawberry.ID
    handle: str
    display_name: str
    bio: str | None
    email: str
    phone: str | None
    locale: str = strawberry.field(description="BCP 47, e.g. en-GB.")
    avatar: Image | None
    verified: bool
    follower_count: int
    following_count: int
    joined_at: DateTime
    revision: int
    updated_at: DateTime
    addresses: list[Address]
    devices: list[Device]


class SavedEdgeValue(NamedTuple):
    """A saved entry as an edge."""

    cursor: str | None
    node: ItemRecord
    saved_at: str
    progress: ProgressRecord | None


@strawberry.type
@record(SavedEdgeValue)
class SavedEdge:
    cursor: str | None = strawberry.field(description=CURSOR)
    node: FeedItem
    saved_at: DateTime
    progress: Progress | None


def _edges(root: SavedPageRecord) -> list[SavedEdgeValue]:
    return [
        SavedEdgeValue(cursor, entry.item, entry.saved_at, entry.progress)
        for entry, cursor in with_cursors(root.entries, root.next_cursor)
    ]


@strawberry.type
@record(SavedPageRecord)
class SavedConnection:
    edges = strawberry.field(_edges, graphql_type=list[SavedEdge])
    page_info: PageInfo = strawberry.field(resolver=page_info)
    total: int = strawberry.field(name="totalCount")


@strawberry.type
@record(ContinueEntryRecord)
class ContinueEntry:
    item: FeedItem
    saved: bool
    progress: Progress


@strawberry.type(description="What the viewer began and has not finished, latest first.")
@record(ContinueRecord)
class ContinueReading:
    entries: list[ContinueEntry]


def _saved_key(root: object, info: Info, first: int = 20, after: str | None = None) -> PageKey:
    return PageKey(checked_size(first), after)


def _continue_key(root: object, info: Info, first: int = 6) -> int:
    return checked_size(first, most=20)


@strawberry.type
class ProfileScreen:
    account: Profile | None = batch_field(
        ProfileByViewerLoader,
        viewer_key,
        directives=[Section(critical=True, fallback=SectionFallback.STALE)],
    )
    continue_reading: ContinueReading | None = batch_field(
        ContinueByFirstLoader,
        _continue_key,
        description="At most 20.",
        directives=[Section(budget_ms=800, fallback=SectionFallback.EMPTY)],
    )
    saved: SavedConnection | None = batch_field(
        SavedPageByPageLoader,
        _saved_key,
        description="Last saved first; at most 50 a page.",
        directives=[Section(fallback=SectionFallback.STALE)],
    )
    preferences: Preferences | None = batch_field(
        PreferencesByViewerLoader,
        viewer_key,
        directives=[Section(budget_ms=1_000)],
    )
