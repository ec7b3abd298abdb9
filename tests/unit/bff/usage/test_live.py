"""Promises of bff/usage/live.py, against a real Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from bff.config import StoreConfig, UsageConfig
from bff.store.redis_tier import connected
from bff.usage.counts import Count
from bff.usage.live import FAILED, KEPT_S, Live
from bff.usage.recorder import Recorder
from persisted_queries.store import Store
from persisted_queries.usage import read_usage
from tests.harness.databases import free_port
from tests.harness.databases import redis_url as redis_url

HOME = "a" * 64


def live_at(url: str, events: list[str]) -> Live:
    config = StoreConfig(redis_url=SecretStr(url), redis_timeout_ms=500)
    return Live(connected(config), "ios", event=events.append)


@pytest.fixture
async def live(redis_url: str) -> AsyncIterator[Live]:
    """A live view on the session's Redis, emptied."""
    found = live_at(redis_url, [])
    yield found
    await found.close()


def counted(requests: int, errors: int = 0) -> Count:
    count = Count()
    count.requests, count.errors = requests, errors
    return count


async def test_increments_of_gateways_add_up(live: Live, redis_url: str) -> None:
    """What several gateways push within the minutes looked at is summed, by release and document,
    and goes away by itself."""
    other = live_at(redis_url, [])
    await live.push({("7.4.0+812", HOME): counted(3, 1), ("", ""): counted(1, 1)})
    await other.push({("7.4.0+812", HOME): counted(2)})
    assert await live.last(2) == {("7.4.0+812", HOME): (5, 1), ("", ""): (1, 1)}
    (key,) = await live._redis.keys("facet:ios:usage:*")
    assert 0 < await live._redis.ttl(key) <= KEPT_S
    await other.close()


async def test_redis_away_costs_only_this_view() -> None:
    """Redis down: counted once, left alone for a moment, and roll-ups hold everything."""
    events: list[str] = []
    nowhere = live_at(f"redis://127.0.0.1:{free_port()}/0", events)
    store = Store.in_memory()
    recorder = Recorder("ios", UsageConfig(), store, nowhere, event=events.append)
    await recorder.open()
    for _ in range(3):
        recorder.count("7.4.0+812", "phone", [(HOME, False)], 100)
        await recorder._tick()
    await recorder.close()
    assert events == [FAILED]
    assert read_usage(store, "ios", 1).release("7.4.0+812").requests == 3


async def test_invented_releases_are_one(live: Live) -> None:
    """What callers invent is pushed under the few names that are told apart."""
    known = {"7.4.0": "7.4.0"}
    counts = {(release, HOME): counted(1) for release in ("7.4.0", "0.0.1", "0.0.2")}
    await live.push(counts, lambda release: known.get(release, "*"))
    assert await live.last(2) == {("7.4.0", HOME): (1, 0), ("*", HOME): (2, 0)}
