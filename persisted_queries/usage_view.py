"""What releases and documents were used, as its readers see it; `usage.py` makes it of roll-ups."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

import msgspec


class ReleaseUsage(msgspec.Struct, frozen=True):
    """Use within the window of a view. `requests` counts answered operations, `errors` those whose
    answer held an error, `bytes_out` what was sent for them. `devices` are distinct ones, by
    estimate where there are many; `share` is their part of all devices of the platform, 0 to 1,
    None where no device said who it is. Zeros mean "not seen", which is "not used" only as far as
    `UsageView.is_complete` goes."""

    requests: int = 0
    errors: int = 0
    devices: int = 0
    share: float | None = None
    last_seen: datetime | None = None
    first_seen: datetime | None = None
    bytes_out: int = 0


UNSEEN = ReleaseUsage()


class UsageView(Protocol):
    """The usage of one platform within a window that ends now. Instants are UTC, with time zone."""

    def release(self, name: str) -> ReleaseUsage:
        """Use of a release (`<version>+<build>`); what came from its version without a build is
        counted with each of them. UNSEEN where none was counted."""

    def document(self, release_name: str, document_hash: str) -> ReleaseUsage:
        """Use of one document (our SHA-256, 64 hex digits) by one release."""

    def is_complete(self, since: datetime) -> bool:
        """Whether every instant from `since` until this view was opened was counted. A gap is
        *unknown*: what it hides may be use, so it never permits a removal.

        To be asked before `release` and `document` where a removal hangs on them: it may wait for
        the next flush of gateways that are running, and what the view tells afterwards holds it.
        """


class NothingKnown:
    """The view where nobody counts: nothing was seen, and that says nothing."""

    def release(self, name: str) -> ReleaseUsage:
        return UNSEEN

    def document(self, release_name: str, document_hash: str) -> ReleaseUsage:
        return UNSEEN

    def is_complete(self, since: datetime) -> bool:
        return False
