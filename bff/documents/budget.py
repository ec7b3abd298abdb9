"""What the unregistered operations of one exchange may cost together, and how they take turns."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from graphql import OperationDefinitionNode

from bff.documents.limits import MAX_INTROSPECTIONS, Size, spent
from bff.errors import ValidationFailed


class Budget:
    """One object an exchange. A JSON array is no way to ask for more than one operation may."""

    def __init__(self, max_cost: int) -> None:
        self._max_cost = max_cost
        self._cost = 0
        self._introspections = 0
        self._lock = asyncio.Lock()
        self._inside = 0
        self._all_out: asyncio.Event | None = None  # of those who wait for the others

    def charge(self, definition: OperationDefinitionNode, size: Size) -> None:
        """Take the price of one unregistered operation. Raises ValidationFailed when there is not
        enough left; a refused operation costs nothing."""
        cost = self._cost + size.cost
        introspections = self._introspections + size.introspections
        if cost > self._max_cost or introspections > MAX_INTROSPECTIONS:
            error = spent(definition, self._max_cost)
            raise ValidationFailed(error["message"], errors=[error])
        self._cost, self._introspections = cost, introspections

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """For work that holds the loop. Members have it one after another, in the order they asked,
        and other requests are served before each."""
        async with self._lock:
            await asyncio.sleep(0)
            yield

    def member(self) -> _Member:
        """Around one member's search. Members that arrived together leave together: what they load
        then still makes one call, although they took turns. One that fails waits for nobody."""
        return _Member(self)

    def enter(self) -> None:
        self._inside += 1

    async def leave(self, failed: bool) -> None:
        """Wait for who is still inside; the last one lets the others go first."""
        self._inside -= 1
        all_out = self._all_out
        if self._inside and not failed:
            if all_out is None:
                all_out = self._all_out = asyncio.Event()
            await all_out.wait()
        elif not self._inside and all_out is not None:
            self._all_out = None
            all_out.set()
            if not failed:
                await asyncio.sleep(0)  # the others were here before


class _Member:
    """`Budget.member`, without the generator: nearly every exchange has one member, and the loop's
    book-keeping of a generator takes 5 µs."""

    __slots__ = ("_budget",)

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    async def __aenter__(self) -> None:
        self._budget.enter()

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        await self._budget.leave(failed=kind is not None)
