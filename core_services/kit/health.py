"""The three public paths of every service: alive, ready, metrics."""

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from core_services.kit.database import Database
from core_services.kit.errors import DatabaseUnavailable, Overloaded, problems
from core_services.kit.migrations.run import current_version, newest_version
from core_services.kit.records import Reply, reply


class Health(Reply):
    """The state of the process."""

    status: str


class NotMigrated(DatabaseUnavailable):
    """The database answers but is not at the newest version."""

    detail = "The database is not migrated; run `python -m core_services migrate NAME`."


class Draining(Overloaded):
    """The process was told to stop and still answers what comes."""

    code = "DRAINING"
    detail = "Call another process of this service."


async def database_of(request: Request) -> Database:
    """Return this process's database."""
    database: Database = request.app.state.database
    return database


CurrentDatabase = Annotated[Database, Depends(database_of)]


def health_routes(versions: Path) -> APIRouter:
    """Return /healthz, /readyz and /metrics of a service with these migrations."""
    router = APIRouter(tags=["health"])
    newest = newest_version(versions)

    @router.get("/healthz", operation_id="get_health", response_model=Health)
    async def healthz() -> Response:
        """The process runs; nothing it depends on is asked."""
        return reply({"status": "ok"})

    @router.get(
        "/readyz",
        operation_id="get_readiness",
        response_model=Health,
        responses=problems(DatabaseUnavailable, Draining),
    )
    async def readyz(request: Request, database: CurrentDatabase) -> Response:
        """The database answers and stands at the newest version, and the process is to stay."""
        if request.app.state.draining:
            raise Draining
        if await current_version(database) != newest:
            raise NotMigrated
        return reply({"status": "ready"})

    @router.get("/metrics", operation_id="get_metrics", response_class=MetricsText)
    async def metrics(request: Request) -> Response:
        """Counts and times in the Prometheus text format."""
        return MetricsText(request.app.state.metrics.exposition())

    return router


class MetricsText(Response):
    """Prometheus text exposition format 0.0.4."""

    media_type = "text/plain; version=0.0.4; charset=utf-8"
