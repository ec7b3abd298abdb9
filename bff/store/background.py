"""Work nobody waits for, a bounded number at a time, in the process's own context."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Coroutine
from typing import Any


class Background:
    """At most `limit` tasks at once. Nothing of a request's context (its trace, what it heard)
    reaches them: they run in the context this was made in."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._context = contextvars.copy_context()
        self._running: set[asyncio.Task[None]] = set()

    @property
    def has_room(self) -> bool:
        return len(self._running) < self._limit

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run it now; ask `has_room` first."""
        loop = asyncio.get_running_loop()
        task = loop.create_task(work, context=self._context.copy())
        # The loop itself would not keep it from being collected.
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End what still runs."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
