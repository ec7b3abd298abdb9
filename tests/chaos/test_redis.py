"""Whatever becomes of Redis: nothing that needs it fails, and no verdict changes (R7)."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sized
from dataclasses import dataclass

import pytest

from tests.chaos import memory
from tests.chaos.judge import EVERYBODY, non_answer
from tests.chaos.matrix import Cell, judge, recover, wave
from tests.chaos.record import Record
from tests.chaos.rig import Gateway, Rig
from tests.chaos.store_cases import REDIS, REDIS_FAULTS
from tests.chaos.stores import OwnRedis, own_redis
from tests.chaos.verdicts import Verdicts
from tests.harness.faults.proxy import FaultProxy, fault_proxy

pytestmark = [pytest.mark.chaos, pytest.mark.modeless]
WAVES = 10
SLOWER_S = 0.1


@dataclass
class Way:
    """Redis, and the proxy before it."""

    redis: OwnRedis
    proxy: FaultProxy


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    with own_redis() as redis, fault_proxy({REDIS: str(redis.port)}) as proxy:
        yield Way(redis, proxy)


@pytest.fixture(scope="module")
async def gateway(rig: Rig, way: Way) -> Gateway:
    """A gateway whose Redis is behind the proxy."""
    url = f"redis://127.0.0.1:{way.proxy.ports[REDIS]}/0"
    started = rig.start(
        "redis", {"BFF__STORE__REDIS_URL": url, "BFF__LIMITS__ENFORCED": "true", **ROOMY}
    )
    rig.ready([started])
    await started.learn()
    return started


# Limits are on, so that Redis is asked for every request, and so wide that none is met.
ROOMY = {
    f"BFF__LIMITS__{name}": "100000000"
    for name in (
        "ADDRESS_PER_MINUTE",
        "ADDRESS_BURST",
        "USER_PER_MINUTE",
        "USER_BURST",
        "USER_COST_PER_MINUTE",
        "USER_COST_BURST",
        "ADDRESS_COST_PER_MINUTE",
        "ADDRESS_COST_BURST",
    )
}


@pytest.fixture(scope="module")
async def verdicts(rig: Rig, gateway: Gateway) -> tuple[Verdicts, dict[str, str]]:
    """The questions, and what is said to them with Redis there."""
    asked = Verdicts(rig, gateway)
    await asked.prepare()
    await asked.until_signed_out()
    return asked, await asked.all()


@pytest.mark.parametrize("name", REDIS_FAULTS)
async def test_redis_decides_nothing(
    gateway: Gateway,
    way: Way,
    verdicts: tuple[Verdicts, dict[str, str]],
    record: Record,
    name: str,
) -> None:
    """No non-answer, p99 at most 100 ms more, every verdict as before."""
    asked, before = verdicts
    usual = await _asked(gateway)
    resident = memory.mark(gateway.pid)
    asked.answers.clear()
    with REDIS_FAULTS[name](way.proxy, way.redis) as fault:
        cell = await _asked(gateway)
        said = await asked.all()
        met = fault.proof()
    cell.memory_mb = memory.highest(gateway.pid) - resident
    await recover(gateway, cell, time.monotonic())
    judge(cell, gateway, EVERYBODY)
    changed = {what: (before[what], said[what]) for what in before if said[what] != before[what]}
    broken = _broken(cell, usual) + [f"verdict changed: {changed}"] * bool(changed)
    broken += [f"verdict: {why}" for one in asked.answers if (why := non_answer(one))]
    broken += ["VOID: Redis was never asked meanwhile"] * (not met)
    record.note("stores", broken, **_row(name, cell, changed))
    assert broken == []


async def _asked(gateway: Gateway) -> Cell:
    cell = Cell(gateway.name)
    for _ in range(WAVES):
        await wave(gateway, cell)
    return cell


def _row(name: str, cell: Cell, changed: Sized) -> dict[str, object]:
    return {
        "store": REDIS,
        "fault": name,
        **cell.plain(),
        "p99_ms": round(cell.at(0.99) * 1000),
        "verdicts_changed": len(changed),
    }


def _broken(cell: Cell, usual: Cell) -> list[str]:
    found = cell.broken()
    if cell.partial:
        found.append(f"{cell.partial} answers were not whole: {dict(cell.codes)}")
    if cell.at(0.99) > usual.at(0.99) + SLOWER_S:
        found.append(f"p99 {cell.at(0.99):.3f} s, before {usual.at(0.99):.3f} s")
    return found
