"""The endpoints of accounts.

Each validates, runs one store call or one keyed write, and replies.
"""

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from core_services.accounts import records, store
from core_services.accounts.attempts import Attempts
from core_services.accounts.tokens import TokenMint
from core_services.kit.callers import CurrentViewer
from core_services.kit.clock import database_time
from core_services.kit.errors import (
    Conflict,
    InvalidCredentials,
    NotFound,
    RateLimited,
    problems,
)
from core_services.kit.freshness import EVERYTHING_OF, Freshness, invalidates, outdated
from core_services.kit.health import CurrentDatabase
from core_services.kit.idempotency import ANONYMOUS, IdempotencyKey, KeyedCall, Outcome, once
from core_services.kit.records import TimeParameter, reply
from core_services.kit.revisions import next_revision
from core_services.kit.times import now, to_wire

MOST_ADDRESSES = 20
REVOCATIONS_SINCE = timedelta(minutes=20)
# A sign-out still committing while the last answer was made carries an earlier time than its
# `as_of`.
REVOCATIONS_OVERLAP = timedelta(seconds=5)
# What a viewer can change is asked for every time, and stands in only while the service is away.
CARDS = Freshness(("account",), False, 60, 300, 86_400)
PROFILE = Freshness(("profile",), private=True, stale_if_error_s=3_600)
TOKEN_KEYS = Freshness((), False, 300, 0, 86_400)

router = APIRouter()


class TooManyAddresses(Conflict):
    """The account has no room for another address."""

    code = "TOO_MANY_ADDRESSES"
    title = "The account has too many addresses"
    detail = f"Remove an address first; an account keeps at most {MOST_ADDRESSES}."


async def _mint_of(request: Request) -> TokenMint:
    mint: TokenMint = request.app.state.mint
    return mint


async def _attempts_of(request: Request) -> Attempts:
    attempts: Attempts = request.app.state.attempts
    return attempts


CurrentMint = Annotated[TokenMint, Depends(_mint_of)]
CurrentAttempts = Annotated[Attempts, Depends(_attempts_of)]


@router.post(
    "/v1/sign-in",
    operation_id="sign_in",
    response_model=records.SignedIn,
    responses=problems(InvalidCredentials, RateLimited),
    openapi_extra=invalidates("profile"),
)
async def sign_in(
    body: records.SignIn,
    key: IdempotencyKey,
    database: CurrentDatabase,
    mint: CurrentMint,
    attempts: CurrentAttempts,
) -> Response:
    """Open a session; a repeat with its key gets the same session and a fresh token."""
    # First the password, then the key: without it nobody learns what a key stands for.
    known = await attempts.evaluate(database, body.handle, body.password)
    account_id, device = known.account_id, body.device.model_dump()

    async def effect(connection: AsyncConnection) -> Outcome:
        revision, at = await next_revision(connection, account_id), now()
        session_id, device_id = await store.open_session(connection, account_id, device, at)
        return Outcome(
            {
                "state": "SIGNED_IN",
                "account_id": account_id,
                "session_id": session_id,
                "device_id": device_id,
                "updated_at": to_wire(at),
                "revision": revision,
            }
        )

    given = {"handle": body.handle, "device": device}
    outcome = await once(database, KeyedCall(ANONYMOUS, "sign_in", key, given), effect)
    stored = outcome.body
    token = mint.mint(account_id, stored["session_id"], stored.pop("device_id"), known.epoch)
    fresh = {"access_token": token.text, "expires_at": to_wire(token.expires_at)}
    headers = outcome.headers() | outdated(account_id, "profile")  # its devices
    return reply(stored | fresh, outcome.status, headers)


@router.post(
    "/v1/sign-out",
    operation_id="sign_out",
    response_model=records.SignedOut,
    responses=problems(NotFound),
    openapi_extra=invalidates(EVERYTHING_OF),
)
async def sign_out(
    viewer: CurrentViewer, key: IdempotencyKey, database: CurrentDatabase
) -> Response:
    """Void every access token of the viewer by moving the account's revocation epoch."""

    async def effect(connection: AsyncConnection) -> Outcome:
        revision = await next_revision(connection, viewer.account_id)
        moved = await store.move_epoch(connection, viewer.account_id)
        if moved is None:
            raise NotFound
        epoch, at = moved
        return Outcome(
            {
                "state": "SIGNED_OUT",
                "epoch": epoch,
                "updated_at": to_wire(at),
                "revision": revision,
            }
        )

    call = KeyedCall(viewer.account_id, "sign_out", key, {})
    outcome = await once(database, call, effect)
    return outcome.reply(outdated(viewer.account_id, EVERYTHING_OF))


@router.get("/v1/revocations", operation_id="list_revocations", response_model=records.Revocations)
async def list_revocations(
    database: CurrentDatabase, since: Annotated[TimeParameter | None, Query()] = None
) -> Response:
    """List the accounts whose epoch moved at or after `since` (default: in the last 20 minutes)."""
    async with database.reader() as connection:
        # Read before the query: what moves meanwhile is in the next answer.
        as_of = await database_time(connection)
        start = (as_of - REVOCATIONS_SINCE) if since is None else since
        found = await store.find_revocations(connection, start - REVOCATIONS_OVERLAP)
    return reply({"revocations": found, "as_of": to_wire(as_of)})


@router.post(
    "/v1/cards/batch",
    operation_id="list_cards",
    response_model=records.Cards,
    openapi_extra=CARDS.declared(),
)
async def list_cards(body: records.CardsBatch, database: CurrentDatabase) -> Response:
    """List the public cards of the accounts that exist, in request order, each once."""
    async with database.reader() as connection:
        cards = await store.find_cards(connection, body.distinct())
    return reply({"cards": cards}, headers=CARDS.headers(card["id"] for card in cards))


@router.get(
    "/v1/profile",
    operation_id="get_profile",
    response_model=records.Profile,
    responses=problems(NotFound),
    openapi_extra=PROFILE.declared(),
)
async def get_profile(viewer: CurrentViewer, database: CurrentDatabase) -> Response:
    """Read the viewer's own profile with addresses and devices."""
    async with database.snapshot() as connection:
        profile = _found(await store.find_profile(connection, viewer.account_id))
    return reply(profile, headers=PROFILE.of_viewer(viewer.account_id))


@router.patch(
    "/v1/profile",
    operation_id="change_profile",
    response_model=records.ProfileSaved,
    responses=problems(NotFound, Conflict),
    openapi_extra=invalidates("profile", "account"),
)
async def change_profile(
    body: records.ProfileChange,
    viewer: CurrentViewer,
    key: IdempotencyKey,
    database: CurrentDatabase,
) -> Response:
    """Change the viewer's profile; refused when `expected_revision` is not the stored one."""
    given = body.model_dump(exclude_unset=True)
    changes = {name: value for name, value in given.items() if name != "expected_revision"}

    async def effect(connection: AsyncConnection) -> Outcome:
        # The counter's row lock comes first: writes of one account happen one after another.
        revision, at = await next_revision(connection, viewer.account_id), now()
        stored = await store.find_revision(connection, viewer.account_id)
        if stored is None:
            raise NotFound
        if body.expected_revision not in (None, stored):
            raise Conflict
        await store.change_profile(connection, viewer.account_id, changes, revision, at)
        profile = _found(await store.find_profile(connection, viewer.account_id))
        saved = {"updated_at": to_wire(at), "revision": revision}
        return Outcome({"state": "SAVED", "profile": profile, **saved})

    call = KeyedCall(viewer.account_id, "change_profile", key, given)
    outcome = await once(database, call, effect)
    # Of what everybody sees of an account, only the name can be changed here.
    old = ("profile", "account") if "display_name" in changes else ("profile",)
    return outcome.reply(outdated(viewer.account_id, *old))


@router.post(
    "/v1/addresses",
    operation_id="add_address",
    status_code=201,
    response_model=records.AddressAdded,
    responses=problems(NotFound, TooManyAddresses),
    openapi_extra=invalidates("profile"),
)
async def add_address(
    body: records.NewAddress,
    viewer: CurrentViewer,
    key: IdempotencyKey,
    database: CurrentDatabase,
) -> Response:
    """Add an address to the viewer's account; it waits to be verified."""
    given = body.model_dump()

    async def effect(connection: AsyncConnection) -> Outcome:
        revision = await next_revision(connection, viewer.account_id)
        if await store.find_revision(connection, viewer.account_id) is None:
            raise NotFound
        if await store.count_addresses(connection, viewer.account_id) >= MOST_ADDRESSES:
            raise TooManyAddresses
        address = await store.add_address(connection, viewer.account_id, given, revision)
        stored = {name: address[name] for name in ("state", "updated_at", "revision")}
        return Outcome({**stored, "address": address}, status=201)

    call = KeyedCall(viewer.account_id, "add_address", key, given)
    outcome = await once(database, call, effect)
    return outcome.reply(outdated(viewer.account_id, "profile"))


@router.get(
    "/.well-known/jwks.json",
    operation_id="list_token_keys",
    response_model=records.JsonWebKeys,
    openapi_extra=TOKEN_KEYS.declared(),
)
async def list_token_keys(mint: CurrentMint) -> Response:
    """List the public keys that verify access tokens."""
    return reply(mint.public_keys(), headers=TOKEN_KEYS.headers())


def _found(profile: dict[str, Any] | None) -> dict[str, Any]:
    if profile is None:
        raise NotFound
    return profile
