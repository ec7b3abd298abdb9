"""An aiosqlite connection that reads on the event loop and writes in its thread.

In WAL mode a read never waits for a writer, and the statements here take some ten microseconds:
five hand-overs to a thread cost ten times that. What may wait (BEGIN IMMEDIATE for its turn,
COMMIT for the disk) stays in the thread, with everything between them.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite
from aiosqlite.core import _STOP_RUNNING_SENTINEL

_READING = ("SELECT", "BEGIN", "PRAGMA")
_WRITING = "BEGIN IMMEDIATE"


class ReadsInline(aiosqlite.Connection):
    """Overrides the method of aiosqlite through which every call reaches the thread, and the one
    that ends it."""

    _in_thread = False
    _was_open = False

    async def _execute(self, fn: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._running or self._connection is None:
            raise ValueError("Connection closed")
        statement = args[0] if args and isinstance(args[0], str) else ""
        if statement.startswith(_WRITING) or (statement and not statement.startswith(_READING)):
            self._in_thread = True
        if not self._in_thread:
            return fn(*args, **kwargs)
        try:
            return await super()._execute(fn, *args, **kwargs)  # type: ignore[no-untyped-call]
        finally:
            # One task at a time uses a connection, so nothing runs between answer and question.
            self._in_thread = self._connection is not None and self._connection.in_transaction

    def stop(self) -> asyncio.Future[Any] | None:
        """Nobody waits for the end of a thread whose file could not be opened: told to report it,
        the thread would meet a loop that is closed by then, and print that to the operator."""
        if self._was_open:
            return super().stop()
        self._running = False
        self._tx.put_nowait((None, lambda: _STOP_RUNNING_SENTINEL))
        return None


def open_connection(database: str, **options: Any) -> ReadsInline:
    """Return a connection to await, as `async_creator_fn` of SQLAlchemy's aiosqlite dialect."""

    def connect() -> sqlite3.Connection:
        opened: sqlite3.Connection = sqlite3.connect(
            database, **{**options, "check_same_thread": False}
        )
        connection._was_open = True
        return opened

    connection = ReadsInline(connect, iter_chunk_size=64)
    connection._thread.daemon = True  # a forgotten connection must not keep the process alive
    return connection
