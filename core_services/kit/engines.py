"""The SQLAlchemy engines of both databases: pools, pragmas and limits; what is done with them is
`database.py`'s."""

from pathlib import Path
from typing import Any

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import Connection, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from core_services.kit.deadlines import remaining_s
from core_services.kit.sqlite_driver import open_connection

WRITING = "BEGIN IMMEDIATE"
_GOODBYE_S = 0.1


def sqlite_engine(url: str, pool_size: int, lock_timeout_s: float) -> AsyncEngine:
    """Return the engine of an SQLite file; its folder is made."""
    database = make_url(url).database
    if database and database != ":memory:":
        Path(database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=lock_timeout_s,
        # The driver must not begin transactions by itself: BEGIN is ours, and IMMEDIATE for
        # writers.
        connect_args={"isolation_level": None, "async_creator_fn": open_connection},
    )

    @event.listens_for(engine.sync_engine, "connect")
    def _prepare(connection: Any, _: Any) -> None:
        cursor = connection.cursor()
        # FULL: an acknowledged write survives a power cut, not only a killed process.
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        _wait_at_most(connection, lock_timeout_s)

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get("begin")
        if statement == WRITING:
            # Another process may hold the lock: SQLite waits in a thread that nobody can cancel.
            wait_s = min(lock_timeout_s, remaining_s() or lock_timeout_s)
            _wait_at_most(connection.connection, wait_s)
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def _wait_at_most(connection: Any, seconds: float) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={int(seconds * 1000)}")
    cursor.close()


class _PostgresqlConnection(asyncpg.Connection):  # type: ignore[misc]
    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - its API
        """Say goodbye, but not for long: a call whose time is up closes its connection, and to a
        server that has stopped SQLAlchemy would wait two seconds more."""
        await super().close(timeout=min(timeout or _GOODBYE_S, _GOODBYE_S))


def postgresql_engine(
    url: str, pool_size: int, lock_timeout_s: float, statement_timeout_s: float
) -> AsyncEngine:
    """Return the engine of a PostgreSQL database; it connects at the first use."""
    limits = {
        "lock_timeout": str(int(lock_timeout_s * 1000)),
        "statement_timeout": str(int(statement_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(int(statement_timeout_s * 2000)),
        "timezone": "UTC",
        "application_name": "facet-core-service",
    }
    engine = create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=lock_timeout_s,
        pool_recycle=1800,
        connect_args={
            "server_settings": limits,
            "timeout": lock_timeout_s,
            "connection_class": _PostgresqlConnection,
        },
    )

    @event.listens_for(engine.sync_engine, "checkout")
    def _still_open(_: Any, record: Any, __: Any) -> None:
        # A server that restarted closed its sockets, and asyncpg has seen it: that is known without
        # asking, where `pool_pre_ping` would ask once a call. The pool then opens another one.
        if record.driver_connection.is_closed():
            raise DisconnectionError

    return engine
