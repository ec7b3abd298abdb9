"""A service killed in the middle of a write: the app repeats its key, and nothing is lost or made
twice, on both databases.

The address is added through a gateway; between gateway and service stands an interceptor that kills
the service after the whole request reached it and before its reply. Only such rounds count. Another
process of the service is there at once, as with replicas.
"""

from __future__ import annotations

import random
import statistics
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import func, insert, select

from core_services.accounts.app import SERVICE
from core_services.accounts.routes import MOST_ADDRESSES
from core_services.accounts.seed import seed_tables
from core_services.accounts.tables import accounts, addresses
from core_services.kit.database import Database
from core_services.kit.migrations.run import upgrade
from tests.harness.databases import KINDS, fresh_database
from tests.harness.interceptor import Interceptor, Trap, intercepting
from tests.harness.nursery import Newborn, Nursery, nursery
from tests.harness.stack import Stack, ask, registered

# Not executed by plans: `make verify` asks in both modes, `make test` in one.
pytestmark = pytest.mark.modeless

PATH = "/v1/addresses"
ACKED_WITHIN_S = 15.0
# A kill may come too late, when the reply is there already: such a round is no round.
MOST_TRIES_A_ROUND = 5
WARM_UP = 3
ADDRESS = {"line1": "1 Pier", "city": "Berlin", "postcode": "1", "country": "DE"}
GATEWAY = {
    # The breaker would wait for a service that here is back at once; it has tests of its own.
    "BFF__UPSTREAMS__SERVICES__ACCOUNTS__GUARD__BREAKER_CALLS": "1000000",
    # The gateway would repeat a keyed call by itself: here that is the app's part.
    "BFF__UPSTREAMS__SERVICES__ACCOUNTS__GUARD__RETRY_SHARE": "0",
}


@dataclass
class Acked:
    """What the app was told of one intent."""

    key: str
    address_id: str
    replies: set[str]


@dataclass
class World:
    """A gateway over accounts processes that come and go."""

    stack: Stack
    gateway: httpx2.AsyncClient
    interceptor: Interceptor
    nursery: Nursery
    database: Database
    document: str
    current: Newborn
    acked: list[Acked] = field(default_factory=list)
    refused: int = 0
    slowest_s: float = 0.0
    _chance: random.Random = field(default_factory=lambda: random.Random(20_261_120))
    _sent: int = 0
    _token: str = ""

    async def write(self) -> None:
        """One intent: sent with its key until the app is told that it is done, and once more."""
        if self._sent % (MOST_ADDRESSES - 5) == 0:  # seeded accounts have a few
            number = self._sent // (MOST_ADDRESSES - 5) + 2
            self._token = self.stack.token(self.stack.handle(f"acc_{number:05d}"))
        self._sent += 1
        key, started = uuid.uuid4().hex, time.monotonic()
        replies: set[str] = set()
        while not replies:
            found = await self._send(key)
            if "errors" not in found:
                replies.add(str(found["data"]))
            else:
                self.refused += 1
                assert found["errors"][0]["extensions"]["code"].startswith("UPSTREAM_"), found
            assert time.monotonic() - started < ACKED_WITHIN_S
        self.slowest_s = max(self.slowest_s, time.monotonic() - started)
        again = await self._send(key)
        replies.add(str(again["data"]))
        self.acked.append(Acked(key, again["data"]["addAddress"]["address"]["id"], replies))

    async def _send(self, key: str) -> dict[str, Any]:
        values = {"idempotencyKey": key, "label": key, **ADDRESS}
        return await ask(self.gateway, self.document, {"input": values}, self._token)

    async def usual_s(self) -> float:
        """How long a write is with the service, as a rule."""
        taken = []
        for _ in range(WARM_UP):
            trap = self.interceptor.trap = Trap(PATH, 3_600, lambda: None)
            await self.write()
            assert trap.reply_s is not None
            taken.append(trap.reply_s)
        return statistics.median(taken)

    async def interrupt(self, usual_s: float) -> bool:
        """One write whose service is killed, at any moment of it; whether it was in time."""
        following = await self.nursery.bear()
        killed = self.current

        def kill() -> None:
            self.interceptor.target = following.port
            killed.kill()

        trap = self.interceptor.trap = Trap(PATH, self._chance.uniform(0, usual_s), kill)
        await self.write()
        if trap.sprung_at is None:
            kill()
        self.current = following
        return trap.interrupted

    async def stored(self) -> dict[str, list[str]]:
        """The ids of the addresses of each label, as another process finds them."""
        async with self.database.reader() as connection:
            columns = addresses.c
            rows = await connection.execute(
                select(columns.label, columns.id).where(func.length(columns.label) == 32)
            )
            found: dict[str, list[str]] = {}
            for label, id_ in rows:
                found.setdefault(label, []).append(id_)
            return found


@pytest.fixture(params=KINDS)
def database_url(
    request: pytest.FixtureRequest, pytestconfig: pytest.Config, tmp_path: Path
) -> Iterator[str]:
    """An empty database of each kind."""
    with fresh_database(request.param, pytestconfig, tmp_path) as url:
        yield url


@pytest_asyncio.fixture
async def world(database_url: str, stack: Stack, tmp_path: Path) -> AsyncIterator[World]:
    """Accounts with a hundred accounts in a database of its own, behind a gateway of its own."""
    database = Database(database_url)
    await upgrade(database, SERVICE.versions)
    [seeded] = [table for table in seed_tables() if table.table is accounts]
    async with database.writer() as connection:
        await connection.execute(insert(accounts), [dict(one) for one in islice(seeded.rows(), 99)])
    environ = {
        **stack.where.service_environment("accounts"),
        "ACCOUNTS__DATABASE_URL": database_url,
    }
    with nursery("accounts", environ, tmp_path / "accounts.log") as nurse:
        first = await nurse.bear()
        async with intercepting(first.port) as interceptor:
            url = f"http://127.0.0.1:{interceptor.port}"
            environment = {"BFF__UPSTREAMS__SERVICES__ACCOUNTS__URL": url, **GATEWAY}
            async with stack.gateway("ios", environment=environment) as gateway:
                document = registered(stack.settings("ios"), "ios", "AddAddress").id
                yield World(stack, gateway, interceptor, nurse, database, document, first)
    await database.close()


async def _hold(world: World, rounds: int) -> None:
    usual_s = await world.usual_s()
    interrupted = 0
    for _ in range(rounds * MOST_TRIES_A_ROUND):
        interrupted += await world.interrupt(usual_s)
        if interrupted == rounds:
            break
    assert interrupted == rounds, f"only {interrupted} kills came between request and reply"
    assert world.refused >= rounds  # the app itself had to repeat
    stored = await world.stored()
    lost = [one.key for one in world.acked if one.address_id not in stored.get(one.key, [])]
    doubled = [key for key, ids in stored.items() if len(ids) > 1]
    assert (lost, doubled) == ([], [])
    assert len(stored) == len(world.acked)
    assert {len(one.replies) for one in world.acked} == {1}


async def test_killed_write_is_made_once(world: World) -> None:
    """Ten kills in the middle of a write: each is made once, and answered alike for ever."""
    await _hold(world, 10)


@pytest.mark.chaos
@pytest.mark.timeout(900)
async def test_two_hundred_killed_writes(world: World) -> None:
    """Two hundred kills, at random moments of the write: some before its effect was committed and
    some after, as the replays show."""
    await _hold(world, 200)
    assert 0 < world.interceptor.replayed - len(world.acked) < world.refused
