"""What surrounds one execution: its loader, and a log of what was called in which order."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Generator
from typing import Any

from aiodataloader import DataLoader

Key = tuple[object, ...]


class Scene:
    """The context of one execution. `loaded(key)` is what the loader answers for a key.

    The loader batches and does not keep: graphql-core cancels what it gave up waiting for, and a
    future that others wait for would take them along (the compiler leaves those alone).
    """

    def __init__(self, loaded: Callable[[Key], Any], shares: bool) -> None:
        self.calls: Counter[str] = Counter()
        self.events: list[str] = []
        self.batches: list[int] = []
        self.loader = DataLoader(self._batch, cache=shares)
        self._loaded = loaded

    def load(self, key: Key) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = self.loader.load(key)
        # Of several failures that null one place only the first is heard.
        future.add_done_callback(lambda done: done.cancelled() or done.exception())
        return future

    async def _batch(self, keys: list[Key]) -> list[Any]:
        self.batches.append(len(keys))
        await asyncio.sleep(0)
        return [self._loaded(key) for key in keys]


class Later:
    """Awaitable without a coroutine before it is awaited, so it may be left lying."""

    def __init__(self, begin: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self._begin = begin

    def __await__(self) -> Generator[Any, None, Any]:
        return self._begin().__await__()


async def after(ticks: int, give: Callable[[], Any]) -> Any:
    """A value after some rounds of the event loop."""
    for _ in range(ticks):
        await asyncio.sleep(0)
    return give()


def future_of(value: Any) -> asyncio.Future[Any]:
    """A future that is done already."""
    future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    future.set_result(value)
    return future
