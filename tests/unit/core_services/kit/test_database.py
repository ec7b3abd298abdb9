"""Readers, snapshots and writers, and the revisions that live on them, on both databases."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiosqlite
import pytest
import pytest_asyncio
from sqlalchemy import Select, literal_column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.kit.database import Database, among
from core_services.kit.errors import DatabaseUnavailable
from core_services.kit.revisions import current_revision, next_revision
from core_services.kit.tables import KIT_TABLES, revision_counters


@pytest_asyncio.fixture
async def sqlite(tmp_path: Path) -> AsyncIterator[Database]:
    """An SQLite database holding the kit's two tables."""
    opened = Database(f"sqlite+aiosqlite:///{tmp_path}/one.db", lock_timeout_s=3)
    async with opened.writer() as connection:
        await connection.run_sync(KIT_TABLES.create_all)
    yield opened
    await opened.close()


async def effects(database: Database) -> int:
    """Return the committed revision of the first account."""
    async with database.reader() as connection:
        return await current_revision(connection, "acc_00001")


async def test_revisions_rise_without_gaps(database: Database) -> None:
    """Parallel writes of one account get consecutive revisions, and accounts count apart."""

    async def write(account_id: str) -> int:
        async with database.writer() as connection:
            return await next_revision(connection, account_id)

    revisions = await asyncio.gather(*(write("acc_00001") for _ in range(10)), write("acc_00002"))
    assert sorted(revisions[:-1]) == list(range(1, 11))
    assert revisions[-1] == 1


async def test_writer_rolls_back_on_error(database: Database) -> None:
    """An exception inside a writer undoes everything it wrote."""

    async def write_and_fail() -> None:
        async with database.writer() as connection:
            await next_revision(connection, "acc_00001")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await write_and_fail()
    assert await effects(database) == 0


async def test_snapshot_sees_one_instant(database: Database) -> None:
    """Reads of one snapshot agree with each other while a write commits between them."""
    async with database.writer() as connection:
        await next_revision(connection, "acc_00001")
    async with database.snapshot() as connection:
        before = await current_revision(connection, "acc_00001")
        async with database.writer() as writing:
            await next_revision(writing, "acc_00001")
        assert await current_revision(connection, "acc_00001") == before == 1
    assert await effects(database) == 2


async def test_foreign_keys_are_enforced(sqlite: Database) -> None:
    """SQLite runs with the pragmas that make it keep its promises."""
    async with sqlite.reader() as connection:
        found = [
            (await connection.execute(text(f"PRAGMA {name}"))).scalar()
            for name in ("foreign_keys", "journal_mode", "synchronous", "busy_timeout")
        ]
    assert found == [1, "wal", 2, 3000]


async def test_among_finds_any_number(database: Database) -> None:
    """One statement finds the rows of no id, of some ids and of hostile ones."""
    found = select(revision_counters.c.account_id).where(
        among(revision_counters.c.account_id, "ids")
    )
    async with database.writer() as connection:
        for account_id in ("acc_1", "acc_2"):
            await next_revision(connection, account_id)

    async def ask(connection: AsyncConnection, *ids: str) -> set[str]:
        return {row[0] for row in await connection.execute(found, {"ids": list(ids)})}

    async with database.reader() as connection:
        assert await ask(connection) == set()
        assert await ask(connection, "acc_2", "acc_1", "acc_9") == {"acc_1", "acc_2"}
        hostile = ("'; DROP TABLE revision_counters; --", '"]', "{acc_1}", "\\", "🦊" * 30)
        assert await ask(connection, *hostile, "acc_1") == {"acc_1"}


async def test_among_uses_the_index(database: Database) -> None:
    """Looking up ids is a search by index on both databases, never a scan of the table."""
    found = select(revision_counters.c.n).where(among(revision_counters.c.account_id, "ids"))
    compiled = str(found.compile(database.engine.sync_engine))
    async with database.snapshot() as connection:
        if database.is_sqlite:
            plan = await connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", ("[]",))
        else:
            await connection.execute(text("SET LOCAL enable_seqscan = off"))
            literal = compiled.replace("%(ids)s::TEXT[]", "$1").replace("$1", "'{a,b}'")
            plan = await connection.exec_driver_sql(f"EXPLAIN {literal}")
        steps = " / ".join(str(row) for row in plan)
    assert ("SEARCH" if database.is_sqlite else "Index Cond") in steps
    assert "SCAN revision_counters" not in steps


async def test_sqlite_reads_stay_on_loop(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads on SQLite hand nothing to the driver's thread; writes do, from BEGIN to COMMIT."""
    handed: list[str] = []
    real = aiosqlite.Connection._execute

    async def noting(self: aiosqlite.Connection, fn: Any, *args: Any, **more: Any) -> Any:
        handed.append(str(args[0]) if args else fn.__name__)
        return await real(self, fn, *args, **more)  # type: ignore[no-untyped-call]

    monkeypatch.setattr(aiosqlite.Connection, "_execute", noting)
    async with sqlite.snapshot() as connection:
        await current_revision(connection, "acc_00001")
    async with sqlite.reader() as connection:
        await current_revision(connection, "acc_00001")
    assert handed == []
    async with sqlite.writer() as connection:
        await next_revision(connection, "acc_00001")
    assert (handed[0], handed[-1]) == ("BEGIN IMMEDIATE", "commit")


async def test_lock_wait_is_bounded(database_url: str) -> None:
    """A writer that cannot get its turn in time says that the database is not available."""
    first, second = (Database(database_url, lock_timeout_s=0.2) for _ in range(2))
    async with first.writer() as connection:
        await connection.run_sync(revision_counters.metadata.create_all)
        await next_revision(connection, "acc_1")
    async with first.writer() as connection:
        await next_revision(connection, "acc_1")
        with pytest.raises(DatabaseUnavailable):
            async with second.writer() as other:
                await next_revision(other, "acc_1")
    await first.close()
    await second.close()


async def test_full_pool_is_unavailable(database_url: str) -> None:
    """When no connection becomes free in time, the call ends instead of hanging."""
    small = Database(database_url, pool_size=1, lock_timeout_s=0.2)
    async with small.reader() as connection:
        await connection.execute(text("SELECT 1"))
        with pytest.raises(DatabaseUnavailable):
            await small.ping()
    await small.ping()
    await small.close()


async def test_own_errors_pass_through(database: Database) -> None:
    """A wrong statement stays a wrong statement: only absence becomes DatabaseUnavailable."""
    missing: Select[Any] = select(literal_column("x")).select_from(text("no_such_table"))
    with pytest.raises(DBAPIError):
        async with database.snapshot() as connection:
            await connection.execute(missing)
