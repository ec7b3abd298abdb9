"""Two gateways over one Redis: what one was answered the other need not ask for, a write through
one is read through the other, and a Redis that hangs costs nothing but that."""

from __future__ import annotations

import asyncio
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
from redis.asyncio import Redis

from bff.store.shared_records import CHANNEL, FAILED
from tests.e2e.test_caching import CARDS, FEED, HEAD, ON, STATS, Kept, entries
from tests.harness.databases import redis_url as redis_url
from tests.harness.stack import Stack, ask, registered
from tests.harness.transports import RecordingTransport
from tests.unit.bff.store.conftest import OwnRedis
from tests.unit.bff.store.conftest import own_redis as own_redis


@dataclass
class Pair:
    """Two gateways of one platform that hear of each other, and what the second one asks for."""

    stack: Stack
    first: httpx2.AsyncClient
    second: httpx2.AsyncClient
    asked: Kept
    token: str

    async def home(self, client: httpx2.AsyncClient) -> dict[str, Any]:
        operation = registered(self.stack.settings("ios"), "ios", "Home")
        return await ask(client, operation.id, token=self.token)

    async def rename(self) -> str:
        """A new name for the viewer, told through the first."""
        name = f"New {uuid.uuid4().hex[:6]}"
        operation = registered(self.stack.settings("ios"), "ios", "EditProfile")
        given = {"idempotencyKey": uuid.uuid4().hex, "displayName": name}
        body = await ask(self.first, operation.id, {"input": given}, self.token)
        assert "errors" not in body
        return name

    async def called(self, client: httpx2.AsyncClient) -> str:
        """The viewer's name on the home screen, which is whole."""
        body = await self.home(client)
        assert "errors" not in body
        return str(body["data"]["home"]["viewer"]["displayName"])


@asynccontextmanager
async def _pair(stack: Stack, url: str, account: str, timeout_ms: int) -> AsyncIterator[Pair]:
    """Nothing of them is left in Redis's list of clients at the end."""
    told = {
        **ON,
        "BFF__STORE__REDIS_URL": url,
        "BFF__STORE__REDIS_TIMEOUT_MS": str(timeout_ms),
    }
    asked, token = Kept(RecordingTransport), stack.token(stack.handle(account))
    async with Redis.from_url(url) as client:

        async def both_listen() -> bool:
            return dict(await client.pubsub_numsub(CHANNEL)).get(CHANNEL.encode()) == 2

        async def alone() -> bool:
            return len(await client.client_list()) == 1

        async with (
            stack.gateway("ios", environment=told) as first,
            stack.gateway("ios", asked, told) as second,
        ):
            await _until(both_listen)
            yield Pair(stack, first, second, asked, token)
        await _until(alone)


async def _until(holds: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(20):
        while not await holds():
            await asyncio.sleep(0.02)


async def _failed(client: httpx2.AsyncClient) -> float:
    """How often a gateway's cache found Redis away."""
    text = (await client.get("/metrics")).text
    begins = f'facet_events_total{{event="{FAILED}"'
    return sum(float(line.split()[1]) for line in text.splitlines() if line.startswith(begins))


async def test_gateways_share_what_is_kept(stack: Stack, redis_url: str) -> None:
    """The second gateway asks only for what is the viewer's own, and reads soon what was written
    through the first."""
    async with _pair(stack, redis_url, "acc_01006", 1_000) as pair:
        whole = await pair.home(pair.first)
        kept = await entries(pair.first)

        async def is_shared() -> bool:
            async with Redis.from_url(redis_url) as client:
                return len(await client.keys("facet:ios:record:*")) >= kept

        await _until(is_shared)
        again = await pair.home(pair.second)
        assert pair.asked.taken() == {FEED: 1, HEAD: 1}
        assert again["data"] == whole["data"]
        name = await pair.rename()

        async def is_told() -> bool:
            return await pair.called(pair.second) == name

        await _until(is_told)


async def test_hanging_redis_stops_no_answer(stack: Stack, own_redis: OwnRedis) -> None:
    """While Redis hangs both gateways answer whole screens, from what they keep themselves and
    from the services, and a write is read at once where it was made; elsewhere once Redis goes on.
    """
    async with _pair(stack, own_redis.url, "acc_01007", 100) as pair:
        before = await pair.called(pair.first)
        failed = await _failed(pair.second)
        own_redis._process.send_signal(signal.SIGSTOP)
        assert await pair.called(pair.second) == before
        assert set(pair.asked.taken()) == {CARDS, FEED, STATS, HEAD}
        assert await _failed(pair.second) > failed, "the fault was not injected"
        name = await pair.rename()
        assert await pair.called(pair.first) == name
        assert await pair.called(pair.second) == before
        own_redis._process.send_signal(signal.SIGCONT)

        async def is_told() -> bool:
            return await pair.called(pair.second) == name

        await _until(is_told)
