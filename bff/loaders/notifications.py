"""Loaders over notifications, and the records and calls that schemas take from here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bff.errors import FieldError
from bff.loaders.base import Loader, each
from bff.upstreams.notifications import (
    INBOX,
    INBOX_HEAD,
    PREFERENCES,
    InboxHeadRecord,
    InboxPageRecord,
    MarkedReadRecord,
    NotificationRecord,
    Notifications,
    PreferenceRecord,
    PreferencesRecord,
    QuietHoursRecord,
)


class InboxKey(NamedTuple):
    """A page of the viewer's inbox, of one kind or of all."""

    first: int
    after: str | None = None
    kind: str | None = None


class InboxHeadByFirstLoader(Loader[int, InboxHeadRecord]):
    """Badge and newest few: the largest number asked for serves all."""

    method = INBOX_HEAD

    async def fetch(self, keys: Sequence[int]) -> list[InboxHeadRecord | None]:
        head = await Notifications(self.caller).inbox_head(max(keys))
        return [
            InboxHeadRecord(head.unread, head.latest[:key], head.revision, head.updated_at)
            for key in keys
        ]


class InboxPageByPageLoader(Loader[InboxKey, InboxPageRecord]):
    method = INBOX

    async def fetch(self, keys: Sequence[InboxKey]) -> list[InboxPageRecord | FieldError]:
        notifications = Notifications(self.caller)
        return await each(notifications.inbox(*key) for key in keys)


class PreferencesByViewerLoader(Loader[str, PreferencesRecord]):
    """The viewer's own preferences; the only key there is is the viewer's account id."""

    method = PREFERENCES

    async def fetch(self, keys: Sequence[str]) -> list[PreferencesRecord | None]:
        found = await Notifications(self.caller).preferences()
        viewer = self.caller.viewer
        return [found if viewer is not None and key == viewer.account_id else None for key in keys]


__all__ = [
    "InboxHeadByFirstLoader",
    "InboxHeadRecord",
    "InboxKey",
    "InboxPageByPageLoader",
    "InboxPageRecord",
    "MarkedReadRecord",
    "NotificationRecord",
    "Notifications",
    "PreferenceRecord",
    "PreferencesByViewerLoader",
    "PreferencesRecord",
    "QuietHoursRecord",
]
