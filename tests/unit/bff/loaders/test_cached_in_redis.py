"""Level two over a real Redis: what one process was answered the others need not ask for."""

from __future__ import annotations

import asyncio
import signal
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import pytest
from redis.asyncio import Redis

from bff.config import StoreConfig
from bff.store.records import MOST_OF_VIEWER, RecordCache
from bff.store.redis_tier import connected
from bff.store.sealed import Sealer
from bff.store.shared_records import FAILED, SharedRecords
from tests.unit.bff.loaders.cached_world import ANN, OWN, Process, Service, away
from tests.unit.bff.loaders.test_cached import PROFILE
from tests.unit.bff.store.conftest import OwnRedis

SECRET = b"secret" * 4


class Shared(Process):
    """A process with level two; `ahead` is how far its own clock is from others'. It waits long
    for Redis, unless a test is about that."""

    def __init__(
        self, url: str, platform: str = "ios", ahead: float = 0.0, timeout_ms: int = 1_000
    ) -> None:
        super().__init__(Service())
        self.events: Counter[str] = Counter()
        self.clock.now += ahead
        started = time.monotonic() - self.clock.now
        sealer = Sealer(SECRET, platform)
        self.skipped = 0.0
        self.cache = RecordCache(
            1_000_000,
            self.counted,
            jitter=0.0,
            named=sealer.tag,
            clock=lambda: time.monotonic() - started + self.skipped,
            background=self.cache.background,
        )
        told = {"redis_url": url, "redis_timeout_ms": timeout_ms}
        redis = connected(StoreConfig.model_validate(told))
        self.second = SharedRecords(
            redis, sealer, self.cache, self._count, timeout_s=timeout_ms / 1000, pause_s=0.05
        )
        self.cache.second = self.second
        self.services = replace(self.services, cache=self.cache)

    def _count(self, event: str) -> None:
        self.events[event] += 1

    async def written(self) -> None:
        """Until what is to be told to Redis was."""
        async with asyncio.timeout(5):
            while self.second._told or self.second._waiting or self.second._gone:
                await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)  # the last of it is still on its way


@asynccontextmanager
async def running(*processes: Shared) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one.second.run()) for one in processes]
    async with AsyncExitStack() as stack:
        for one in processes:
            stack.push_async_callback(one.cache.close)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _text(key: bytes | str) -> str:
    return key.decode() if isinstance(key, bytes) else key


async def subscribed(url: str, count: int) -> None:
    """Until so many processes listen."""
    async with Redis.from_url(url) as client, asyncio.timeout(5):
        while dict(await client.pubsub_numsub("facet:dropped")).get(b"facet:dropped") != count:
            await asyncio.sleep(0.01)


async def test_other_processes_need_not_ask(own_redis: OwnRedis) -> None:
    """What one process was answered another one gives, as old as it is, whatever its clock says."""
    one, other = Shared(own_redis.url), Shared(own_redis.url, ahead=86_400.0)
    async with running(one, other):
        await one.names("a", "b")
        await one.written()
        loader = other.cards()
        assert await other.names("a", "c", "b", loader=loader) == ["a 1", "c 1", "b 1"]
        assert other.service.asked == [["c"]]
        [stale] = other.cards().stale_of(["a"])
        assert stale is not None
        assert 0.0 < stale.age_s < 5.0
        other.skipped = 59.9
        assert await other.names("a") == ["a 1"]
        assert loader.caller.log.cached == 2


async def test_platforms_are_apart(own_redis: OwnRedis) -> None:
    """Platforms share no answers, though they share a Redis."""
    ios, web = Shared(own_redis.url), Shared(own_redis.url, "web")
    async with running(ios, web):
        await ios.names("a")
        await ios.written()
        await web.names("a")
        assert web.service.asked == [["a"]]


async def test_redis_knows_no_names(own_redis: OwnRedis) -> None:
    """No key and no channel of Redis names an account, an item, a viewer or a kind of loader."""
    process = Shared(own_redis.url)
    process.service._body = lambda call, version: PROFILE
    process.service.control = OWN
    process.service.tags = f"profile:{ANN.account_id}"
    async with running(process):
        await process.profile().load(ANN.account_id)
        process.cache.outdated([f"account:{ANN.account_id}"])
        await process.written()
        async with Redis.from_url(own_redis.url) as client:
            keys = [_text(key) for key in await client.keys("*")]
    assert len(keys) > 2
    named = (ANN.account_id, "profile", "session", "account", "loader", "Loader")
    assert not [key for key in keys for name in named if name in key]


async def test_write_reaches_every_process(own_redis: OwnRedis) -> None:
    """What a write made old is dropped in the other processes and in Redis, on all platforms; what
    is asked for from then on is new."""
    one, other, web = (Shared(own_redis.url), Shared(own_redis.url), Shared(own_redis.url, "web"))
    for process in (one, other, web):
        process.service.tags = "account"
    async with running(one, other, web):
        await subscribed(own_redis.url, 3)
        await one.names("a", "b")
        await one.written()
        for process in (other, web):
            await process.names("a", "b")
        one.cache.outdated(["account:a"])
        async with asyncio.timeout(5):
            while any(len(process.cache) > 1 for process in (one, other, web)):
                await asyncio.sleep(0.005)
        await one.written()
        for process in (one, other, web):
            process.service.version = 2
            assert await process.names("a", "b") == ["a 2", "b 1"]
    late = Shared(own_redis.url)
    late.service.version = 3
    async with running(late):
        assert (await late.names("b"))[0] in ("b 1", "b 2")


async def test_dropped_stays_dropped(own_redis: OwnRedis) -> None:
    """An answer from before a write is not believed by a process that heard nothing of it; nor one
    whose tags Redis has lost."""
    writer = Shared(own_redis.url)
    writer.service.tags = "account"
    async with running(writer):
        await writer.names("a", "b")
        await writer.written()
        writer.cache.outdated(["account:a"])
        await writer.written()
        late = Shared(own_redis.url)
        late.service.version = 2
        assert await late.names("a", "b") == ["a 2", "b 1"]
        assert late.counted.counts["redis.outdated"] == 1
        async with Redis.from_url(own_redis.url) as client:
            await client.delete(*await client.keys("facet:tag:*"))
        later = Shared(own_redis.url)
        later.service.version = 3
        assert await later.names("b") == ["b 3"]
    for process in (late, later):
        await process.cache.close()


async def test_last_write_is_told(own_redis: OwnRedis) -> None:
    """What a process that stops was told last, it still tells the others: they would give the old
    for as long as it is fresh."""
    one, other = Shared(own_redis.url), Shared(own_redis.url)
    for process in (one, other):
        process.service.tags = "account"
    async with running(other):
        async with running(one):
            await subscribed(own_redis.url, 2)
            await one.names("a")
            await one.written()
            await other.names("a")
            assert len(other.cache) == 1
            one.cache.outdated(["account:a"])
        async with asyncio.timeout(5):
            while len(other.cache):
                await asyncio.sleep(0.005)


async def test_stop_ends_late_reads() -> None:
    """A read nobody waits for any more ends with the process, though it is still at the door: it
    would open a connection once all are closed."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        port = full.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port), timeout=5):
            process = Shared(f"redis://127.0.0.1:{port}/0")
            process.second._timeout_s = 0.01  # its connection waits longer
            assert await process.names("a") == ["a 1"]
            [read] = process.second._reading
            assert not read.done()
            await process.cache.close()
            assert read.done()


@pytest.mark.parametrize("harm", ["cut", "flipped", "swapped", "other format"])
async def test_spoilt_value_is_a_miss(own_redis: OwnRedis, harm: str) -> None:
    """A value that was cut, changed, put under another name or written otherwise is asked for
    anew, and counted."""
    one, other = Shared(own_redis.url), Shared(own_redis.url)
    async with running(one, other):
        await one.names("a", "b")
        await one.written()
        async with Redis.from_url(own_redis.url) as client:
            first, second = sorted(map(_text, await client.keys("facet:ios:record:*")))
            values: list[Any] = await client.mget(first, second)
            spoilt = {
                "cut": [value[:-3] for value in values],
                "flipped": [value[:40] + bytes([value[40] ^ 1]) + value[41:] for value in values],
                "swapped": values[::-1],
                "other format": [b"\x00" * 40] * 2,
            }[harm]
            await client.mset({first: spoilt[0], second: spoilt[1]})
        other.service.version = 2
        assert await other.names("a", "b") == ["a 2", "b 2"]
        assert other.counted.counts["redis.corrupt"] == 2


@pytest.mark.parametrize("fault", ["killed", "stopped"])
async def test_redis_away_is_a_miss(own_redis: OwnRedis, fault: str) -> None:
    """With Redis dead or stopped every load is answered by the service, waits for Redis a moment
    at most, and now and then alone; what was dropped meanwhile is told when it is back."""
    process = Shared(own_redis.url, timeout_ms=50)
    process.service.tags = "account"
    async with running(process):
        await process.names("z")
        await process.written()
        if fault == "killed":
            own_redis.kill()
        else:
            own_redis._process.send_signal(signal.SIGSTOP)
        started = time.monotonic()
        for n in range(100):
            assert await process.names(f"a{n}") == [f"a{n} 1"]
        assert time.monotonic() - started < 3.0  # it would be 5 s if each waited
        assert process.events[FAILED] > 0
        process.cache.outdated(["account:z"])
        if fault == "killed":
            own_redis.restart()
        else:
            own_redis._process.send_signal(signal.SIGCONT)
        await process.written()
        async with Redis.from_url(own_redis.url) as client:
            tag = await client.get("facet:tag:" + Sealer(SECRET, "ios").tag("account:z"))
        assert tag is not None


async def test_viewers_copy_is_for_bad_days(own_redis: OwnRedis) -> None:
    """A viewer's answer is written now and then, and read only where the service fails: by another
    process, for the same viewer alone."""
    one, other = Shared(own_redis.url), Shared(own_redis.url)
    for process in (one, other):
        process.service._body = lambda call, version: PROFILE
        process.service.control = OWN
    async with running(one, other):
        for _ in range(3):
            await one.profile().load(ANN.account_id)
        await one.written()
        other.service.fault = away()
        [found] = await other.profile().load_all([ANN.account_id])
        assert getattr(found, "display_name", None) == "Ann"
        stranger: Any = type(ANN)("account-1", "device-1", "session-7", 3, ("app",))
        [refused] = await other.profile(stranger).load_all([ANN.account_id])
        assert getattr(refused, "code", None) == "UPSTREAM_UNAVAILABLE"
        async with Redis.from_url(own_redis.url) as client:
            assert len(await client.keys("facet:ios:record:*")) == 1


async def test_account_cannot_fill_redis(own_redis: OwnRedis) -> None:
    """Of one account that names ever new releases no more is in Redis than is kept here; what was
    kept of others stays."""
    one = Shared(own_redis.url)
    one.service._body = lambda call, version: PROFILE
    one.service.control = OWN
    async with running(one):
        for n in range(MOST_OF_VIEWER * 3):
            await one.profile(release=f"9.{n}").load(ANN.account_id)
            if n % 20 == 0:
                await one.written()
        await one.written()
        async with Redis.from_url(own_redis.url) as client:
            kept = len(await client.keys("facet:ios:record:*"))
    assert 0 < kept <= MOST_OF_VIEWER


async def test_drops_tell_their_kinds(own_redis: OwnRedis) -> None:
    """A viewer's write in one process ends no waiting for everybody's answers in another."""
    one, other = Shared(own_redis.url), Shared(own_redis.url)
    other.service.tags = "account"
    async with running(one, other):
        await subscribed(own_redis.url, 2)
        await other.names("a", "b")
        shelf = other.cards()._shelf
        assert shelf is not None
        for tag, left in (("viewer:account-1", 1), ("account:a", 0)):
            shelf.flights["c"] = object()
            stored = other.second._sealer.tag(tag)
            one.cache.outdated([tag])
            async with asyncio.timeout(5):
                while stored not in other.cache._dropped_at:
                    await asyncio.sleep(0.005)
            assert len(shelf.flights) == left


async def test_secret_keeps_strangers_out(own_redis: OwnRedis) -> None:
    """A process with another secret finds nothing, and is believed nothing."""
    one, stranger = Shared(own_redis.url), Shared(own_redis.url)
    stranger.second._sealer = Sealer(b"another", "ios")
    async with running(one, stranger):
        await one.names("a")
        await one.written()
        with suppress(KeyError):
            assert await stranger.names("a") == ["a 1"]
        assert stranger.service.asked == [["a"]]
