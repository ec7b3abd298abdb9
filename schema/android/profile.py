"""The profile screen on Android: my account, my addresses and devices, what I saved."""

from __future__ import annotations

from enum import Enum

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
    PageKey,
    SavedEntryRecord,
    SavedPageByPageLoader,
    SavedPageRecord,
)
from bff.loaders.notifications import PreferencesByViewerLoader
from schema.android.account import viewer_key
from schema.android.image import Image
from schema.android.inbox import Preferences
from schema.android.items import FeedItem, Progress
from schema.blocks.paging import checked_size
from schema.blocks.scalars import DateTime


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


@strawberry.type
@record(SavedEntryRecord)
class SavedEntry:
    item: FeedItem
    saved_at: DateTime
    progress: Progress | None


@strawberry.type
@record(SavedPageRecord)
class SavedPage:
    entries: list[SavedEntry] = strawberry.field(name="items")
    total: int = strawberry.field(description="Of all pages together.")
    next_cursor: str | None = strawberry.field(
        name="nextPageToken", description="Null on the last page."
    )


def _saved_key(
    root: object, info: Info, page_size: int = 10, page_token: str | None = None
) -> PageKey:
    return PageKey(checked_size(page_size), page_token)


@strawberry.type
class ProfileScreen:
    account: Profile | None = batch_field(
        ProfileByViewerLoader,
        viewer_key,
        directives=[Section(critical=True, fallback=SectionFallback.STALE)],
    )
    saved: SavedPage | None = batch_field(
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
