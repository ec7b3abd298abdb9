"""Repeat-safe writes: key and effect share one transaction, so a kill keeps both or neither.

A refusal (any Problem raised by the effect) has no effect: it is rolled back and not remembered.
Failure policy: a repeat waits for the first call; past the lock timeout it gets
IdempotencyInProgress.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated, Any

import orjson
from fastapi import Depends, Request
from sqlalchemy import delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection
from starlette.responses import Response

from core_services.kit.availability import sql_state
from core_services.kit.clock import database_time, utc_now
from core_services.kit.database import Database
from core_services.kit.errors import (
    IdempotencyInProgress,
    IdempotencyKeyRequired,
    IdempotencyKeyReused,
)
from core_services.kit.tables import idempotency_keys

HEADER = "idempotency-key"
REPLAYED_HEADER = "idempotency-replayed"
KEEP = timedelta(days=7)
ANONYMOUS = "anonymous"

_VISIBLE = re.compile(r"[\x21-\x7e]{1,255}")
_LOCK_NOT_AVAILABLE = "55P03"


async def required_key(request: Request) -> str:
    """Return the idempotency key of a mutation; raises IdempotencyKeyRequired."""
    key = request.headers.get(HEADER, "")
    if not _VISIBLE.fullmatch(key):
        raise IdempotencyKeyRequired
    return key


IdempotencyKey = Annotated[str, Depends(required_key)]


@dataclass(frozen=True, slots=True)
class KeyedCall:
    """One intended write: who (account id or ANONYMOUS), which operation, its key and its input.

    `given` is the whole input without secrets; two calls with one key must have equal ones.
    """

    scope: str
    operation: str
    key: str
    given: Any

    def fingerprint(self) -> str:
        """Return the sha256 of the input as canonical JSON (sorted keys, no spaces)."""
        return hashlib.sha256(orjson.dumps(self.given, option=orjson.OPT_SORT_KEYS)).hexdigest()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an effect answers: JSON-ready body and status."""

    body: dict[str, Any]
    status: int = 200


@dataclass(frozen=True, slots=True)
class Answered:
    """What a write answered, as the bytes that were stored: a replay differs in none of them.

    `replayed` if an earlier call did the work.
    """

    content: bytes
    status: int
    replayed: bool = False

    @property
    def body(self) -> dict[str, Any]:
        """The content as JSON, for a route that sends something else."""
        found: dict[str, Any] = orjson.loads(self.content)
        return found

    def headers(self) -> dict[str, str]:
        """Return the header that tells a replay from a first answer."""
        return {REPLAYED_HEADER: "true"} if self.replayed else {}

    def reply(self, headers: Mapping[str, str]) -> Response:
        """Return the answer with these headers beside its own."""
        return Response(
            self.content, self.status, {**self.headers(), **headers}, "application/json"
        )


async def once(
    database: Database,
    call: KeyedCall,
    effect: Callable[[AsyncConnection], Awaitable[Outcome]],
) -> Answered:
    """Run `effect` in a transaction at most once for the call's key and return its answer.

    Raises IdempotencyKeyReused (same key, other input), IdempotencyInProgress, and whatever
    `effect` raises.
    """
    async with database.writer() as connection:
        if not await _claim(database, connection, call):
            return await _replay(connection, call)
        outcome = await effect(connection)
        content = orjson.dumps(outcome.body)
        await connection.execute(
            update(idempotency_keys)
            .where(*_same(call))
            .values(status=outcome.status, body=content.decode())
        )
        return Answered(content, outcome.status)


async def _claim(database: Database, connection: AsyncConnection, call: KeyedCall) -> bool:
    """Insert the key's row; False if it is there. Blocks while another transaction holds it."""
    insert = sqlite_insert if database.is_sqlite else postgresql_insert
    statement = (
        insert(idempotency_keys)
        .values(
            scope=call.scope,
            operation=call.operation,
            key=call.key,
            fingerprint=call.fingerprint(),
            status=0,
            body="",
            created_at=utc_now(),
        )
        .on_conflict_do_nothing()
        .returning(idempotency_keys.c.key)
    )
    try:
        return (await connection.execute(statement)).first() is not None
    except DBAPIError as failure:
        if sql_state(failure) == _LOCK_NOT_AVAILABLE:
            raise IdempotencyInProgress from failure
        raise


async def _replay(connection: AsyncConnection, call: KeyedCall) -> Answered:
    columns = idempotency_keys.c
    stored = (
        await connection.execute(
            select(columns.fingerprint, columns.status, columns.body).where(*_same(call))
        )
    ).one()
    if stored.fingerprint != call.fingerprint():
        raise IdempotencyKeyReused
    return Answered(stored.body.encode(), stored.status, replayed=True)


def _same(call: KeyedCall) -> tuple[Any, ...]:
    columns = idempotency_keys.c
    return (
        columns.scope == call.scope,
        columns.operation == call.operation,
        columns.key == call.key,
    )


async def forget_old_keys(database: Database) -> int:
    """Delete the keys older than KEEP and return how many; the kit calls it every hour."""
    async with database.writer() as connection:
        oldest = await database_time(connection) - KEEP
        found = await connection.execute(
            delete(idempotency_keys).where(idempotency_keys.c.created_at < oldest)
        )
        return found.rowcount
