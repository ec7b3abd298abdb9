"""Notifications on its seeded database, once on SQLite and once on PostgreSQL."""

from collections.abc import AsyncIterator, Iterator

import pytest

from core_services.notifications.app import SERVICE
from tests.unit.core_services.content.seeded import Seeded, new_database_url, seeded_service


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def inbox_url(
    request: pytest.FixtureRequest,
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """An empty database for the session."""
    folder = tmp_path_factory.mktemp("notifications-data")
    yield from new_database_url(pytestconfig, request.param, folder)


@pytest.fixture(scope="session")
async def inbox(inbox_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Seeded]:
    """The service on its demo data."""
    folder = tmp_path_factory.mktemp("notifications")
    async with seeded_service(SERVICE, inbox_url, folder) as seeded:
        yield seeded
