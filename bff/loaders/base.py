"""The base of the loaders: keys gathered within a loop turn become one upstream call.

The batching itself is aiodataloader's; this adds the scope a batch field needs and the binding to
the request's caller. A loader lives as long as one exchange, so nothing crosses viewers.
"""

from __future__ import annotations

import asyncio
import re
from asyncio import Future
from collections.abc import Awaitable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast

from aiodataloader import DataLoader, dispatch_queue
from aiodataloader import Loader as Waiting

from bff.contract import Scope
from bff.errors import FieldError, Unauthenticated
from bff.upstreams.calls import Caller
from bff.upstreams.method import Method

K = TypeVar("K")
R = TypeVar("R")

PATIENCE_TURNS = 6
# What an id can be, of any service; anything else is found nowhere.
ID = re.compile(r"[\x21-\x7e]{1,64}")


class Loader(DataLoader[K, R | None], Generic[K, R]):
    """`method` is the one upstream method it calls; `scope` follows from it.

    Subclasses write `fetch(keys)`: unique keys in, as many records (None for not found) out, in
    the same order. A FieldError raised there becomes the error of every key of the batch, one
    returned in a record's place that of its key.
    """

    method: ClassVar[Method[Any]]
    scope: ClassVar[Scope]
    max_batch_size = 200

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "method" in cls.__dict__:
            cls.scope = cls.method.scope

    def __init__(self, caller: Caller) -> None:
        super().__init__()
        self.caller = caller

    def do_resolve_reject(self, key: K, future: Future[R | None]) -> None:
        """Queue one key; the first of a batch starts the wait for the others.

        Answers that arrive in one turn of the loop reach their resolvers a few turns apart, as
        deep as each is awaited. aiodataloader waits two turns, which splits such a batch.
        """
        self._queue.append(Waiting(key=key, future=future))
        if len(self._queue) == 1:
            self._wait(PATIENCE_TURNS)

    def _wait(self, turns: int) -> None:
        if turns:
            self.loop.call_soon(self._wait, turns - 1)
        else:
            dispatch_queue(self)

    async def batch_load_fn(self, keys: Sequence[K]) -> list[R | None]:
        """What aiodataloader calls once a batch is gathered. No call for a viewer's data leaves
        without a viewer, however the loader was reached."""
        if self.scope is Scope.VIEWER and self.caller.viewer is None:
            raise Unauthenticated("Sign in to see this.")
        askable = [key for key in keys if _askable(key)]
        if len(askable) == len(keys):
            return cast("list[R | None]", await self.fetch(keys))
        found = dict(zip(askable, await self.fetch(askable) if askable else (), strict=True))
        return [cast("R | None", found.get(key)) for key in keys]

    async def fetch(self, keys: Sequence[K]) -> Sequence[R | FieldError | None]:
        raise NotImplementedError


def _askable(key: object) -> bool:
    """Whether a service would take the key's id: it refuses a whole list for one id it cannot
    be, and so one app's bad id would cost the others their records."""
    found = key if isinstance(key, str) else getattr(key, "item_id", None)
    return not isinstance(found, str) or ID.fullmatch(found) is not None


async def each(calls: Iterable[Awaitable[R]]) -> list[R | FieldError]:
    """The answers of independent calls in their order; one that failed costs its own place only.
    A fault of ours among them is raised."""
    answers = await asyncio.gather(*calls, return_exceptions=True)
    return [_answer(answer) for answer in answers]


def _answer(answer: R | BaseException) -> R | FieldError:
    if isinstance(answer, BaseException) and not isinstance(answer, FieldError):
        raise answer
    return answer
