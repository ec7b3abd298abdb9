"""Databases with the kit's tables, and the accounts app as a service to try the gate on."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest
import pytest_asyncio

from core_services.accounts.app import SERVICE
from core_services.accounts.settings import AccountsSettings
from core_services.kit.database import Database
from core_services.kit.migrations.run import upgrade
from core_services.kit.tables import KIT_TABLES
from tests.harness.callers import Caller, write_callers_file
from tests.harness.databases import database_url, postgres_url
from tests.harness.services import service_client

__all__ = ["database_url", "postgres_url"]


@pytest_asyncio.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database holding the kit's two tables, with short waits."""
    opened = Database(database_url, pool_size=24, lock_timeout_s=3)
    async with opened.writer() as connection:
        await connection.run_sync(KIT_TABLES.create_all)
    yield opened
    await opened.close()


@pytest.fixture(scope="session")
def caller() -> Caller:
    """The one BFF the service under test knows."""
    return Caller.new()


@pytest.fixture
def settings(tmp_path: Path, caller: Caller) -> AccountsSettings:
    """Settings of a service on an SQLite file that knows `caller`."""
    return AccountsSettings(
        database_url=f"sqlite+aiosqlite:///{tmp_path}/accounts.db",
        callers_file=write_callers_file(tmp_path / "callers.json", [caller]),
        traces_file=tmp_path / "traces.jsonl",
    )


@pytest_asyncio.fixture
async def client(settings: AccountsSettings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of the migrated, empty service."""
    opened = Database(settings.database_url)
    await upgrade(opened, SERVICE.versions)
    await opened.close()
    async with service_client(SERVICE, settings) as opened_client:
        yield opened_client
