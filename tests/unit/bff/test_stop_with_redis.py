"""A gateway that stops leaves Redis behind as it found it: no connection of it stays open."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from unittest import mock

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from bff.app import Gateway, build_gateway
from bff.loaders.accounts import AccountCardByIdLoader
from bff.store.shared_records import CHANNEL, FAILED
from tests.unit.bff.access.tokens import Identity
from tests.unit.bff.store.conftest import OwnRedis
from tests.unit.bff.store.conftest import own_redis as own_redis
from tests.unit.bff.test_app import Make
from tests.unit.bff.test_app import make as make
from tests.unit.bff.upstreams.fakes import FakeTransport

AT_ONCE = 4


@pytest.fixture
async def told(own_redis: OwnRedis) -> AsyncIterator[Redis]:
    """A client that asks Redis who is there."""
    async with Redis.from_url(own_redis.url) as client:
        yield client


def gateway(make: Make, url: str) -> Gateway:
    """One with everything on that wants Redis."""
    environment = {
        "BFF__STORE__REDIS_URL": url,
        "BFF__STORE__REDIS_TIMEOUT_MS": "200",
        "BFF__CACHE__ENABLED": "true",
        "BFF__CACHE__REDIS": "true",
        "BFF__LIMITS__ENFORCED": "true",
    }
    with mock.patch.dict(os.environ, environment):
        return build_gateway(make(), "ios", transport=FakeTransport(Identity()))


def uses(one: Gateway) -> list[Awaitable[object]]:
    """What asks Redis on behalf of requests, several at a time."""
    cache, limits = one.pipeline.services.cache, one.pipeline.authenticator.limits
    assert cache is not None
    assert cache.second is not None
    assert limits is not None
    kind = AccountCardByIdLoader.kept_as
    assert kind is not None
    assert kind.form is not None
    shelf = cache.shelf(kind)
    keys = range(AT_ONCE)
    cache.outdated(["account:a"])
    return [
        *(cache.second.get(shelf, kind.form, None, [f"a{n}"]) for n in keys),
        *(one.apq_tier.get(f"k{n}") for n in keys),
        *(limits.attempt("sign_in", f"s{n}", None) for n in keys),
    ]


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await holds():
            await asyncio.sleep(0.01)


async def test_stop_lets_go_of_redis(make: Make, own_redis: OwnRedis, told: Redis) -> None:
    """Cache, its subscriber and writer, texts and limits: Redis has a connection of each, and none
    once the gateway has stopped."""

    async def listens() -> bool:
        return dict(await told.pubsub_numsub(CHANNEL)).get(CHANNEL.encode()) == 1

    one = gateway(make, own_redis.url)
    with capture_logs():
        async with one.running():
            await until(listens)
            await asyncio.gather(*uses(one))
            assert len(await told.client_list()) > AT_ONCE
        await until(lambda: alone(told))


async def test_stop_lets_go_of_stopped_redis(make: Make, own_redis: OwnRedis, told: Redis) -> None:
    """So it is where Redis hangs in the middle of what it was asked."""
    one = gateway(make, own_redis.url)
    await told.ping()
    with capture_logs() as logs:
        async with one.running():
            await asyncio.gather(*uses(one))
            own_redis._process.send_signal(signal.SIGSTOP)
            asking = [asyncio.ensure_future(use) for use in uses(one)]
            await asyncio.sleep(0)
        own_redis._process.send_signal(signal.SIGCONT)
        await asyncio.gather(*asking)
        await until(lambda: alone(told))
    assert FAILED in {line["event"] for line in logs}, "the fault was not injected"


async def alone(told: Redis) -> bool:
    """Whether Redis knows of nobody but the asking client."""
    return len(await told.client_list()) == 1
