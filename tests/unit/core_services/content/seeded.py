"""A core service on its seeded database, in this process, for content and notifications.

One database for each kind and session: tests that write pick an account of their own.
"""

import re
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2
import pytest
from pydantic import BaseModel
from sqlalchemy import event
from sqlalchemy.engine import Engine

from core_services.kit.app import open_database
from core_services.kit.database import Database
from core_services.kit.migrations.run import upgrade
from core_services.kit.seeding import load_seed
from core_services.kit.service import Service
from tests.harness.callers import Caller, write_callers_file
from tests.harness.databases import shared_postgres
from tests.harness.services import service_client

Shape = TypeVar("Shape", bound=BaseModel)


@dataclass(frozen=True)
class Seeded:
    """A running service: its client, its database, and a caller it knows."""

    service: Service
    client: httpx2.AsyncClient
    database: Database
    caller: Caller

    async def call(
        self, method: str, path: str, viewer: str | None = None, key: str | None = None, **more: Any
    ) -> httpx2.Response:
        """Send one request as the known caller; `more` is json, params or content."""
        headers = self.caller.headers(self.service.name, viewer, key) | more.pop("headers", {})
        return await self.client.request(method, f"/v1{path}", headers=headers, **more)

    async def read(
        self, shape: type[Shape], method: str, path: str, viewer: str | None = None, **more: Any
    ) -> Shape:
        """Send one request that must answer 200 with exactly this shape."""
        answer = await self.call(method, path, viewer, **more)
        assert answer.status_code == 200, answer.text
        return shape.model_validate_json(answer.content, strict=True)


def new_database_url(config: pytest.Config, kind: str, folder: Path) -> Iterator[str]:
    """Yield the URL of an empty database of this kind, and remove it afterwards."""
    if kind == "sqlite":
        yield f"sqlite+aiosqlite:///{folder}/service.db"
        return
    server = shared_postgres(config)
    name = server.new_database()
    yield server.url(name)
    server.drop(name)


@asynccontextmanager
async def seeded_service(service: Service, url: str, folder: Path) -> AsyncIterator[Seeded]:
    """Migrate and seed the database, and give the service on it."""
    caller = Caller.new()
    callers_file = write_callers_file(folder / "callers.json", [caller])
    settings = service.settings(database_url=url, callers_file=callers_file)
    database = open_database(settings)
    await upgrade(database, service.versions)
    assert await load_seed(database, service.seed())
    async with service_client(service, settings) as client:
        yield Seeded(service, client, database, caller)
    await database.close()


@dataclass(frozen=True)
class Statement:
    """One SQL statement as the driver got it."""

    text: str
    parameters: Any


@contextmanager
def statements() -> Iterator[list[Statement]]:
    """Collect the SQL that any engine runs meanwhile, without what begins and ends transactions."""
    seen: list[Statement] = []

    def note(_: Any, __: Any, text: str, parameters: Any, *___: Any) -> None:
        if not text.startswith("BEGIN"):
            seen.append(Statement(text, parameters))

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


async def scanned(database: Database, statement: Statement, tables: Collection[str]) -> list[str]:
    """The lines of the database's plan that read one of the tables from end to end."""
    explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
    async with database.snapshot() as connection:
        if not database.is_sqlite:
            # A small table is read whole although an index fits: ask what a large one would do.
            await connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = await connection.exec_driver_sql(explain + statement.text, statement.parameters)
        lines = [str(row[-1]).strip() for row in plan]
    whole = re.compile(rf"(?:^SCAN|Seq Scan on) (?:{'|'.join(tables)})\b(?! USING)")
    return [line for line in lines if whole.search(line)]
