"""What a failure of the database means to the operator, in one line: where, cause and way out.

It holds no password: of the URL only host, port, database name or file are shown.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

import asyncpg  # type: ignore[import-untyped]
from alembic.util import CommandError
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from core_services.kit.errors import Problem

# What connecting, migrating and seeding raise that is the database's and not ours.
FAILURES = (
    Problem,
    SQLAlchemyError,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    CommandError,
    OSError,
)
_UNUSABLE_FILE = {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_ERROR}
_NO_SUCH_DATABASE = "3D000"
_WRONG_USER = "28"


@dataclass(frozen=True)
class Explained:
    """`content_unusable`: the database can be reached, but holds what this service cannot use."""

    message: str
    content_unusable: bool = False


def explain(url: str, variable: str, failure: BaseException) -> Explained:
    """Explain a failure of the database at `url`, which the setting `variable` names."""
    parts = make_url(url)
    cause = _root(failure)
    if isinstance(cause, CommandError):
        return Explained(
            f"{_place(parts)} is not at a version this code knows ({_line(cause)}); run the code "
            f"that migrated it, or correct {variable}",
            content_unusable=True,
        )
    if parts.drivername.startswith("sqlite"):
        return _sqlite(parts, variable, cause)
    return Explained(f"{_place(parts)}: {_line(cause)}; {_way_out(parts, variable, cause)}")


def _root(failure: BaseException) -> BaseException:
    """What the driver or the system said: it stands behind what the kit and SQLAlchemy raise."""
    while not isinstance(failure, CommandError):
        below = getattr(failure, "orig", None) or failure.__cause__
        if not isinstance(below, BaseException):
            break
        failure = below
    return failure


def _place(url: URL) -> str:
    if url.drivername.startswith("sqlite"):
        return f"the SQLite file {url.database}"
    socket = url.query.get("host")
    host = url.host or (socket if isinstance(socket, str) else None) or "localhost"
    return f"PostgreSQL at {host}:{url.port or 5432}, database '{url.database or url.username}'"


def _sqlite(url: URL, variable: str, cause: BaseException) -> Explained:
    code = getattr(cause, "sqlite_errorcode", None)
    unusable = isinstance(code, int) and code & 0xFF in _UNUSABLE_FILE
    file = Path(url.database or "")
    if unusable:
        way_out = f"restore the file, or correct {variable}"
    else:
        way_out = f"look at the folder {file.parent} (rights, space), or correct {variable}"
    return Explained(f"{_place(url)}: {_line(cause)}; {way_out}", content_unusable=unusable)


def _way_out(url: URL, variable: str, cause: BaseException) -> str:
    state = getattr(cause, "sqlstate", None) or ""
    if state == _NO_SUCH_DATABASE:
        return f"create it (createdb {url.database}), or correct {variable}"
    if state.startswith(_WRONG_USER):
        return f"correct user and password in {variable}"
    if state:
        return f"correct what PostgreSQL says, or {variable}"
    return f"start it, or correct {variable}"


def _line(cause: BaseException) -> str:
    """The first line of what was said; a time-out says nothing by itself."""
    if isinstance(cause, TimeoutError):
        return "no answer in time"
    if isinstance(cause, OSError) and cause.strerror:
        return os.strerror(cause.errno) if cause.errno and cause.errno > 0 else cause.strerror
    said = str(cause).strip().splitlines()
    return said[0] if said else type(cause).__name__
