"""The database's own time: one clock for all processes of a service, however wrong theirs are.

SQLite is in the process: its clock is the machine's.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, FunctionElement, select
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from core_services.kit.tables import UtcTime
from core_services.kit.times import whole_milliseconds


class utc_now(FunctionElement[datetime]):  # noqa: N801 - reads as a function in SQL
    """The instant, as it stands in a column of UtcTime; of the statement, not the transaction."""

    type = UtcTime()
    inherit_cache = True
    name = "utc_now"


class now_ms(FunctionElement[int]):  # noqa: N801 - reads as a function in SQL
    """The instant in whole milliseconds since 1970."""

    type = BigInteger()
    inherit_cache = True
    name = "now_ms"


@compiles(utc_now, "postgresql")
def _utc_now_postgresql(_: utc_now, __: SQLCompiler, **___: Any) -> str:
    return "clock_timestamp()"


@compiles(utc_now, "sqlite")
def _utc_now_sqlite(_: utc_now, __: SQLCompiler, **___: Any) -> str:
    return "strftime('%Y-%m-%d %H:%M:%f000', 'now')"  # with microseconds, as SQLAlchemy writes them


@compiles(now_ms, "postgresql")
def _now_ms_postgresql(_: now_ms, __: SQLCompiler, **___: Any) -> str:
    return "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


@compiles(now_ms, "sqlite")
def _now_ms_sqlite(_: now_ms, __: SQLCompiler, **___: Any) -> str:
    return "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)"


_NOW = select(utc_now())


async def database_time(connection: AsyncConnection) -> datetime:
    """Return the database's time in whole milliseconds, aware."""
    return whole_milliseconds((await connection.execute(_NOW)).scalar_one())
