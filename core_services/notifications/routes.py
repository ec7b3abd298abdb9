"""The HTTP face of notifications: reads the input, calls the store, answers ready-made JSON."""

from typing import Annotated

from fastapi import APIRouter, Body, Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from core_services.kit.callers import CurrentViewer
from core_services.kit.errors import NotFound, problems
from core_services.kit.freshness import Freshness, invalidates, outdated
from core_services.kit.health import CurrentDatabase
from core_services.kit.idempotency import IdempotencyKey, KeyedCall, Outcome, once
from core_services.kit.records import reply
from core_services.notifications import store
from core_services.notifications.records import (
    GivenCursor,
    InboxHead,
    InboxPage,
    Kind,
    MarkIds,
    MarkUpTo,
    Preferences,
    Read,
)

router = APIRouter(prefix="/v1", tags=["notifications"])

FirstOfHead = Annotated[int, Query(ge=0, le=10, description="newest notifications; 0: count only")]
First = Annotated[int, Query(ge=1, le=50, description="notifications on the page")]
After = Annotated[GivenCursor | None, Query(description="next_cursor of the page before")]
OfKind = Annotated[Kind | None, Query(description="only this kind")]
_EXAMPLES = {
    "ids": {"summary": "these", "value": {"ids": ["ntf_000001", "ntf_000002"]}},
    "up_to": {"summary": "this and all older ones", "value": {"up_to": "ntf_000003"}},
}
# What a viewer can change is asked for every time, and stands in only while the service is away.
INBOX = Freshness(("inbox",), private=True, stale_if_error_s=600)
PREFERENCES = Freshness(("preferences",), private=True, stale_if_error_s=3_600)
Marked = Annotated[MarkIds | MarkUpTo, Body(openapi_examples=_EXAMPLES)]


@router.get(
    "/inbox/head",
    operation_id="get_inbox_head",
    response_model=InboxHead,
    openapi_extra=INBOX.declared(),
)
async def get_inbox_head(
    database: CurrentDatabase, viewer: CurrentViewer, first: FirstOfHead = 3
) -> Response:
    """The unread count and the newest notifications, as a home screen shows them."""
    async with database.reader() as connection:
        head = await store.read_head(connection, viewer.account_id, first)
    return reply(head, headers=INBOX.of_viewer(viewer.account_id))


@router.get(
    "/inbox",
    operation_id="get_inbox",
    response_model=InboxPage,
    openapi_extra=INBOX.declared(),
)
async def get_inbox(
    database: CurrentDatabase,
    viewer: CurrentViewer,
    first: First = 20,
    after: After = None,
    kind: OfKind = None,
) -> Response:
    """The viewer's notifications, newest first."""
    async with database.reader() as connection:
        page = await store.read_inbox(connection, viewer.account_id, first, after, kind)
    return reply(page, headers=INBOX.of_viewer(viewer.account_id))


@router.get(
    "/preferences",
    operation_id="get_preferences",
    response_model=Preferences,
    openapi_extra=PREFERENCES.declared(),
)
async def get_preferences(database: CurrentDatabase, viewer: CurrentViewer) -> Response:
    """Where each kind of notification may appear, and when none may be pushed."""
    async with database.reader() as connection:
        chosen = await store.read_preferences(connection, viewer.account_id)
    return reply(chosen, headers=PREFERENCES.of_viewer(viewer.account_id))


@router.post(
    "/inbox/read",
    operation_id="mark_read",
    response_model=Read,
    responses=problems(NotFound),
    openapi_extra=invalidates("inbox"),
)
async def mark_read(
    database: CurrentDatabase, viewer: CurrentViewer, key: IdempotencyKey, marked: Marked
) -> Response:
    """Mark notifications read: the ids given, or everything up to one of them."""

    async def effect(connection: AsyncConnection) -> Outcome:
        if isinstance(marked, MarkUpTo):
            return Outcome(await store.mark_up_to(connection, viewer.account_id, marked.up_to))
        return Outcome(await store.mark_these(connection, viewer.account_id, marked.ids))

    call = KeyedCall(viewer.account_id, "mark_read", key, marked.model_dump())
    outcome = await once(database, call, effect)
    return outcome.reply(outdated(viewer.account_id, "inbox"))
