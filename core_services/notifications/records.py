"""What notifications says and hears on the wire: exact shapes for OpenAPI; no database here.

Answers are written by `store` as plain dictionaries of these shapes (no second validation on the
way out); the tests hold every answer against these classes.
"""

from typing import Annotated, Literal

from pydantic import Field

from core_services.kit.paging import LONGEST_CURSOR
from core_services.kit.records import Input, LooseId, Reply, Revision, Text, WireTime

Id = Annotated[str, Field(min_length=1, max_length=64)]
Count = Annotated[int, Field(ge=0, le=2**63 - 1)]
Cursor = Annotated[str, Field(min_length=1, max_length=LONGEST_CURSOR)]
GivenCursor = Annotated[Text, Field(max_length=LONGEST_CURSOR)]
Clock = Annotated[
    str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="hours and minutes, viewer's zone")
]
Kind = Literal["like", "comment", "follow", "mention", "new_content", "system"]


class Notification(Reply):
    """One line of the inbox; `actor_id` and `item_id` are looked up in their own services."""

    id: Id
    kind: Kind
    actor_id: Id | None
    item_id: Id | None
    text: Annotated[str, Field(min_length=1, max_length=1_000)]
    created_at: WireTime
    read_at: WireTime | None
    revision: Revision


class InboxHead(Reply):
    """What a home screen shows of the inbox; `revision` moves with every change of it."""

    unread: Count
    latest: Annotated[list[Notification], Field(max_length=10)]
    revision: Revision
    updated_at: WireTime


class InboxPage(Reply):
    """Newest first; `next_cursor` is null exactly when `has_more` is false."""

    notifications: Annotated[list[Notification], Field(max_length=50)]
    unread: Count
    revision: Revision
    next_cursor: Cursor | None
    has_more: bool


class Preference(Reply):
    """Where notifications of one kind may appear."""

    kind: Kind
    push: bool
    email: bool
    in_app: bool


class QuietHours(Reply):
    """No push between `start` and `end` (may cross midnight) in an IANA time zone."""

    start: Clock
    end: Clock
    time_zone: Annotated[str, Field(min_length=1, max_length=64, examples=["Europe/Berlin"])]


class Preferences(Reply):
    """One entry for each kind, in the order of the kinds."""

    preferences: Annotated[list[Preference], Field(min_length=6, max_length=6)]
    quiet_hours: QuietHours | None
    revision: Revision
    updated_at: WireTime


class MarkIds(Input):
    """Mark exactly these; one that is not the viewer's refuses the whole call."""

    ids: Annotated[list[LooseId], Field(min_length=1, max_length=100, examples=[["ntf_000001"]])]


class MarkUpTo(Input):
    """Mark this notification and every older one."""

    up_to: Annotated[LooseId, Field(examples=["ntf_000001"])]


MarkRead = MarkIds | MarkUpTo


class Read(Reply):
    """The outcome of marking: with `ids`, all of them; with `up_to`, those that were unread."""

    state: Literal["READ"]
    read_ids: list[Id]
    unread: Count
    updated_at: WireTime
    revision: Revision
