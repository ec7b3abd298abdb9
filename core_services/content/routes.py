"""The HTTP face of content: reads the input, calls the store once, answers ready-made JSON."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from core_services.content import store, viewer_store
from core_services.content.records import (
    EXAMPLE_IDS,
    ContinueList,
    FeedPage,
    GivenCursor,
    ItemDetailList,
    ItemIds,
    ItemList,
    RelatedBatch,
    RelatedList,
    SavedPage,
    SavedState,
    StatsList,
    ThreadBatch,
    ThreadList,
    ViewerStateList,
)
from core_services.kit.callers import CurrentViewer
from core_services.kit.errors import BadCursor, NotFound, problems
from core_services.kit.freshness import Freshness, invalidates, outdated
from core_services.kit.health import CurrentDatabase
from core_services.kit.idempotency import IdempotencyKey, KeyedCall, Outcome, once
from core_services.kit.records import LooseId, reply

router = APIRouter(prefix="/v1", tags=["content"])

First = Annotated[int, Query(ge=1, le=50, description="entries on the page")]
FirstOfFew = Annotated[int, Query(ge=1, le=20, description="entries at most")]
After = Annotated[GivenCursor | None, Query(description="next_cursor of the page before")]
ITEMS = Freshness(("item",), False, 60, 300, 86_400)
STATS = Freshness(("item",), False, 5, 30, 3_600)
THREADS = Freshness(("thread",), False, 5, 30, 600)
RELATED = Freshness(("item",), False, 300, 3_600, 86_400)
# What a viewer can change is asked for every time, and stands in only while the service is away.
FEED = Freshness(("feed", "saved"), private=True, stale_if_error_s=3_600)
SAVED = Freshness(("saved",), private=True, stale_if_error_s=3_600)
_ITEM_EXAMPLES = {id_: {"value": id_} for id_ in EXAMPLE_IDS}
ItemId = Annotated[LooseId, Path(min_length=1, openapi_examples=_ITEM_EXAMPLES)]


@router.get(
    "/feed", operation_id="get_feed", response_model=FeedPage, openapi_extra=FEED.declared()
)
async def get_feed(
    database: CurrentDatabase, viewer: CurrentViewer, first: First = 20, after: After = None
) -> Response:
    """The viewer's feed, newest first: followed topics and what is for everybody."""
    async with database.reader() as connection:
        page = await viewer_store.read_feed(connection, viewer.account_id, first, after)
    return reply(page, headers=FEED.of_viewer(viewer.account_id))


@router.post(
    "/items/batch",
    operation_id="find_items",
    response_model=ItemList,
    openapi_extra=ITEMS.declared(),
)
async def find_items(database: CurrentDatabase, batch: ItemIds) -> Response:
    """Items by id, as cards."""
    async with database.reader() as connection:
        found = await store.find_items(connection, batch.distinct())
    return reply({"items": found}, headers=ITEMS.headers(one["id"] for one in found))


@router.post(
    "/item-details/batch",
    operation_id="find_item_details",
    response_model=ItemDetailList,
    openapi_extra=ITEMS.declared(),
)
async def find_item_details(database: CurrentDatabase, batch: ItemIds) -> Response:
    """Items by id, with body, streams or entries."""
    async with database.reader() as connection:
        found = await store.find_item_details(connection, batch.distinct())
    return reply({"items": found}, headers=ITEMS.headers(one["id"] for one in found))


@router.post(
    "/stats/batch",
    operation_id="find_stats",
    response_model=StatsList,
    openapi_extra=STATS.declared(),
)
async def find_stats(database: CurrentDatabase, batch: ItemIds) -> Response:
    """Counters by item id."""
    async with database.reader() as connection:
        found = await store.find_stats(connection, batch.distinct())
    return reply({"stats": found}, headers=STATS.headers(one["item_id"] for one in found))


@router.post(
    "/comments/batch",
    operation_id="find_comments",
    response_model=ThreadList,
    responses=problems(BadCursor),
    openapi_extra=THREADS.declared(),
)
async def find_comments(database: CurrentDatabase, batch: ThreadBatch) -> Response:
    """One page of comments for each thread, newest first."""
    threads: dict[str, str | None] = {}
    for ask in batch.threads:
        threads.setdefault(ask.item_id, ask.after)
    async with database.reader() as connection:
        found = await store.find_comments(connection, threads, batch.first)
    return reply({"threads": found}, headers=THREADS.headers(one["item_id"] for one in found))


@router.post(
    "/related/batch",
    operation_id="find_related",
    response_model=RelatedList,
    openapi_extra=RELATED.declared(),
)
async def find_related(database: CurrentDatabase, batch: RelatedBatch) -> Response:
    """Neighbours of each item within its main topic, nearest in time first."""
    async with database.reader() as connection:
        found = await store.find_related(connection, batch.distinct(), batch.first)
    return reply({"related": found}, headers=RELATED.headers(one["item_id"] for one in found))


@router.post(
    "/viewer-states/batch",
    operation_id="find_viewer_states",
    response_model=ViewerStateList,
    openapi_extra=SAVED.declared(),
)
async def find_viewer_states(
    database: CurrentDatabase, viewer: CurrentViewer, batch: ItemIds
) -> Response:
    """What the viewer did with each item: saved it, and how far it was read or watched."""
    async with database.reader() as connection:
        found = await viewer_store.find_states(connection, viewer.account_id, batch.distinct())
    return reply({"states": found}, headers=SAVED.of_viewer(viewer.account_id))


@router.get(
    "/saved", operation_id="get_saved", response_model=SavedPage, openapi_extra=SAVED.declared()
)
async def get_saved(
    database: CurrentDatabase, viewer: CurrentViewer, first: First = 20, after: After = None
) -> Response:
    """What the viewer saved, last saved first."""
    async with database.reader() as connection:
        page = await viewer_store.read_saved(connection, viewer.account_id, first, after)
    return reply(page, headers=SAVED.of_viewer(viewer.account_id))


@router.get(
    "/continue",
    operation_id="get_continue",
    response_model=ContinueList,
    openapi_extra=SAVED.declared(),
)
async def get_continue(
    database: CurrentDatabase, viewer: CurrentViewer, first: FirstOfFew = 10
) -> Response:
    """What the viewer began and did not finish, newest progress first."""
    async with database.reader() as connection:
        found = await viewer_store.read_continue(connection, viewer.account_id, first)
    return reply(found, headers=SAVED.of_viewer(viewer.account_id))


@router.put(
    "/saved/{item_id}",
    operation_id="save_item",
    response_model=SavedState,
    responses=problems(NotFound),
    openapi_extra=invalidates("saved"),
)
async def save_item(
    database: CurrentDatabase, viewer: CurrentViewer, key: IdempotencyKey, item_id: ItemId
) -> Response:
    """Save an item; saving what is saved changes nothing."""
    call = KeyedCall(viewer.account_id, "save_item", key, {"item_id": item_id})
    return await _write_saved(database, call, item_id, save=True)


@router.delete(
    "/saved/{item_id}",
    operation_id="unsave_item",
    response_model=SavedState,
    responses=problems(NotFound),
    openapi_extra=invalidates("saved"),
)
async def unsave_item(
    database: CurrentDatabase, viewer: CurrentViewer, key: IdempotencyKey, item_id: ItemId
) -> Response:
    """Unsave an item; unsaving what is not saved changes nothing."""
    call = KeyedCall(viewer.account_id, "unsave_item", key, {"item_id": item_id})
    return await _write_saved(database, call, item_id, save=False)


async def _write_saved(
    database: CurrentDatabase, call: KeyedCall, item_id: str, *, save: bool
) -> Response:
    async def effect(connection: AsyncConnection) -> Outcome:
        return Outcome(await viewer_store.write_saved(connection, call.scope, item_id, save=save))

    outcome = await once(database, call, effect)
    return outcome.reply(outdated(call.scope, "saved"))
