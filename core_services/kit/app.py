"""Composition of a service.

Gate, routes, problem handlers, database and clean-up around one FastAPI app.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from joserfc.jwk import ECKey
from sqlalchemy.exc import SQLAlchemyError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from core_services.kit.availability import cause_of
from core_services.kit.callers import CallerCheck, facts_of
from core_services.kit.database import Database
from core_services.kit.errors import (
    BadInput,
    BadRequest,
    DatabaseUnavailable,
    Internal,
    MethodNotAllowed,
    NotFound,
    Problem,
)
from core_services.kit.gate import PUBLIC_PATHS, Gate, GateParts
from core_services.kit.health import health_routes
from core_services.kit.idempotency import forget_old_keys
from core_services.kit.openapi import openapi_document
from core_services.kit.places import Places
from core_services.kit.service import Chore, Service
from core_services.kit.settings import ServiceSettings, SettingsError
from core_services.kit.telemetry import Metrics, Traces
from core_services.kit.tokens import read_public_keys

FORGET_KEYS = Chore("old idempotency keys deleted", 3600, forget_old_keys)
_FIRST_S = 60
_log = structlog.get_logger("core_services")


class ServiceApp(FastAPI):
    """A FastAPI app whose OpenAPI document includes what the gate does."""

    public_paths: frozenset[str] = PUBLIC_PATHS

    def openapi(self) -> dict[str, Any]:
        """Return the complete document, made once."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self, self.public_paths)
        return self.openapi_schema


def open_database(settings: ServiceSettings) -> Database:
    """Return the database of these settings; it connects at the first use."""
    return Database(
        settings.database_url,
        pool_size=settings.database_pool_size,
        lock_timeout_s=settings.lock_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
    )


def build_app(service: Service, settings: ServiceSettings) -> ServiceApp:
    """Return the service's app; raises SettingsError for files that are missing or unusable."""
    settings.check_files()
    metrics, traces = Metrics(service.name), Traces(service.name, settings)
    app = ServiceApp(
        title=f"Facet {service.name}",
        version="1.0.0",
        description=service.summary,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=partial(_lifespan, chores=(FORGET_KEYS, *service.chores)),
        exception_handlers={
            Problem: _send_problem,
            HTTPException: _send_http_exception,
            RequestValidationError: _send_bad_input,
        },
    )
    app.public_paths = PUBLIC_PATHS | service.public_paths
    callers = CallerCheck(service.name, _known_callers(settings))
    app.state.database = open_database(settings)
    app.state.metrics, app.state.traces, app.state.draining = metrics, traces, False
    places = Places(settings.max_in_flight)
    parts = GateParts(callers, metrics, traces, places, app.public_paths)
    app.add_middleware(Gate, parts=parts)
    app.include_router(service.router)
    app.include_router(health_routes(service.versions))
    if service.start is not None:
        service.start(app, settings)
    return app


def _known_callers(settings: ServiceSettings) -> Mapping[str, ECKey]:
    if settings.callers_file is None:  # development only, see ServiceSettings.check_files
        return {}
    try:
        return read_public_keys(settings.callers_file)
    except (OSError, ValueError) as failure:
        raise SettingsError(f"{settings.variable('callers_file')}: {failure}") from failure


@asynccontextmanager
async def _lifespan(app: FastAPI, chores: tuple[Chore, ...]) -> AsyncIterator[None]:
    doing = [asyncio.create_task(_do(chore, app.state.database)) for chore in chores]
    try:
        yield
    finally:
        for task in doing:
            task.cancel()
        await asyncio.gather(*doing, return_exceptions=True)
        await app.state.database.close()
        await asyncio.to_thread(app.state.traces.flush)


async def _do(chore: Chore, database: Database) -> None:
    """Again and again; database down or not migrated: log it, try at the next turn."""
    # Not at once: a start has better things to do. Not after an hour: processes may live shorter.
    await asyncio.sleep(_FIRST_S)
    while True:
        try:
            _log.info(chore.name, count=await chore.run(database))
        except (DatabaseUnavailable, SQLAlchemyError) as failure:
            _log.warning(f"not done: {chore.name}", cause=type(failure).__name__)
        await asyncio.sleep(chore.every_s)


async def _send_problem(request: Request, problem: Exception) -> Response:
    if isinstance(problem, DatabaseUnavailable):
        facts = facts_of(request.scope)
        _log.warning("database unavailable", request_id=facts.request_id, **cause_of(problem))
    return problem.response() if isinstance(problem, Problem) else Internal().response()


async def _send_http_exception(_: Request, failure: Exception) -> Response:
    """Answer what Starlette refuses itself; the header allow of a 405 is kept."""
    status = failure.status_code if isinstance(failure, HTTPException) else 500
    headers = failure.headers if isinstance(failure, HTTPException) else None
    kind = {400: BadRequest, 404: NotFound, 405: MethodNotAllowed}.get(status, Internal)
    return kind(headers=headers).response()


async def _send_bad_input(_: Request, failure: Exception) -> Response:
    """Answer a validation failure with its fields, never with the values."""
    found = failure.errors() if isinstance(failure, RequestValidationError) else []
    if any(error["type"] == "json_invalid" for error in found):
        return BadRequest("Send a body that is valid JSON.").response()
    errors = [
        {"field": _field_of(error["loc"]), "code": error["type"], "message": error["msg"]}
        for error in found[:20]
    ]
    return BadInput(errors=errors).response()


def _field_of(location: tuple[int | str, ...]) -> str:
    # Unknown keys come from the caller: shortened, and lone surrogates made writable.
    text = ".".join(str(part)[:64] for part in location[1:]) or str(location[0])
    return text.encode("utf-8", "backslashreplace").decode()
