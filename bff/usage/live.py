"""The live view: what the last minutes used, in Redis, for people who watch. Nothing depends on it.

Redis down, slow or emptied costs this view alone: roll-ups never pass through it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bff.store.redis_tier import NAMESPACE, let_go
from bff.usage.counts import Count, Pair

MINUTE_S = 60
KEPT_S = 900
PAUSE_S = 10.0
FAILED = "usage_live_failed"
_SEPARATOR = "|"  # stands in no version and no hash


def _uncounted(_event: str) -> None:
    """Counts nothing."""


class Live:
    """Increments by minute, release and document under `facet:<platform>:usage:<minute>`."""

    def __init__(
        self,
        redis: Redis,
        platform: str,
        *,
        event: Callable[[str], None] = _uncounted,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._redis = redis
        self._platform = platform
        self._event = event
        self._clock = clock
        self._again_at = 0.0

    async def push(self, counts: Mapping[Pair, Count], told: Callable[[str], str] = str) -> None:
        """Add what was counted; `told` gives the name a release is told apart by, of which there
        are few. Redis down: it is not added, counted once, and Redis is left alone
        for a moment."""
        if time.monotonic() < self._again_at:
            return
        key = self._key(int(self._clock()) // MINUTE_S)
        try:
            async with self._redis.pipeline(transaction=False) as pipe:
                for (release, document), count in counts.items():
                    name = f"{told(release)}{_SEPARATOR}{document}"
                    pipe.hincrby(key, name, count.requests)
                    if count.errors:
                        pipe.hincrby(key, f"{name}{_SEPARATOR}errors", count.errors)
                pipe.expire(key, KEPT_S)
                await pipe.execute()
        except (RedisError, OSError):
            self._again_at = time.monotonic() + PAUSE_S
            self._event(FAILED)

    async def last(self, minutes: int) -> dict[Pair, tuple[int, int]]:
        """Requests and errors of the last `minutes`, the one under way included. Raises RedisError
        and OSError."""
        now = int(self._clock()) // MINUTE_S
        found: dict[Pair, tuple[int, int]] = {}
        for minute in range(now - minutes + 1, now + 1):
            held = cast("dict[bytes, bytes]", await self._redis.hgetall(self._key(minute)))
            for name, number in held.items():
                release, document, *errors = name.decode().split(_SEPARATOR)
                requests, failed = found.get((release, document), (0, 0))
                more = int(number)
                found[release, document] = (
                    (requests, failed + more) if errors else (requests + more, failed)
                )
        return found

    async def close(self) -> None:
        """Let go of connections."""
        await let_go(self._redis)

    def _key(self, minute: int) -> str:
        return f"{NAMESPACE}:{self._platform}:usage:{minute}"
