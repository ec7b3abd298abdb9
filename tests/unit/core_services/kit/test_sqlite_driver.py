"""The SQLite connection of the services, where it ends."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path

import pytest

from core_services.kit.sqlite_driver import ReadsInline, open_connection


def test_failed_opening_ends_quietly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread of a file that cannot be opened ends without a word, also after its loop."""
    said: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", said.append)
    closed = threading.Event()
    connection: ReadsInline = open_connection(str(tmp_path))
    stop = connection._tx.put_nowait

    def put_late(item: tuple[object, object]) -> None:
        """Hold what ends the thread back until the loop is closed."""
        if connection._running:
            stop(item)  # type: ignore[arg-type]
            return
        future, function = item
        stop((future, lambda: closed.wait(10) and function()))  # type: ignore[operator, arg-type]

    monkeypatch.setattr(connection, "_tx", _Queue(connection._tx, put_late))

    async def open_it() -> None:
        with pytest.raises(sqlite3.OperationalError):
            await connection

    asyncio.run(open_it())
    assert connection._thread.is_alive()
    closed.set()
    connection._thread.join(10)
    assert not connection._thread.is_alive()
    assert said == []


class _Queue:
    """A queue whose `put_nowait` is another."""

    def __init__(self, queue: object, put_nowait: object) -> None:
        self.put_nowait = put_nowait
        self.get = queue.get  # type: ignore[attr-defined]
