"""Sign-in attempts: how many of them are evaluated, whoever makes them and from wherever.

Each attempt of a handle is charged in the database, before its password is looked at: at most
AT_ONCE in a row and then one every EVERY_S, so never more than ten in any minute, over all
processes, addresses, devices and batches. A handle nobody has is charged like any other one. What
succeeds is given back: who knows the password does not guess. Equal attempts at the same moment are
one.
Failure policy: without the database nothing is evaluated (DatabaseUnavailable).
"""

import asyncio
import hashlib
import math
import secrets

from sqlalchemy import bindparam, case, delete, select, update
from sqlalchemy.dialects.postgresql import insert as postgresql_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from core_services.accounts import store
from core_services.accounts.passwords import password_matches
from core_services.accounts.tables import sign_in_attempts
from core_services.kit.clock import now_ms
from core_services.kit.database import Database
from core_services.kit.errors import InvalidCredentials, RateLimited
from core_services.kit.places import Places

AT_ONCE, EVERY_S = 5, 12
MOST_AT_WORK = 32
"""Hashing a password takes tens of milliseconds of a core: more of them wait for nothing."""
_EVERY_MS = EVERY_S * 1000
_SLACK_MS = (AT_ONCE - 1) * _EVERY_MS

_columns = sign_in_attempts.c
_LEFT = select(_columns.free_at - now_ms()).where(_columns.handle == bindparam("handle"))


class Attempts:
    """The attempts of one process that are being evaluated; one object a process."""

    def __init__(self) -> None:
        self._places = Places(MOST_AT_WORK)
        self._secret = secrets.token_bytes(32)  # what is remembered of a password tells nobody
        self._running: dict[bytes, asyncio.Task[store.Credentials]] = {}

    async def evaluate(self, database: Database, handle: str, password: str) -> store.Credentials:
        """Return the account whose handle and password these are.

        Raises InvalidCredentials, RateLimited (for a handle nobody has too) and Overloaded.
        """
        given = f"{len(handle)} {handle} {password}".encode()
        digest = hashlib.blake2b(given, key=self._secret).digest()
        running = self._running.get(digest)
        if running is None:
            running = asyncio.create_task(self._evaluate(database, handle, password))
            self._running[digest] = running
            running.add_done_callback(lambda done: self._forget(digest, done))
        return await asyncio.shield(running)

    def _forget(self, digest: bytes, done: "asyncio.Task[store.Credentials]") -> None:
        del self._running[digest]
        if not done.cancelled():
            done.exception()  # whoever asked may have left

    async def _evaluate(self, database: Database, handle: str, password: str) -> store.Credentials:
        with self._places.one(public=False):
            await charge(database, handle)
            async with database.reader() as connection:
                known = await store.find_credentials(connection, handle)
            if not await password_matches(password, known.password_hash if known else None):
                raise InvalidCredentials
            assert known is not None  # noqa: S101 - password_matches is False without an account
            await give_back(database, handle)
            return known


async def charge(database: Database, handle: str) -> None:
    """Take one attempt of this handle; raises RateLimited when none is left for the moment."""
    name = name_of(handle)
    async with database.reader() as connection:
        # Most refusals write nothing: who guesses fast keeps nobody else from writing.
        _refuse_if_spent((await connection.execute(_LEFT, {"handle": name})).scalar_one_or_none())
    insert = sqlite_insert if database.is_sqlite else postgresql_insert
    later = case((_columns.free_at > now_ms(), _columns.free_at), else_=now_ms()) + _EVERY_MS
    statement = (
        insert(sign_in_attempts)
        .values(handle=name, free_at=now_ms() + _EVERY_MS)
        .on_conflict_do_update(
            index_elements=[_columns.handle],
            set_={"free_at": later},
            where=_columns.free_at <= now_ms() + _SLACK_MS,
        )
        .returning(_columns.free_at)
    )
    async with database.writer() as connection:
        if (await connection.execute(statement)).first() is None:  # others came first meanwhile
            found = await connection.execute(_LEFT, {"handle": name})
            _refuse_if_spent(found.scalar_one_or_none())


def _refuse_if_spent(left_ms: int | None) -> None:
    if left_ms is not None and left_ms > _SLACK_MS:
        raise RateLimited(math.ceil((left_ms - _SLACK_MS) / 1000))


async def give_back(database: Database, handle: str) -> None:
    """Return the attempt that turned out to be no guess."""
    async with database.writer() as connection:
        await connection.execute(
            update(sign_in_attempts)
            .where(_columns.handle == name_of(handle))
            .values(free_at=_columns.free_at - _EVERY_MS)
        )


async def forget_attempts(database: Database) -> int:
    """Delete what limits nobody any more and return how many; the service calls it every minute."""
    async with database.writer() as connection:
        found = await connection.execute(
            delete(sign_in_attempts).where(_columns.free_at <= now_ms())
        )
        return found.rowcount


def name_of(handle: str) -> str:
    """What stands for a handle in the table: some people type a password in its place."""
    return hashlib.sha256(handle.encode()).hexdigest()
