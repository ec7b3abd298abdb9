"""Which failures of a driver mean that the database is away, full or read-only: one answer for all.

Every other failure is a defect and passes through.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from core_services.kit.errors import DatabaseUnavailable

_SQLITE = {  # primary result codes
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
# Of PostgreSQL (its manual, appendix A), whole or by class: no connection, read-only, wrong user,
# no such database, rolled back in favour of another, out of resources, lock not had in time,
# cancelled or shutting down, system error.
_POSTGRESQL = ("08", "25006", "28", "3D", "40", "53", "55P03", "57", "58")


@contextmanager
def unavailable() -> Iterator[None]:
    """Turn what means "no database" into DatabaseUnavailable."""
    try:
        yield
    except (PoolTimeout, OSError, asyncpg.InterfaceError) as error:
        raise DatabaseUnavailable from error
    except (DBAPIError, asyncpg.PostgresError) as error:
        if not _means_unavailable(error):
            raise
        raise DatabaseUnavailable from error


def cause_of(unavailable: DatabaseUnavailable) -> dict[str, str | None]:
    """Return what the log may say of the cause: its kind and code. The words of a driver quote
    values."""
    cause = unavailable.__cause__
    origin = getattr(cause, "orig", None) or cause
    state = getattr(origin, "sqlstate", None) or getattr(origin, "sqlite_errorname", None)
    return {"cause": type(origin).__name__, "state": state}


def _means_unavailable(error: Exception) -> bool:
    state = sql_state(error)
    if state is not None:
        return state.startswith(_POSTGRESQL)
    code = getattr(getattr(error, "orig", None), "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE  # the low byte is the primary result code
    return bool(getattr(error, "connection_invalidated", False)) or isinstance(
        error, InterfaceError
    )


def sql_state(error: Exception) -> str | None:
    """Return the SQLSTATE of a PostgreSQL error, whoever raised it, else None."""
    state = getattr(getattr(error, "orig", None) or error, "sqlstate", None)
    return state if isinstance(state, str) else None
