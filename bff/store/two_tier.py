"""Two places in a row: this process always, a shared one when there is one and it answers."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from bff.store.tier import KeyValueTier, TierError

STORE_FAILED = "store_failed"

log = structlog.get_logger(__name__)


def _uncounted(_event: str) -> None:
    """Counts nothing."""


class TwoTier:
    """A KeyValueTier that never fails. "No second place" and "second place down" are one path.

    `pause_s`: how long a failed second place is left alone. `refill_s`: how long a value found
    only there is kept here (its remaining time is not known here, so this bounds staleness).
    `count` gets `store_failed` once a fault.
    """

    def __init__(
        self,
        first: KeyValueTier,
        second: KeyValueTier | None = None,
        *,
        pause_s: float = 1.0,
        refill_s: float = 60.0,
        count: Callable[[str], None] = _uncounted,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._first = first
        self._second = second
        self._pause_s = pause_s
        self._refill_s = refill_s
        self._count = count
        self._clock = clock
        self._asked_again_at = clock()

    async def get(self, key: str) -> bytes | None:
        value = await self._first.get(key)
        second = self._usable()
        if value is not None or second is None:
            return value
        # Redis down: behave as a miss, count it, stop asking it for a moment.
        try:
            value = await second.get(key)
        except TierError as error:
            self._leave_alone(error)
            return None
        if value is not None:
            await self._first.put(key, value, self._refill_s)
        return value

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        await self._first.put(key, value, ttl_s)
        second = self._usable()
        if second is None:
            return
        # Redis down: kept in this process only, count it, stop asking it for a moment.
        try:
            await second.put(key, value, ttl_s)
        except TierError as error:
            self._leave_alone(error)

    async def close(self) -> None:
        await self._first.close()
        if self._second is not None:
            await self._second.close()

    def _usable(self) -> KeyValueTier | None:
        return self._second if self._clock() >= self._asked_again_at else None

    def _leave_alone(self, error: TierError) -> None:
        self._asked_again_at = self._clock() + self._pause_s
        self._count(STORE_FAILED)
        log.warning("store_failed", reason=str(error), pause_s=self._pause_s)
