"""Promises of bff/store/redis_tier.py, against a real Redis."""

import asyncio
from collections.abc import AsyncIterator
from typing import Protocol

import pytest
from pydantic import SecretStr
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bff.config import StoreConfig
from bff.errors import ConfigError
from bff.store.memory import MemoryTier
from bff.store.redis_tier import RedisTier, let_go
from bff.store.redis_tier import connected as client
from bff.store.tier import TierError
from bff.store.two_tier import STORE_FAILED, TwoTier
from tests.harness.databases import free_port


class OwnRedis(Protocol):
    """What the fixture `own_redis` gives."""

    url: str

    def kill(self) -> None: ...

    def restart(self) -> None: ...


def connected(url: str, platform: str = "ios", timeout_ms: int = 500) -> RedisTier:
    config = StoreConfig(redis_url=SecretStr(url), redis_timeout_ms=timeout_ms)
    return RedisTier.connect(config, platform)


@pytest.fixture
async def tier(redis_url: str) -> AsyncIterator[RedisTier]:
    """A tier on the session's Redis."""
    found = connected(redis_url)
    yield found
    await found.close()


async def test_bytes_come_back_unchanged(tier: RedisTier) -> None:
    """Any bytes come back as they were put, and an unknown key is a miss."""
    value = bytes(range(256))
    await tier.put("a", value, 60)
    assert await tier.get("a") == value
    assert await tier.get("b") is None


async def test_value_has_its_ttl(tier: RedisTier, redis_url: str) -> None:
    """Redis itself is told how long to keep a value, in milliseconds."""
    await tier.put("a", b"1", 1.5)
    async with Redis.from_url(redis_url) as redis:
        assert 0 < await redis.pttl("facet:ios:a") <= 1500


async def test_platforms_share_no_key(tier: RedisTier, redis_url: str) -> None:
    """Two platforms on one Redis do not see each other's values."""
    other = connected(redis_url, "android")
    await tier.put("a", b"1", 60)
    assert await other.get("a") is None
    await other.close()


async def test_many_calls_share_few_connections(redis_url: str) -> None:
    """More calls at once than connections wait for one instead of failing."""
    config = StoreConfig(
        redis_url=SecretStr(redis_url), redis_max_connections=2, redis_timeout_ms=1000
    )
    tier = RedisTier.connect(config, "ios")
    await asyncio.gather(*(tier.put(str(index), b"x", 60) for index in range(50)))
    assert await asyncio.gather(*(tier.get(str(index)) for index in range(50))) == [b"x"] * 50
    await tier.close()


async def test_nobody_listening_is_an_error() -> None:
    """A Redis that is not there is a TierError at the call, not at start-up."""
    tier = connected(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(TierError):
        await tier.get("a")
    with pytest.raises(TierError):
        await tier.put("a", b"1", 60)
    await tier.close()


async def test_failure_is_not_retried() -> None:
    """A Redis that hangs up is asked once: the request that waits has a way without it."""
    callers = 0

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal callers
        callers += 1
        writer.close()
        await writer.wait_closed()

    async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
        tier = connected(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}/0")
        with pytest.raises(TierError):
            await tier.get("a")
        assert callers == 1
        await tier.close()


async def test_busy_redis_times_out(redis_url: str) -> None:
    """A Redis that accepts and does not answer is given up, and used again when it does."""
    tier = connected(redis_url, timeout_ms=20)
    async with Redis.from_url(redis_url) as redis:
        await redis.set("facet:ios:a", b"1")
        # Accepts everybody and answers nobody, on every Redis since 6.2 and with any configuration.
        assert await redis.client_pause(1_000, all=True)
        await until(tier, answers=False)
    await until(tier, answers=True)
    await tier.close()


async def until(tier: RedisTier, answers: bool) -> None:
    """Ask until the tier answers, or fails: when the pause begins and ends is Redis's affair."""
    while True:
        try:
            answered = await tier.get("a") == b"1"
        except TierError:
            answered = False
        if answered is answers:
            return


async def test_killed_redis_becomes_a_miss(own_redis: OwnRedis) -> None:
    """When Redis dies, requests go on from this process alone and the fault is counted."""
    events: list[str] = []
    tier = TwoTier(
        MemoryTier(10, 1000), connected(own_redis.url), pause_s=3600, count=events.append
    )
    await tier.put("a", b"1", 60)
    own_redis.kill()
    assert await tier.get("a") == b"1"
    assert await tier.get("unknown") is None
    assert events == [STORE_FAILED]
    await tier.put("b", b"2", 60)
    assert await tier.get("b") == b"2"
    assert await tier.get("unknown") is None
    assert events == [STORE_FAILED]
    await tier.close()


async def test_restarted_redis_is_used_again(own_redis: OwnRedis) -> None:
    """A Redis that comes back is used again without a restart of the gateway."""
    events: list[str] = []
    shared = connected(own_redis.url)
    tier = TwoTier(MemoryTier(10, 1000), shared, pause_s=0, count=events.append)
    await tier.put("a", b"1", 60)
    own_redis.kill()
    assert await tier.get("unknown") is None
    own_redis.restart()
    await tier.put("b", b"2", 60)
    assert await shared.get("b") == b"2"
    assert events == [STORE_FAILED]
    await tier.close()


async def test_leave_never_fails(redis_url: str) -> None:
    """A connection that is not closed in time is let go of all the same: others are closed after
    it."""
    redis = client(StoreConfig(redis_url=SecretStr(redis_url)))
    await redis.ping()
    [connection] = redis.connection_pool._available_connections
    connection.socket_connect_timeout = 0
    with pytest.raises(RedisError):
        await redis.aclose()
    connection.socket_connect_timeout = 1
    await redis.ping()
    connection.socket_connect_timeout = 0
    await let_go(redis)
    assert not connection.is_connected


@pytest.mark.parametrize("url", [None, "http://127.0.0.1:6379", "redis://127.0.0.1:port"])
def test_wrong_url_is_a_config_error(url: str | None) -> None:
    """A missing or unusable URL names the setting and never shows its value."""
    config = StoreConfig(redis_url=SecretStr(url) if url else None)
    with pytest.raises(ConfigError, match=r"store\.redis_url") as refused:
        RedisTier.connect(config, "ios")
    assert "127.0.0.1" not in str(refused.value)
