"""One engine a process; readers, snapshots and writers behave alike on SQLite and PostgreSQL.

Failure policy: what cannot be reached, stays locked longer than `lock_timeout_s`, or does not
answer within `statement_timeout_s` is DatabaseUnavailable (503). A caller whose deadline goes by
while it waits gets DeadlineSpent (504), and what it waits for is cancelled; a COMMIT is not.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from sqlalchemy import (
    ARRAY,
    ColumnElement,
    Dialect,
    FunctionElement,
    Text,
    TypeDecorator,
    bindparam,
    text,
)
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType, TypeEngine

from core_services.kit.availability import unavailable
from core_services.kit.deadlines import check_deadline, remaining_s
from core_services.kit.engines import WRITING, postgresql_engine, sqlite_engine
from core_services.kit.errors import DatabaseUnavailable


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
        self._statement_timeout_s = statement_timeout_s
        self.engine = (
            sqlite_engine(url, pool_size, lock_timeout_s)
            if self.is_sqlite
            else postgresql_engine(url, pool_size, lock_timeout_s, statement_timeout_s)
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
        self._writing = self.engine.execution_options(begin=WRITING)

    @asynccontextmanager
    async def reader(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection for independent reads.

        Each statement sees the newest committed rows.
        """
        with unavailable():
            async with self._in_time(), self._reading.connect() as connection:
                check_deadline()
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """Give a connection whose reads all see the database of one instant; writes are lost."""
        with unavailable():
            async with self._in_time(), self._snapshots.connect() as connection:
                check_deadline()
                yield connection

    @asynccontextmanager
    async def writer(self, *, unhurried: bool = False) -> AsyncIterator[AsyncConnection]:
        """Give a connection in a transaction.

        Committed at the end, rolled back on any exception. `unhurried`: no time limit of ours.
        """
        with unavailable():
            if self._write_lock is not None:
                # Nothing is cancelled here: a statement runs in a thread that would go on with it.
                async with self._one_writer(), self._begin() as connection:
                    yield connection
            elif unhurried:
                async with self._begin() as connection:
                    yield connection
            else:
                async with self._in_time() as time, self._begin() as connection:
                    yield connection
                    # The effect is whole: whether it counts is for the COMMIT to say, in its time.
                    now = asyncio.get_running_loop().time()
                    time.reschedule(now + self._statement_timeout_s)

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[AsyncConnection]:
        async with self._writing.begin() as connection:
            check_deadline()
            yield connection

    @asynccontextmanager
    async def _in_time(self) -> AsyncIterator[asyncio.Timeout]:
        """Cancel what waits for the database when the caller has gone, or nobody should wait."""
        left = remaining_s()
        longest = self._statement_timeout_s
        try:
            async with asyncio.timeout(longest if left is None else min(left, longest)) as time:
                yield time
        except TimeoutError:
            if time.expired():
                check_deadline()
            raise

    @asynccontextmanager
    async def _one_writer(self) -> AsyncIterator[None]:
        # SQLite admits one writer. Queueing here is fair and cheap; its own wait polls in a thread.
        assert self._write_lock is not None  # noqa: S101 - of SQLite alone
        left = remaining_s()
        longest = self._lock_timeout_s
        try:
            wait_s = longest if left is None else min(left, longest)
            await asyncio.wait_for(self._write_lock.acquire(), wait_s)
        except TimeoutError as failure:
            check_deadline()
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
