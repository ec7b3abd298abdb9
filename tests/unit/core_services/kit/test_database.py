"""Readers, snapshots and writers, and the revisions that live on them, on both databases."""

import asyncio

import pytest
from sqlalchemy import column, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.kit.database import Database, among
from core_services.kit.errors import DatabaseUnavailable
from core_services.kit.revisions import current_revision, next_revision
from core_services.kit.tables import revision_counters


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
    with pytest.raises(ZeroDivisionError):
        async with database.writer() as connection:
            await next_revision(connection, "acc_00001")
            raise ZeroDivisionError
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


async def test_foreign_keys_are_enforced(database: Database) -> None:
    """SQLite runs with the pragmas that make it keep its promises."""
    if not database.is_sqlite:
        pytest.skip("pragmas are SQLite's")
    async with database.reader() as connection:
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
    missing = select(column("x")).select_from(text("no_such_table"))
    with pytest.raises(DBAPIError):
        async with database.snapshot() as connection:
            await connection.execute(missing)
