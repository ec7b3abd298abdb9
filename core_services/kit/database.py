"""One engine a process; readers, snapshots and writers behave alike on SQLite and PostgreSQL.

Failure policy: what cannot be reached, or stays locked longer than `lock_timeout_s`, is
DatabaseUnavailable (503); a caller whose deadline went by while it waited gets DeadlineSpent (504).
"""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Connection,
    Dialect,
    FunctionElement,
    Text,
    TypeDecorator,
    bindparam,
    event,
    text,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, InterfaceError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType, TypeEngine

from core_services.kit.deadlines import check_deadline
from core_services.kit.errors import DatabaseUnavailable
from core_services.kit.sqlite_driver import open_connection

# What means "not available": SQLite's primary result codes; of PostgreSQL lock_not_available,
# query_canceled, and the classes no connection, shutting down and out of resources.
_SQLITE_UNAVAILABLE = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_READONLY,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN,
}
_UNAVAILABLE_STATES = ("55P03", "57014", "08", "57P", "53")


class Database:
    """The engine of one service process and the three ways to use it."""

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 8,
        lock_timeout_s: float = 5.0,
        statement_timeout_s: float = 10.0,
    ) -> None:
        self.is_sqlite = url.startswith("sqlite")
        self._write_lock = asyncio.Lock() if self.is_sqlite else None
        self._lock_timeout_s = lock_timeout_s
        self.engine = (
            _sqlite_engine(url, pool_size, lock_timeout_s)
            if self.is_sqlite
            else _postgresql_engine(url, pool_size, lock_timeout_s, statement_timeout_s)
        )
        # Readers run single statements: no BEGIN and no ROLLBACK is sent for them.
        self._reading = (
            self.engine
            if self.is_sqlite
            else self.engine.execution_options(isolation_level="AUTOCOMMIT")
        )
        self._snapshots = self.engine.execution_options(
            **({"begin": "BEGIN"} if self.is_sqlite else {"isolation_level": "REPEATABLE READ"})
        )
        self._writing = self.engine.execution_options(begin="BEGIN IMMEDIATE")

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for independent reads.

        Each statement sees the newest committed rows.
        """
        with _unavailable():
            async with self._reading.connect() as connection:
                check_deadline()
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose reads all see the database of one instant; writes are lost."""
        with _unavailable():
            async with self._snapshots.connect() as connection:
                check_deadline()
                yield connection

    @asynccontextmanager
    async def writer(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction.

        Committed at the end, rolled back on any exception.
        """
        with _unavailable():
            async with self._one_writer(), self._writing.begin() as connection:
                check_deadline()
                yield connection

    @asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        # SQLite admits one writer. Queueing here is fair and cheap; its own wait polls in a thread.
        if self._write_lock is None:
            yield
            return
        try:
            await asyncio.wait_for(self._write_lock.acquire(), self._lock_timeout_s)
        except TimeoutError as failure:
            raise DatabaseUnavailable from failure
        try:
            yield
        finally:
            self._write_lock.release()

    async def ping(self) -> None:
        """Run one statement; raises DatabaseUnavailable when the database does not answer."""
        async with self.reader() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """Close every pooled connection."""
        await self.engine.dispose()


def _sqlite_engine(url: str, pool_size: int, lock_timeout_s: float) -> AsyncEngine:
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
        cursor.execute(f"PRAGMA busy_timeout={int(lock_timeout_s * 1000)}")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: Connection) -> None:
        statement = connection.get_execution_options().get("begin")
        if statement:
            connection.exec_driver_sql(statement)

    return engine


def _postgresql_engine(
    url: str, pool_size: int, lock_timeout_s: float, statement_timeout_s: float
) -> AsyncEngine:
    limits = {
        "lock_timeout": str(int(lock_timeout_s * 1000)),
        "statement_timeout": str(int(statement_timeout_s * 1000)),
        "idle_in_transaction_session_timeout": str(int(statement_timeout_s * 2000)),
        "timezone": "UTC",
        "application_name": "facet-core-service",
    }
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=0,
        pool_timeout=lock_timeout_s,
        pool_recycle=1800,
        connect_args={"server_settings": limits, "timeout": lock_timeout_s},
    )


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn what means "no database" into DatabaseUnavailable, and leave every other error alone."""
    try:
        yield
    except (PoolTimeout, OSError) as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if _means_unavailable(error):
            raise DatabaseUnavailable from error
        raise


def _means_unavailable(error: DBAPIError) -> bool:
    state = sql_state(error)
    if state is not None:
        return state.startswith(_UNAVAILABLE_STATES)
    code = getattr(error.orig, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF in _SQLITE_UNAVAILABLE  # the low byte is the primary result code
    return error.connection_invalidated or isinstance(error, InterfaceError)


def sql_state(error: DBAPIError) -> str | None:
    """Return the SQLSTATE of a PostgreSQL error (its manual, appendix A), else None."""
    state = getattr(error.orig, "sqlstate", None)
    return state if isinstance(state, str) else None


class _TextList(TypeDecorator[Sequence[str]]):
    """A list of strings as one parameter: `text[]` on PostgreSQL, a JSON array on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(ARRAY(Text()))
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return orjson.dumps(value).decode()


class _Among(FunctionElement[Any]):
    # Not Boolean: SQLite would get `… = 1`, which no index answers.
    type = NullType()
    inherit_cache = True
    name = "among"


def among(column: ColumnElement[str], parameter: str) -> ColumnElement[bool]:
    """Return `column` in the list passed as `parameter`: one SQL text for any number of ids.

    An expanding IN makes a statement a length, which defeats the prepared-statement caches.
    """
    return _Among(column, bindparam(parameter, type_=_TextList()))


@compiles(_Among)
def _among_anywhere(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} IN (SELECT value FROM json_each({values}))"  # noqa: S608 - compiled parts


@compiles(_Among, "postgresql")
def _among_postgresql(element: _Among, compiler: SQLCompiler, **options: Any) -> str:
    column, values = (compiler.process(clause, **options) for clause in element.clauses)
    return f"{column} = ANY ({values})"
