"""The accounts service with its demonstration data, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from core_services.accounts.app import SERVICE
from core_services.accounts.settings import AccountsSettings
from core_services.kit.app import open_database
from core_services.kit.migrations.run import upgrade
from core_services.kit.seeding import load_seed
from tests.harness.callers import Caller, write_callers_file
from tests.harness.databases import KINDS, database_url, fresh_database, postgres_url
from tests.harness.services import service_client

__all__ = ["database_url", "postgres_url"]

_fresh_keys = count()


@dataclass
class Accounts:
    """A client of the service that signs its calls; every test uses an account of its own."""

    client: httpx2.AsyncClient
    caller: Caller
    settings: AccountsSettings
    _credential: dict[str, str] = field(default_factory=dict)

    async def call(
        self,
        method: str,
        path: str,
        *,
        viewer: str | None = None,
        key: str | None = None,
        **given: Any,
    ) -> httpx2.Response:
        """Send one call for a viewer; a mutation gets a fresh key unless one is given."""
        fresh = None if method == "GET" else f"key-{next(_fresh_keys)}"
        headers = self.caller.headers("accounts", viewer, key or fresh)
        return await self.client.request(method, path, headers=headers, **given)

    async def profile(self, viewer: str) -> dict[str, Any]:
        """Read the viewer's profile."""
        response = await self.call("GET", "/v1/profile", viewer=viewer)
        assert response.status_code == 200
        found: dict[str, Any] = response.json()
        return found


@pytest.fixture(scope="module", params=KINDS)
def settings(
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[AccountsSettings]:
    """Settings of a service on a fresh database of each kind."""
    folder = tmp_path_factory.mktemp("accounts")
    with fresh_database(request.param, pytestconfig, folder) as url:
        yield AccountsSettings(database_url=url, callers_file=folder / "callers.json")


@pytest_asyncio.fixture(scope="module")
async def service(settings: AccountsSettings) -> AsyncIterator[Accounts]:
    """The running service, migrated and filled."""
    caller = Caller.new()
    assert settings.callers_file is not None
    write_callers_file(Path(settings.callers_file), [caller])
    database = open_database(settings)
    await upgrade(database, SERVICE.versions)
    assert await load_seed(database, SERVICE.seed())
    await database.close()
    async with service_client(SERVICE, settings) as client:
        yield Accounts(client, caller, settings)
