"""An aiosqlite connection that reads on the event loop and writes in its thread.

In WAL mode a read never waits for a writer, and the statements here take some ten microseconds:
five hand-overs to a thread cost ten times that. What may wait (BEGIN IMMEDIATE for its turn,
COMMIT for the disk) stays in the thread, with everything between them.
"""

import sqlite3
from collections.abc import Callable
from typing import Any

import aiosqlite

_READING = ("SELECT", "BEGIN", "PRAGMA")
_WRITING = "BEGIN IMMEDIATE"


class ReadsInline(aiosqlite.Connection):
    """Overrides the one method of aiosqlite through which every call reaches the thread."""

    _in_thread = False

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


def open_connection(database: str, **options: Any) -> ReadsInline:
    """Return a connection to await, as `async_creator_fn` of SQLAlchemy's aiosqlite dialect."""

    def connect() -> sqlite3.Connection:
        opened: sqlite3.Connection = sqlite3.connect(
            database, **{**options, "check_same_thread": False}
        )
        return opened

    connection = ReadsInline(connect, iter_chunk_size=64)
    connection._thread.daemon = True  # a forgotten connection must not keep the process alive
    return connection
