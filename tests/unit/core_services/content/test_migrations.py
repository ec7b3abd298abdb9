"""The migrations of content: what they build is what the queries expect, and they can be undone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect

from core_services.content.app import SERVICE
from core_services.content.tables import metadata
from core_services.kit.database import Database
from core_services.kit.migrations.run import current_version, downgrade, newest_version, upgrade
from core_services.kit.tables import KIT_TABLES
from tests.unit.core_services.content.seeded import new_database_url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, tmp_path: Path
) -> Iterator[str]:
    """An empty database for one test."""
    yield from new_database_url(pytestconfig, request.param, tmp_path)


def _differences(connection: Connection) -> list[object]:
    wanted = MetaData()
    for source in (metadata, KIT_TABLES):
        for table in source.tables.values():
            table.to_metadata(wanted)
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, wanted))


async def test_migrations_build_the_tables(url: str) -> None:
    """At the newest version the database has exactly the tables, columns and indices in use."""
    database = Database(url)
    await upgrade(database, SERVICE.versions)
    assert await current_version(database) == newest_version(SERVICE.versions)
    async with database.reader() as connection:
        assert await connection.run_sync(_differences) == []
    await database.close()


async def test_migrations_can_be_undone(url: str) -> None:
    """Down leaves nothing behind, and up works again after it."""
    database = Database(url)
    await upgrade(database, SERVICE.versions)
    await downgrade(database, SERVICE.versions)
    async with database.reader() as connection:
        left = await connection.run_sync(lambda sync: inspect(sync).get_table_names())
    assert set(left) <= {"alembic_version"}
    await upgrade(database, SERVICE.versions)
    assert await current_version(database) == newest_version(SERVICE.versions)
    await database.close()
