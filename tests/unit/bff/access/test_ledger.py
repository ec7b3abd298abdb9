"""bff/access/ledger.py, against a real Redis: processes count together, and alone without it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from random import Random

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis

from bff.access import ledger as ledger_module
from bff.access.buckets import Buckets, Rate
from bff.access.ledger import LIMITS_FAILED, SCRIPT, Asked, Ledger
from bff.config import StoreConfig
from bff.store.redis_tier import connected
from tests.unit.bff.store.conftest import OwnRedis, own_redis, redis_url

__all__ = ["own_redis", "redis_url"]

RATE = Rate(60, 100)


class Process:
    """What one process has: its buckets and its ledger."""

    def __init__(self, url: str, processes: int = 2, rate: Rate = RATE) -> None:
        self.buckets = Buckets("user", rate, 1_000, processes=processes, shared=True)
        self.counted: Counter[str] = Counter()
        store = StoreConfig(redis_url=SecretStr(url), redis_timeout_ms=200)
        self.ledger = Ledger(
            connected(store),
            "ios",
            [self.buckets],
            every_s=0.01,
            count=lambda event: self.counted.update([event]),
        )

    def taken(self, times: int, key: str = "a") -> int:
        now = time.monotonic()
        return sum(self.buckets.take(key, 1, now) <= 0 for _ in range(times))


@pytest.fixture
async def process(redis_url: str) -> AsyncIterator[Callable[[], Process]]:
    """Makes processes of one gateway on the session's Redis."""
    async with AsyncExitStack() as stack:

        def make() -> Process:
            made = Process(redis_url)
            stack.push_async_callback(made.ledger.close)
            return made

        yield make


async def test_redis_and_process_agree(redis_url: str) -> None:
    """The script and the buckets here give and refuse the same, over two thousand random steps of
    one clock, to the microsecond Redis keeps."""
    random = Random(5)
    async with Redis.from_url(redis_url) as redis:
        script = redis.register_script(SCRIPT)
        for number in range(20):
            rate = Rate(random.choice([1, 7, 60, 600, 6_000]), random.choice([1, 3, 50]))
            here, now_us = Buckets("x", rate, 100), 1_000_000_000
            for _ in range(100):
                now_us += int(random.expovariate(1 / rate.every_s / 1.5) * 1e6)
                n = random.choice([1, 1, 1, 2, 5])
                wait_s = here.take("a", n, now_us / 1e6)
                every, depth = rate.every_s * 1e6, rate.depth_s * 1e6
                wait_us, short_us = await script([f"t:{number}"], [1, now_us, every, depth, n])
                assert (wait_us <= 0) == (wait_s <= 0)
                assert abs(short_us / 1e6 - here.short_s("a", now_us / 1e6)) < 1e-4


async def test_several_are_taken_or_none(process: Callable[[], Process]) -> None:
    """One round trip takes from several buckets, and from none of them if one is empty."""
    one = process()
    small, large = Buckets("s", Rate(60, 2), 100), Buckets("l", Rate(60, 9), 100)
    both = [Asked(small, "a", 1), Asked(large, "a", 1)]
    waits = [await one.ledger.take(both) for _ in range(5)]
    assert [wait is not None and wait <= 0 for wait in waits] == [True] * 2 + [False] * 3
    assert [(await one.ledger.take([Asked(large, "a", 1)]) or 0) <= 0 for _ in range(8)] == [
        *[True] * 7,
        False,
    ]


async def test_processes_count_together(process: Callable[[], Process]) -> None:
    """What one process gave, another does not give again once they have settled."""
    one, other = process(), process()
    assert one.taken(70) == 70
    await one.ledger.settle()
    assert other.taken(10) == 10
    await other.ledger.settle()
    assert other.taken(100) == 20
    await other.ledger.settle()
    await one.ledger.settle()
    one.taken(1)
    await one.ledger.settle()
    assert one.taken(100) == 0


async def test_too_much_given_is_owed(process: Callable[[], Process]) -> None:
    """Two processes that both emptied the bucket before they settled stay closed until it is paid
    back: over time no more is given than the rate allows."""
    one, other = process(), process()
    assert (one.taken(200), other.taken(200)) == (100, 100)
    for each in (one, other):
        await each.ledger.settle()
    await one.ledger.settle()
    short = one.buckets.short_s("a", time.monotonic())
    assert other.buckets.short_s("a", time.monotonic()) == pytest.approx(200, abs=1)
    assert short == pytest.approx(100, abs=1)


async def test_light_use_is_not_told(process: Callable[[], Process], redis_url: str) -> None:
    """Callers who use little of their buckets cost Redis no call and no key."""
    one = process()
    for caller in range(500):
        one.taken(3, f"caller-{caller}")
    async with Redis.from_url(redis_url) as redis:
        before = (await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
        await one.ledger.settle()
        after = (await redis.info("commandstats")).get("cmdstat_evalsha", {"calls": 0})["calls"]
        assert (after - before, await redis.dbsize()) == (0, 0)


async def test_keys_say_nothing_and_expire(process: Callable[[], Process], redis_url: str) -> None:
    """Redis holds no address and no account, and each bucket only until it is full again."""
    one = process()
    one.taken(50, "203.0.113.9")
    await one.ledger.settle()
    async with Redis.from_url(redis_url) as redis:
        (key,) = await redis.keys("*")
        assert str(key).startswith("b'facet:ios:limit:user:")
        assert "203.0.113.9" not in str(key)
        assert 40_000 < await redis.pttl(key) <= 50_000


async def test_alone_while_redis_is_away(
    own_redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without Redis a process gives its part and counts the fault; once Redis is back, empty, they
    count together again, and what was taken meanwhile is told."""
    monkeypatch.setattr(ledger_module, "PAUSE_S", 0.0)
    one = Process(own_redis.url)
    assert one.taken(20) == 20
    await one.ledger.settle()
    assert (one.ledger.apart, one.counted[LIMITS_FAILED]) == (False, 0)
    own_redis.kill()
    assert await one.ledger.take([Asked(one.buckets, "x", 1)]) is None
    assert (one.ledger.apart, one.counted[LIMITS_FAILED]) == (True, 1)
    assert one.taken(200, "b") == 50
    await one.ledger.settle()
    assert one.counted[LIMITS_FAILED] == 2
    own_redis.restart()
    await one.ledger.settle()
    assert not one.ledger.apart
    async with Redis.from_url(own_redis.url) as redis:
        assert await redis.dbsize() == 1
    # What this process knew to be gone is gone, although Redis forgot it.
    assert one.buckets.left(one.buckets.short_s("a", time.monotonic())) <= 81
    await one.ledger.close()


async def test_a_fault_is_asked_again_later(own_redis: OwnRedis) -> None:
    """After a fault Redis is left alone for a moment: nobody waits for it each time."""
    one = Process(own_redis.url)
    own_redis.kill()
    for _ in range(20):
        assert await one.ledger.take([Asked(one.buckets, "x", 1)]) is None
        await one.ledger.settle()
    assert one.counted[LIMITS_FAILED] == 1
    await one.ledger.close()


async def test_full_redis_counts_as_away(redis_url: str) -> None:
    """A Redis that takes no writes is as good as none: the process counts alone, and forgets
    nothing it has to tell."""
    one = Process(redis_url)
    async with Redis.from_url(redis_url) as redis:
        await redis.config_set("maxmemory", "1")
        await redis.config_set("maxmemory-policy", "noeviction")
        try:
            one.taken(50)
            await one.ledger.settle()
        finally:
            await redis.config_set("maxmemory", "0")
    assert (one.ledger.apart, one.counted[LIMITS_FAILED]) == (True, 1)
    assert (one.buckets.untold or {})["a"] == pytest.approx(50)
    await one.ledger.close()
