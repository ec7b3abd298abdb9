"""Any single fault of any core service: every answer comes in time, coded, with all other parts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import msgspec
import pytest

from bff.commands.development import SERVICES
from tests.chaos.cases import DEAD, FAULTS, HARMLESS, SLOW
from tests.chaos.matrix import Case, run_case
from tests.chaos.record import Record
from tests.chaos.rig import Gateway, Rig

pytestmark = [pytest.mark.chaos, pytest.mark.modeless]
MODES = ("compiled", "generic")
COLD, WARM = "cold", "warm"
RUNS = 3
FULL = 0.99  # of the answers of a warm gateway while a service is dead


@dataclass
class Elsewhere:
    """Where redirects lead: nobody may ever come."""

    port: int
    visits: int = 0


@pytest.fixture(scope="module")
async def elsewhere() -> AsyncIterator[Elsewhere]:
    found = Elsewhere(0)

    async def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        found.visits += 1
        writer.close()

    server = await asyncio.start_server(visited, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    yield found
    server.close()


@pytest.fixture(scope="module")
async def gateways(rig: Rig) -> list[Gateway]:
    """In each mode one that keeps no answers, and one that has kept those of every screen."""
    started = [
        rig.start(
            f"{mode}, {cache}",
            {"BFF__PLANS__MODE": mode, "BFF__CACHE__ENABLED": str(cache == WARM).lower()},
        )
        for mode in MODES
        for cache in (COLD, WARM)
    ]
    rig.ready(started)
    for gateway in started:
        await gateway.learn()
    return started


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("service", SERVICES)
async def test_answers_stand(
    rig: Rig,
    gateways: list[Gateway],
    elsewhere: Elsewhere,
    record: Record,
    service: str,
    name: str,
) -> None:
    """No non-answer, none later than 2 s, all parts of other services, little memory, and good
    again within 6 s; in both modes."""
    fault = FAULTS[name]
    told = msgspec.structs.replace(fault, to=fault.to.format(port=elsewhere.port))
    wrong: list[str] = []
    runs = 0
    for _ in range(RUNS):
        runs += 1
        case = await run_case(rig, gateways, service, name, told)
        wrong += _wrong(case, elsewhere)
        late = _late(case)
        if wrong or not late:
            break
    record.note("faults", wrong + late, **case.plain(), runs=runs)
    assert wrong + late == []


def _wrong(case: Case, elsewhere: Elsewhere) -> list[str]:
    """What may not be in any run."""
    found = [why for cell in case.cells for why in cell.wrongs()]
    if case.injected == 0:
        found.append("VOID: the fault was never injected")
    if elsewhere.visits:
        found.append(f"{elsewhere.visits} calls followed a redirect (S8)")
    for cell in case.cells:
        # What fails now and then may be well the second time.
        always = case.fault not in HARMLESS | SLOW and FAULTS[case.fault].ratio == 1
        if always and cell.calls[1] == 0:
            found.append(f"VOID: no call of {cell.gateway} failed")
    return found


def _late(case: Case) -> list[str]:
    """Figures: what else the machine does may spoil them, so that the best of three runs counts."""
    found = [why for cell in case.cells for why in cell.late()]
    for cell in case.cells:
        if case.fault in HARMLESS and cell.whole_share < 1:
            found.append(f"{cell.gateway}: a harmless fault cost {dict(cell.codes)}")
        if case.fault in DEAD and WARM in cell.gateway and cell.whole_share < FULL:
            found.append(f"{cell.gateway}: {cell.whole_share:.2f} whole, at least {FULL} (R3)")
    return found
