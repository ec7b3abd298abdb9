"""Keys that left in one call: who asks for one of them later is answered from here.

Only bookkeeping of one exchange; making the call is the loader's.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Callable, Sequence
from functools import partial
from typing import Generic, TypeVar

K = TypeVar("K")
R = TypeVar("R")


class Asked(Generic[K, R]):
    """One call's keys, and their answers once it is over. A call that was given up has none."""

    __slots__ = ("_answers", "_found", "_over", "_then", "keys")

    def __init__(self, keys: Sequence[K]) -> None:
        self.keys = keys
        self._over = False
        self._answers: Sequence[R | Exception | None] = ()
        # By key; made when the first asks again, which most calls never see.
        self._found: dict[K, R | Exception | None] | None = None
        self._then: list[Callable[[], None]] = []

    def answer(self, answers: Sequence[R | Exception | None]) -> None:
        """The call is over; `answers` in the keys' order. Too late for one that was given up."""
        if not self._over:
            self._answers = answers
            self._end()

    def give_up(self) -> None:
        """Whoever asked left, or failed by a fault of ours: the others ask for themselves. What is
        answered already stays so."""
        if not self._over:
            self.keys = ()
            self._end()

    @property
    def is_over(self) -> bool:
        return self._over

    def then(self, told: Callable[[], None]) -> None:
        """Calls `told` once the call is over; at once if it is."""
        if self._over:
            told()
        else:
            self._then.append(told)

    async def over(self) -> None:
        """Returns once the call is over. Leaving early costs nobody anything."""
        if not self._over:
            waiting: Future[None] = asyncio.get_running_loop().create_future()
            self._then.append(partial(_wake, waiting))
            await waiting

    def has(self, key: K) -> bool:
        """Whether the call brought this key's answer."""
        return key in self._by_key()

    def of(self, key: K) -> R | Exception | None:
        """One key's answer; ask `has` first."""
        return self._by_key()[key]

    def _by_key(self) -> dict[K, R | Exception | None]:
        if self._found is None:
            self._found = dict(zip(self.keys, self._answers, strict=True))
        return self._found

    def _end(self) -> None:
        self._over = True
        for told in self._then:
            told()
        self._then.clear()


def _wake(waiting: Future[None]) -> None:
    if not waiting.done():
        waiting.set_result(None)
