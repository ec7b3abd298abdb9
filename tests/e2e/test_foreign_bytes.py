"""No viewer ever sees another's: with answers kept, calls shared and tried again, sections standing
in, and half of the requests given up (S6)."""

from __future__ import annotations

import asyncio
import random
import re
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from bff.commands.development import SERVICES
from bff.commands.processes import Children
from tests.chaos.judge import non_answer
from tests.chaos.rig import Gateway, Rig
from tests.chaos.wire import ask
from tests.harness.faults.fault import Fault, Kind
from tests.harness.faults.proxy import fault_proxy
from tests.harness.stack import Stack

READERS = ("acc_00003", "acc_00777", "acc_00021", "acc_00404")
WORKERS = 40
LEAVES = 0.5
ANSWERS = 30_000
# So rare that most answers are whole, so often that every sort of failure is met.
FAULTS = {
    "accounts": Fault(Kind.STATUS, status=503, ratio=0.05),
    "content": Fault(Kind.RESET_SOMETIMES, ratio=0.05),
    "notifications": Fault(Kind.LATENCY, ratio=0.02, ms=1_400),
}


@dataclass
class Viewer:
    """One of them: what they ask, and what is in their answers and in nobody else's."""

    name: str
    requests: list[bytes]
    texts: set[str] = field(default_factory=set)
    canaries: re.Pattern[bytes] = re.compile(b"(?!)")


@dataclass
class Crowd:
    """What came of it."""

    answered: int = 0
    left: int = 0
    partial: int = 0
    wrong: list[str] = field(default_factory=list)


@pytest.fixture
async def crowded(stack: Stack) -> AsyncIterator[tuple[Rig, Gateway]]:
    """A gateway with everything on, its services behind the fault proxy."""
    upstreams = {name: f"{stack.where.service_port(name)}/http" for name in SERVICES}
    with fault_proxy(upstreams) as proxy, Children() as children:
        rig = Rig(stack, proxy, children)
        gateway = rig.start("crowd")
        rig.ready([gateway])
        await gateway.learn()
        yield rig, gateway


@pytest.mark.verify
@pytest.mark.modeless
@pytest.mark.timeout(1_800)
async def test_nothing_foreign_in_many(crowded: tuple[Rig, Gateway]) -> None:
    """In 30,000 answers, of four viewers, over forty workers that give up half of what they ask,
    while services fail now and then: not one text of another viewer's."""
    rig, gateway = crowded
    viewers = [await _met(rig, gateway, account) for account in READERS]
    for viewer in viewers:
        others = set().union(*(one.texts for one in viewers if one is not viewer))
        viewer.canaries = _any_of(others - viewer.texts)
    assert all(viewer.canaries.pattern != b"" for viewer in viewers)
    for service, fault in FAULTS.items():
        rig.proxy.set(service, fault)
    crowd = await _crowd(gateway, viewers, ANSWERS)
    counts = {service: rig.proxy.clear(service) for service in FAULTS}
    assert crowd.wrong == []
    assert crowd.answered >= ANSWERS
    assert crowd.left > crowd.answered / 3, "too few requests were given up"
    assert crowd.partial > 0, "no answer was partial"
    assert all(one.injected > 100 for one in counts.values()), "too few faults were injected"
    metrics = gateway.metrics()
    assert _sum(metrics, "facet_upstream_joins_total") > 0, "no call was shared"
    assert (await gateway.ask("Home")).status == 200


async def _met(rig: Rig, gateway: Gateway, account: str) -> Viewer:
    """Ask every screen alone, and keep all texts that came."""
    requests = rig.requests(rig.stack.token(rig.stack.handle(account)))
    viewer = Viewer(account, list(requests.values()))
    for asked in viewer.requests:
        answer = await ask(gateway.port, asked)
        assert "errors" not in answer.json, answer.body
        viewer.texts |= set(_texts(answer.json["data"]))
    return viewer


def _texts(value: Any) -> Iterator[str]:
    """Texts long enough to be somebody's."""
    if isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, str) and len(value) > 7:
        yield value


def _any_of(texts: Iterable[str]) -> re.Pattern[bytes]:
    """Finds any of them as a whole JSON string."""
    found = sorted(re.escape(f'"{text}"'.encode()) for text in texts if text.isascii())
    assert len(found) > 10, "too few texts are one viewer's alone"
    return re.compile(b"|".join(found))


async def _crowd(gateway: Gateway, viewers: list[Viewer], answers: int) -> Crowd:
    crowd, dice = Crowd(), random.Random(7)

    async def one() -> None:
        while crowd.answered < answers and len(crowd.wrong) < 5:
            viewer = dice.choice(viewers)
            asked = dice.choice(viewer.requests)
            if dice.random() < LEAVES:
                leaves_after = dice.uniform(0.001, 0.03)
                given_up = await ask(gateway.port, asked, leaves_after)
                crowd.left += given_up.failure == "hung"
                continue
            answer = await ask(gateway.port, asked)
            crowd.answered += 1
            crowd.partial += b'"errors":[' in answer.body
            foreign = viewer.canaries.search(answer.body)
            why = f"foreign {foreign[0]!r}" if foreign else non_answer(answer)
            if why is not None:
                crowd.wrong.append(f"{viewer.name}: {why}")

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(one())
    return crowd


def _sum(metrics: str, name: str) -> float:
    found = re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", metrics, re.MULTILINE)
    return sum(map(float, found))
