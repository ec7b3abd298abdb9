"""The migrations of accounts, and the demonstration data that fills them."""

import asyncio
import hashlib

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect, select

from core_services.accounts.app import SERVICE
from core_services.accounts.seed import ACCOUNTS, seed_tables
from core_services.accounts.tables import ACCOUNT_TABLES, accounts
from core_services.kit.database import Database
from core_services.kit.migrations.run import current_version, downgrade, newest_version, upgrade
from core_services.kit.seeding import load_seed
from core_services.kit.tables import KIT_TABLES


def tables_of(connection: Connection) -> set[str]:
    """Return the tables that exist, Alembic's own left out."""
    return set(inspect(connection).get_table_names()) - {"alembic_version"}


def differences(connection: Connection) -> list[object]:
    """Return what the migrated database and the declared tables disagree on."""
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    declared = MetaData()
    for table in (*ACCOUNT_TABLES.sorted_tables, *KIT_TABLES.sorted_tables):
        table.to_metadata(declared)
    return list(compare_metadata(context, declared))


async def test_up_down_up_again(database_url: str) -> None:
    """Migrations lead up, back to nothing, and up again, to exactly the declared tables."""
    database = Database(database_url)
    for _ in range(2):
        await upgrade(database, SERVICE.versions)
        assert await current_version(database) == newest_version(SERVICE.versions)
        async with database.snapshot() as connection:
            assert await connection.run_sync(differences) == []
        await downgrade(database, SERVICE.versions)
        async with database.snapshot() as connection:
            assert await connection.run_sync(tables_of) == set()
        assert await current_version(database) is None
    await database.close()


async def test_parallel_upgrades_are_one(database_url: str) -> None:
    """Several processes may migrate at once; the later ones find the work done."""
    databases = [Database(database_url) for _ in range(3)]
    await asyncio.gather(*(upgrade(database, SERVICE.versions) for database in databases))
    assert await current_version(databases[0]) == newest_version(SERVICE.versions)
    for database in databases:
        await database.close()


async def test_failed_migration_leaves_nothing(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A migration that fails half way leaves no table behind, on SQLite too."""
    database = Database(database_url)
    monkeypatch.setattr("alembic.op.create_index", _fail)
    with pytest.raises(ZeroDivisionError):
        await upgrade(database, SERVICE.versions)
    async with database.snapshot() as connection:
        assert await connection.run_sync(tables_of) == set()
    await database.close()


def _fail(*_: object, **__: object) -> None:
    raise ZeroDivisionError


def fingerprint() -> str:
    """Return a digest of every seeded row."""
    digest = hashlib.sha256()
    for seed in seed_tables():
        for row in seed.rows():
            digest.update(repr(sorted(row.items())).encode())
    return digest.hexdigest()


def test_seed_is_deterministic() -> None:
    """Two makings of the seed agree in every row."""
    from core_services.accounts import seed

    first = fingerprint()
    seed._all_addresses.cache_clear()
    seed._all_devices.cache_clear()
    assert fingerprint() == first


def test_seed_is_varied() -> None:
    """The seed has what hurts: missing avatars and bios, right-to-left names, emoji, locales."""
    rows = [row for seed in seed_tables() if seed.table is accounts for row in seed.rows()]
    assert len(rows) == ACCOUNTS == 2500
    assert len({row["handle"] for row in rows}) == ACCOUNTS
    for name in ("avatar", "bio", "phone"):
        missing = sum(row[name] is None for row in rows)
        assert 100 < missing < 1500, name
    assert len({row["locale"] for row in rows}) >= 8
    names = "".join(row["display_name"] for row in rows)
    assert any("\u0590" < letter < "\u06ff" for letter in names)
    assert "🦊" in names
    assert max(len(row["display_name"]) for row in rows) > 60


async def test_seed_loads_once(database_url: str) -> None:
    """Loading fills an empty database completely and leaves a filled one alone."""
    database = Database(database_url)
    await upgrade(database, SERVICE.versions)
    told: list[tuple[str, int, int]] = []
    assert await load_seed(database, seed_tables(), lambda *step: told.append(step))
    assert {step[0] for step in told if step[1] == step[2]} == {
        seed.table.name for seed in seed_tables()
    }
    assert not await load_seed(database, seed_tables())
    async with database.reader() as connection:
        assert len((await connection.execute(select(accounts.c.id))).all()) == ACCOUNTS
    await database.close()


async def test_interrupted_seed_leaves_nothing(database_url: str) -> None:
    """A load that is broken off half way leaves the tables empty."""
    database = Database(database_url)
    await upgrade(database, SERVICE.versions)

    def stop(label: str, done: int, total: int) -> None:
        if label == "devices":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await load_seed(database, seed_tables(), stop)
    async with database.reader() as connection:
        assert (await connection.execute(select(accounts.c.id))).all() == []
    assert await load_seed(database, seed_tables())
    await database.close()
