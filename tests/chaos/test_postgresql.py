"""Whatever becomes of PostgreSQL: answers are coded and in time, and no acknowledged write is lost
(R8)."""

from __future__ import annotations

import asyncio
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

import pytest

from bff.commands.development import SERVICES
from tests.chaos import memory
from tests.chaos.judge import EVERYBODY, non_answer
from tests.chaos.matrix import Cell, judge, recover, wave
from tests.chaos.record import Record
from tests.chaos.rig import Gateway, Rig, running_rig
from tests.chaos.store_cases import POSTGRES, POSTGRES_FAULTS
from tests.chaos.stores import OwnPostgres, own_postgres
from tests.chaos.wire import Answer, ask, request
from tests.harness.faults.proxy import FaultProxy, fault_proxy
from tests.harness.stack import registered

pytestmark = [pytest.mark.chaos, pytest.mark.modeless]
WAVES = 2
# Not whose screens are compared.
WRITER = "SELECT handle FROM accounts WHERE id = 'acc_01042'"


@dataclass
class Base:
    """The product on PostgreSQL, and the proxy between them."""

    server: OwnPostgres
    proxy: FaultProxy
    rig: Rig
    gateway: Gateway
    token: str


@pytest.fixture(scope="module")
async def base(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with own_postgres() as server, fault_proxy({POSTGRES: server.socket_path}) as proxy:
        port = proxy.ports[POSTGRES]
        urls = {
            f"{name.upper()}__DATABASE_URL": (
                f"postgresql+asyncpg://postgres@127.0.0.1:{port}/{server.new_database()}"
            )
            for name in SERVICES
        }
        with running_rig(tmp_path_factory.mktemp("postgres"), None, urls) as rig:
            gateway = rig.start("postgres")
            rig.ready([gateway])
            await gateway.learn()
            database = urls["ACCOUNTS__DATABASE_URL"].rpartition("/")[2]
            handle = server.ask(WRITER, database)
            yield Base(server, proxy, rig, gateway, rig.stack.token(handle))


@dataclass
class Writes:
    """One viewer's writes, each under a key of its own."""

    base: Base
    acknowledged: dict[str, Any] = field(default_factory=dict)
    answers: list[Answer] = field(default_factory=list)
    number: int = 100

    async def until(self, done: asyncio.Event) -> None:
        """Write on and on."""
        while not done.is_set():
            self.number += 1
            await self.save(uuid.uuid4().hex, self.number)
            await asyncio.sleep(0.02)

    async def save(self, key: str, number: int) -> None:
        answer = await self._ask(key, number)
        self.answers.append(answer)
        if answer.status == 200 and "errors" not in answer.json:
            self.acknowledged[f"{key} {number}"] = answer.json["data"]

    async def lost(self) -> list[str]:
        """Acknowledged writes whose key does not bring back the very same answer."""
        found = []
        for name, data in self.acknowledged.items():
            key, _, number = name.partition(" ")
            again = await self._ask(key, int(number))
            if again.json is None or again.json.get("data") != data:
                found.append(f"{name}: {again.body[:200]!r}")
        return found

    async def _ask(self, key: str, number: int) -> Answer:
        rig = self.base.rig
        operation = registered(rig.stack.settings(rig.platform), rig.platform, "SaveItem")
        values = {"idempotencyKey": key, "itemId": f"itm_{number:05}"}
        body = {"documentId": operation.id, "variables": {"input": values}}
        return await ask(self.base.gateway.port, request(body, self.base.token))


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", POSTGRES_FAULTS)
async def test_writes_outlive_postgresql(base: Base, record: Record, name: str) -> None:
    """Reads and writes are answered in time and coded, all is well soon after, and every write
    that was acknowledged is there."""
    gateway = base.gateway
    writes = Writes(base)
    resident, cell, done = memory.mark(gateway.pid), Cell("postgres"), asyncio.Event()
    writing = asyncio.create_task(writes.until(done))
    await asyncio.sleep(0.3)
    with POSTGRES_FAULTS[name](base.proxy, base.server) as fault:
        for _ in range(WAVES):
            await wave(gateway, cell)
        met = fault.proof()
    mended = time.monotonic()
    cell.memory_mb = memory.highest(gateway.pid) - resident
    await recover(gateway, cell, mended)
    done.set()
    await writing
    judge(cell, gateway, EVERYBODY)
    broken = cell.broken() + [f"lost: {one}" for one in await writes.lost()]
    broken += [f"write: {why}" for one in writes.answers if (why := non_answer(one))][:5]
    broken += ["VOID: the fault was never met"] * (not met)
    broken += ["VOID: no write was acknowledged"] * (not writes.acknowledged)
    record.note(
        "stores",
        broken,
        store=POSTGRES,
        fault=name,
        **cell.plain(),
        p99_ms=round(cell.at(0.99) * 1000),
        writes_acknowledged=len(writes.acknowledged),
        writes_refused=len(writes.answers) - len(writes.acknowledged),
    )
    assert broken == []
