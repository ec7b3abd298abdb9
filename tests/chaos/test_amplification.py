"""A failing service is not asked more often for failing (R4)."""

from __future__ import annotations

import asyncio
import time
from collections import Counter

import pytest

from bff.commands.development import SERVICES
from tests.chaos.cases import PRIMARY
from tests.chaos.judge import non_answer
from tests.chaos.matrix import Cell, recover
from tests.chaos.record import Record
from tests.chaos.rig import Gateway, Rig
from tests.harness.faults.fault import Fault, Kind

pytestmark = [pytest.mark.chaos, pytest.mark.modeless]
REQUESTS = 1_000
AT_ONCE = 16
MOST = 1.10
MODES = ("compiled", "generic")
FAULTS = {
    "50 % status 503": Fault(Kind.STATUS, status=503, ratio=0.5),
    "status 503": Fault(Kind.STATUS, status=503),
    "50 % reset": Fault(Kind.RESET_SOMETIMES, ratio=0.5),
}


@pytest.fixture(scope="module")
async def gateways(rig: Rig) -> dict[str, Gateway]:
    """One a mode, that keeps no answers: each request needs its call."""
    told = {"BFF__CACHE__ENABLED": "false"}
    found = {
        mode: rig.start(f"{mode}-amplified", {"BFF__PLANS__MODE": mode, **told}) for mode in MODES
    }
    rig.ready(list(found.values()))
    for gateway in found.values():
        await gateway.learn()
    return found


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("mode", MODES)
async def test_failing_is_not_amplified(
    rig: Rig, gateways: dict[str, Gateway], record: Record, mode: str, service: str, name: str
) -> None:
    """Of 1,000 requests that each need one call, at most 1.10 calls a request arrive."""
    gateway, first = gateways[mode], PRIMARY[service]
    left = REQUESTS
    wrong: Counter[str] = Counter()

    async def one() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            why = non_answer(await gateway.ask(first.screen))
            if why is not None:
                wrong[why] += 1

    rig.proxy.set(service, FAULTS[name])
    await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    counts = rig.proxy.clear(service)
    calls, injected = counts.paths.get(first.path, 0), counts.injected_paths.get(first.path, 0)
    broken = [f"non-answers: {dict(wrong)}"] * bool(wrong)
    broken += [f"{calls} calls for {REQUESTS} requests"] * (calls > REQUESTS * MOST)
    broken += ["VOID: the fault was never injected"] * (injected == 0)
    record.note(
        "amplification",
        broken,
        fault=name,
        service=service,
        mode=mode,
        requests=REQUESTS,
        injected=injected,
        amplification=round(calls / REQUESTS, 3),
        non_answers=wrong.total(),
    )
    await recover(gateway, Cell(gateway.name), time.monotonic())
    assert broken == []
