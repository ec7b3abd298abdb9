"""The same buckets for all gateways of one platform, in Redis; no request waits for it.

Each process decides by its own buckets. Those that are short of something it settles every
`limits.settle_ms`: what it took is added to what everybody took, and what everybody took is learnt.
So a bucket that P processes empty at once gives at most P times what one of them takes within a
settlement, once; over any longer time it gives what its rate allows, because what was given too
much is owed. A caller that stays above nineteen twentieths of his bucket costs Redis nothing.
Only attempts (few, and costly) are asked for one by one, all or nothing.

Time is Redis's own: processes exchange how much is missing, never instants of their own clocks.

Failure policy: Redis down, slow, full or read-only: allow by this process's part of the limit,
count, and ask again after a pause. Needs nothing newer than Redis 6.2.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Any, NamedTuple, cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

from bff.access.buckets import Buckets
from bff.store.redis_tier import let_go
from bff.telemetry.logs import logger

log = logger(__name__)

LIMITS_FAILED = "limits_store_failed"
PAUSE_S = 1.0
# A script holds Redis, so many keys for about as many microseconds times three.
MOST_KEYS = 100

# KEYS: buckets. ARGV: whether to take all or nothing; the time in microseconds, 0 for Redis's own;
# then of each bucket: microseconds one takes to come back, microseconds the whole takes, how many.
# Returns the microseconds to wait (at most 0 if it was taken), then how far each is from full.
# What is only settled has happened: it is added even beyond empty, but never further than that
# much again.
SCRIPT = """
local whole, now = ARGV[1] == '1', tonumber(ARGV[2])
if now == 0 then
  local time = redis.call('TIME')
  now = tonumber(time[1]) * 1000000 + tonumber(time[2])
end
local full, found, wait = {}, {}, 0
for i = 1, #KEYS do
  local every, depth = tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
  local at = tonumber(redis.call('GET', KEYS[i]) or now)
  if at < now then at = now end
  found[i] = at
  at = at + math.min(every * tonumber(ARGV[3 * i + 2]), depth)
  if not whole and at > now + 2 * depth then at = now + 2 * depth end
  full[i] = at
  if i == 1 or at - now - depth > wait then wait = at - now - depth end
end
local taken = not whole or wait <= 0.5
if not taken then full = found end
local answer = {math.ceil(wait)}
for i = 1, #KEYS do
  local short = math.ceil(full[i] - now)
  answer[i + 1] = short
  if taken then
    if short > 0 then
      redis.call('SET', KEYS[i], string.format('%.0f', full[i]), 'PX', math.ceil(short / 1000))
    else
      redis.call('DEL', KEYS[i])
    end
  end
end
return answer
"""

Script = Callable[..., Awaitable[Any]]


class Asked(NamedTuple):
    """So many from one bucket."""

    buckets: Buckets
    key: Hashable
    n: float


def _uncounted(_event: str) -> None:
    """Counts nothing."""


class Ledger:
    """One process's way to the buckets of all. `kinds` are those that are settled."""

    def __init__(
        self,
        redis: Redis,
        platform: str,
        kinds: Sequence[Buckets],
        *,
        every_s: float,
        count: Callable[[str], None] = _uncounted,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = redis
        self._script = cast("Script", redis.register_script(SCRIPT))
        self._prefix = f"facet:{platform}:limit:"
        self._kinds = [kind for kind in kinds if kind.untold is not None]
        self._every_s = every_s
        self._count = count
        self._clock = clock
        self._ask_again_at = clock()
        self.apart = False

    async def run(self) -> None:
        """Settle until cancelled."""
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.settle()
            except Exception:  # a fault of ours must not end what limits everybody
                self._count(LIMITS_FAILED)
                log.exception("limits_settlement_broke")

    async def settle(self) -> None:
        """Tell what was taken here and learn what was taken everywhere; while Redis is away, only
        ask whether it is back."""
        if self._clock() < self._ask_again_at:
            return
        told = [
            Asked(kind, key, n)
            for kind in self._kinds
            for key, n in (kind.untold or {}).items()
            if n
        ]
        for begin in range(0, max(len(told), self.apart), MOST_KEYS):
            if not await self._tell(told[begin : begin + MOST_KEYS]):
                return
        self._forget_full()

    async def take(self, asked: Sequence[Asked]) -> float | None:
        """Take from several buckets, all or nothing. Returns the seconds to wait, at most 0 if it
        was taken; None where Redis cannot say."""
        if self._clock() < self._ask_again_at:
            return None
        answer = await self._ask(asked, whole=True)
        return None if answer is None else answer[0] / 1e6

    async def close(self) -> None:
        await let_go(self._redis)

    async def _tell(self, told: Sequence[Asked]) -> bool:
        for one in told:
            _add(one, -one.n)
        answer = await self._ask(told, whole=False)
        if answer is None:
            for one in told:
                _add(one, one.n)
            return False
        now = self._clock()
        for one, short in zip(told, answer[1:], strict=True):
            one.buckets.learn(one.key, short / 1e6, now)
        return True

    async def _ask(self, asked: Sequence[Asked], *, whole: bool) -> list[int] | None:
        arguments: list[int | float] = [int(whole), 0]
        for one in asked:
            rate = one.buckets.rate
            arguments += (rate.every_s * 1e6, rate.depth_s * 1e6, one.n)
        try:
            answer = await self._script([self._key(one) for one in asked], arguments)
        except (RedisError, OSError) as error:
            self._leave_alone(error)
            return None
        self._set_apart(False)
        return cast("list[int]", answer)

    def _key(self, asked: Asked) -> str:
        """Without what it stands for: addresses and accounts are not for Redis to know."""
        hashed = hashlib.blake2b(repr(asked.key).encode(), digest_size=16, person=b"facet-limit")
        return f"{self._prefix}{asked.buckets.name}:{hashed.hexdigest()}"

    def _leave_alone(self, error: Exception) -> None:
        self._ask_again_at = self._clock() + PAUSE_S
        self._count(LIMITS_FAILED)
        self._set_apart(True)
        log.warning("limits_store_failed", reason=type(error).__name__, pause_s=PAUSE_S)

    def _set_apart(self, apart: bool) -> None:
        if apart != self.apart:
            self.apart = apart
            for kind in self._kinds:
                kind.set_apart(apart)

    def _forget_full(self) -> None:
        now = self._clock()
        for kind in self._kinds:
            untold = kind.untold or {}
            for key in [key for key, n in untold.items() if not n and not kind.short_s(key, now)]:
                del untold[key]


def _add(asked: Asked, n: float) -> None:
    untold = asked.buckets.untold
    if untold is not None:
        untold[asked.key] = untold.get(asked.key, 0.0) + n
