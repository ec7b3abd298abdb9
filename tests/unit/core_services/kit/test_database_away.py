"""Whatever becomes of a database: what waits for it ends in time, with a code, and recovers by
itself; what was committed is there."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import event, text
from sqlalchemy.engine import make_url

from core_services.kit.database import Database
from core_services.kit.deadlines import begin_deadline
from core_services.kit.errors import DatabaseUnavailable, DeadlineSpent, Problem
from core_services.kit.revisions import current_revision, next_revision
from core_services.kit.tables import KIT_TABLES
from tests.harness.faults.fault import Fault, Kind
from tests.harness.faults.route import Route

ACCOUNT = "acc_00001"
# Far more than any deadline here, far less than any fault: what passed it did not end in time.
IN_TIME_S = 8.0


async def write(database: Database) -> int:
    """One effect."""
    async with database.writer() as connection:
        return await next_revision(connection, ACCOUNT)


async def read(database: Database) -> int:
    """How many effects were committed."""
    async with database.reader() as connection:
        return await current_revision(connection, ACCOUNT)


async def within(remaining_ms: int | None, work: Awaitable[object]) -> Problem | None:
    """What the work ends with for a caller who listens so long, None if it is well."""

    async def run() -> Problem | None:
        begin_deadline(None if remaining_ms is None else b"%d" % remaining_ms)
        try:
            async with asyncio.timeout(IN_TIME_S):
                await work
        except Problem as problem:
            return problem
        return None

    return await asyncio.create_task(run())


async def asleep(database: Database, seconds: float) -> None:
    """A statement that takes long (PostgreSQL)."""
    async with database.reader() as connection:
        await connection.execute(text(f"SELECT pg_sleep({seconds})"))


async def running(database: Database, what: str) -> int:
    """How many statements like this one PostgreSQL is at."""
    active = text(
        "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE :what"
        " AND datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with database.reader() as connection:
        return int((await connection.execute(active, {"what": what})).scalar_one())


@pytest_asyncio.fixture
async def postgres(postgres_url: str) -> AsyncIterator[Database]:
    """A PostgreSQL database holding the kit's two tables."""
    opened = Database(postgres_url, pool_size=4)
    async with opened.writer() as connection:
        await connection.run_sync(KIT_TABLES.create_all)
    yield opened
    await opened.close()


async def test_statement_ends_with_deadline(postgres: Database) -> None:
    """A caller who stops listening takes its statement along, on the server too."""
    assert isinstance(await within(200, asleep(postgres, 30)), DeadlineSpent)
    async with asyncio.timeout(IN_TIME_S):
        while await running(postgres, "SELECT pg_sleep%"):
            await asyncio.sleep(0.01)
    assert await within(None, read(postgres)) is None


async def test_statement_without_deadline_is_bounded(postgres_url: str) -> None:
    """Without a deadline a statement ends by the service's own limit."""
    bounded = Database(postgres_url, statement_timeout_s=0.2)
    assert isinstance(await within(None, asleep(bounded, 30)), DatabaseUnavailable)
    await bounded.close()


async def test_wait_for_a_lock_ends_with_deadline(database: Database) -> None:
    """A write that waits for its turn ends with its caller's deadline, and has no effect."""
    async with database.writer() as connection:
        await next_revision(connection, ACCOUNT)
        assert isinstance(await within(200, write(database)), DeadlineSpent)
    assert await read(database) == 1
    assert await write(database) == 2


async def test_wait_for_a_connection_ends_with_deadline(database_url: str) -> None:
    """Nor does a caller wait for a connection longer than it listens."""
    small = Database(database_url, pool_size=1, lock_timeout_s=30)
    async with small.reader() as connection:
        await connection.execute(text("SELECT 1"))
        assert isinstance(await within(200, small.ping()), DeadlineSpent)
    await small.ping()
    await small.close()


SLOW_COMMIT = (
    "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM pg_sleep(0.6); RETURN NULL; END $$",
    "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON revision_counters"
    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION slow()",
)


async def test_commit_is_not_cut(postgres: Database) -> None:
    """A COMMIT that was sent outlives the deadline: nobody would know what became of it."""
    async with postgres.writer() as connection:
        for statement in SLOW_COMMIT:
            await connection.execute(text(statement))
    started = time.monotonic()
    assert await within(300, write(postgres)) is None
    assert time.monotonic() - started > 0.5, "VOID: the commit took no longer than the deadline"
    assert await read(postgres) == 1


async def test_restart_costs_no_call(postgres: Database, postgres_url: str) -> None:
    """Connections that the server closed are replaced before they are used: not one call fails."""
    await postgres.close()
    opened: list[Any] = []
    event.listen(postgres.engine.sync_engine, "connect", lambda _, record: opened.append(record))
    await asyncio.gather(*(write(postgres) for _ in range(4)))
    before = [record.driver_connection for record in opened]
    other = Database(postgres_url)
    async with other.reader() as connection:
        killed = await connection.execute(
            text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
        )
        assert len(killed.all()) == len(before) > 0, "VOID: nothing was closed"
    async with asyncio.timeout(IN_TIME_S):
        while not all(connection.is_closed() for connection in before):
            await asyncio.sleep(0.01)
    failures = await asyncio.gather(*(within(None, read(postgres)) for _ in range(8)))
    assert failures == [None] * 8
    assert await read(postgres) == 4
    await other.close()


async def test_read_only_server_is_unavailable(postgres: Database, postgres_url: str) -> None:
    """A standby refuses writes with a code and still answers reads."""
    name = make_url(postgres_url).database
    async with postgres.writer() as connection:
        await connection.execute(
            text(f"ALTER DATABASE {name} SET default_transaction_read_only=on")
        )
    await postgres.close()
    assert isinstance(await within(None, write(postgres)), DatabaseUnavailable)
    assert await within(None, read(postgres)) is None


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.LATENCY, Kind.REFUSE])
async def test_spoilt_connection_ends_in_time(
    postgres: Database, postgres_url: str, kind: Kind
) -> None:
    """A server that is silent, half a minute slow or gone: reads and writes end by their deadline
    with a code, everything works again right after, and nothing that was acknowledged is lost."""
    async with spoilable(postgres_url) as (route, away):
        acked = await write(away)
        await route.set(Fault(kind, ms=30_000))
        works: list[Callable[[], Awaitable[object]]] = [lambda: read(away), lambda: write(away)]
        found = await asyncio.gather(*(within(300, works[n % 2]()) for n in range(8)))
        assert all(isinstance(one, DeadlineSpent | DatabaseUnavailable) for one in found), found
        assert route.counts.injected or kind is Kind.REFUSE, "VOID: nothing was spoilt"
        await route.set(Fault())
        assert await within(None, write(away)) is None
        assert await read(postgres) > acked


@asynccontextmanager
async def spoilable(url: str) -> AsyncIterator[tuple[Route, Database]]:
    """The database behind a proxy."""
    parts = make_url(url)
    route = Route("postgres", f"{parts.query['host']}/.s.PGSQL.5432")
    await route.open()
    there = f"postgresql+asyncpg://postgres@127.0.0.1:{route.port}/{parts.database}"
    away = Database(there, pool_size=4)
    try:
        yield route, away
    finally:
        await away.close()
        await route.close()


@pytest_asyncio.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An SQLite database holding the kit's two tables."""
    opened = Database(f"sqlite+aiosqlite:///{tmp_path}/one.db", lock_timeout_s=30)
    async with opened.writer() as connection:
        await connection.run_sync(KIT_TABLES.create_all)
    await write(opened)
    yield opened
    await opened.close()


@contextmanager
def locked_elsewhere(folder: Path) -> Iterator[None]:
    """Another process's transaction."""
    with closing(sqlite3.connect(folder / "one.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


async def test_file_locked_elsewhere(sqlite: Database, tmp_path: Path) -> None:
    """While another process writes, reads go on and writes end with their deadline."""
    with locked_elsewhere(tmp_path):
        found = await within(200, write(sqlite))
        assert isinstance(found, DeadlineSpent | DatabaseUnavailable)
        assert await within(200, read(sqlite)) is None
    assert await write(sqlite) == 2


def _pragma(database: Database, pragma: str) -> None:
    """Say it on every connection from now on."""

    @event.listens_for(database.engine.sync_engine, "checkout")
    def _say(connection: object, *_: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        cursor.execute(f"PRAGMA {pragma}")
        cursor.close()


async def test_read_only_file_is_unavailable(sqlite: Database) -> None:
    """A database that may only be read refuses writes with a code and answers reads."""
    _pragma(sqlite, "query_only=ON")
    failed = await within(None, write(sqlite))
    assert isinstance(failed, DatabaseUnavailable)
    assert getattr(failed.__cause__, "orig").sqlite_errorname == "SQLITE_READONLY"  # noqa: B009
    assert await within(None, read(sqlite)) is None


async def test_full_disk_is_unavailable(sqlite: Database) -> None:
    """A full disk refuses writes with a code, keeps what was committed, and takes writes again as
    soon as there is room."""
    _pragma(sqlite, "max_page_count=1")  # no more than there are

    async def grow() -> None:
        async with sqlite.writer() as connection:
            for number in range(20):
                await next_revision(connection, f"acc_{number}_{'x' * 4_000}")

    failed = await within(None, grow())
    assert isinstance(failed, DatabaseUnavailable)
    assert getattr(failed.__cause__, "orig").sqlite_errorname == "SQLITE_FULL"  # noqa: B009
    assert failed.headers == {"retry-after": "1"}
    assert await read(sqlite) == 1
    _pragma(sqlite, "max_page_count=100000")
    assert await within(None, grow()) is None
