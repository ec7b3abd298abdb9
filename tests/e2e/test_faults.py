"""A spoilt core service costs what is its own: coded, in time, and well again soon after."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator

import pytest

from bff.commands.development import SERVICES
from bff.commands.processes import Children
from tests.chaos.cases import FAULTS, SHORT
from tests.chaos.matrix import run_case
from tests.chaos.rig import Gateway, Rig
from tests.harness.faults.proxy import fault_proxy
from tests.harness.modes import COMPILED
from tests.harness.stack import Stack

MODE = "compiled" if COMPILED else "generic"


@pytest.fixture(scope="module")
async def spoilt(stack: Stack) -> AsyncIterator[tuple[Rig, Gateway]]:
    """A gateway with deadlines as in production and nothing kept, its services behind a proxy."""
    upstreams = {name: f"{stack.where.service_port(name)}/http" for name in SERVICES}
    told = {
        "BFF__PLANS__MODE": MODE,
        "BFF__CACHE__ENABLED": "false",
        **{name: value for name, value in os.environ.items() if name in PASSED_ON},
    }
    with fault_proxy(upstreams) as proxy, Children() as children:
        rig = Rig(stack, proxy, children)
        gateway = rig.start(f"{MODE}, short", told)
        rig.ready([gateway])
        await gateway.learn()
        yield rig, gateway


PASSED_ON = ("BFF__UPSTREAMS__TRANSPORT",)


@pytest.mark.parametrize(("name", "service"), SHORT)
async def test_spoilt_service_is_survived(
    spoilt: tuple[Rig, Gateway], name: str, service: str
) -> None:
    """Ten requests at a time, twice: no non-answer, every part of another service there, no
    internals told, and five whole answers in a row once the fault is gone."""
    rig, gateway = spoilt
    case = await run_case(rig, [gateway], service, name, FAULTS[name])
    [cell] = case.cells
    assert case.injected > 0, "the fault was not injected"
    assert cell.calls[1] > 0, "no call failed"
    assert (cell.non_answers, cell.wrong) == ([], [])
    assert cell.partial > 0, "nothing was missing"
