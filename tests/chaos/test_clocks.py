"""Wrong clocks: half a minute costs nothing; two minutes cost viewer calls, said aloud (R17)."""

from __future__ import annotations

import asyncio
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import httpx2
import pytest

from tests.chaos.clocks import EXACT_S, Clock, restart
from tests.chaos.judge import UPSTREAM, codes, is_whole, non_answer
from tests.chaos.matrix import Cell, recover
from tests.chaos.record import Record
from tests.chaos.rig import SCREENS, Gateway, Rig
from tests.chaos.verdicts import ITEM, Verdicts
from tests.chaos.wire import Answer, ask, request
from tests.harness.stack import PATIENT, registered

pytestmark = [pytest.mark.chaos, pytest.mark.modeless, pytest.mark.timeout(240)]
GATEWAY = "gateway"
SERVICES = ("content", "accounts")
REFUSED = UPSTREAM | {"UNAUTHENTICATED"}
RECOVERY_S = 6.0
STRANGERS = {
    (process, seconds): f"acc_{number:05}"
    for number, (process, seconds) in enumerate(
        product((GATEWAY, *SERVICES), (120, -120)), start=1_050
    )
}
# The alarm: a metric with this in its name or its labels.
_METRIC = re.compile(r"^\w+.*(?:clock|skew).* (\S+)$", re.MULTILINE)


@dataclass
class World:
    """A gateway whose clock can be set, and services that are started anew with another."""

    rig: Rig
    gateway: Gateway
    clock: Clock

    @contextmanager
    def wrong(self, process: str, seconds: int) -> Iterator[float]:
        """That clock alone is off; gives by how much it really is."""
        try:
            yield self._set(process, seconds)
        finally:
            self._set(process, 0)

    def _set(self, process: str, seconds: int) -> float:
        if process == GATEWAY:
            return self.clock.set(seconds)
        return restart(self.rig, process, seconds)


@pytest.fixture(scope="module")
def world(rig: Rig) -> World:
    """All right to begin with. Answers are not hurried: nothing here is about time."""
    clock = Clock(rig.stack.where.data / "gateway.time")
    gateway = rig.start("clock", {**PATIENT, **clock.environment(), "BFF__CACHE__ENABLED": "false"})
    rig.ready([gateway])
    clock.url = gateway.child.url
    return World(rig, gateway, clock)


def _note(
    record: Record, broken: list[str], process: str, seconds: int, skew: float, *told: str
) -> None:
    if abs(skew - seconds) > EXACT_S:
        broken.append(f"VOID: the clock of the {process} was off by {skew:.1f} s")
    names = ("screens", "viewer_calls", "alarm")
    row = dict(zip(names, told, strict=True))
    record.note("clocks", broken, process=process, skew_s=seconds, **row)


@pytest.mark.parametrize("seconds", [30, -30])
@pytest.mark.parametrize("process", [GATEWAY, *SERVICES])
async def test_half_a_minute_costs_nothing(
    world: World, record: Record, process: str, seconds: int
) -> None:
    """At ±30 s every screen is whole, tokens are good, and keys mean what they meant."""
    with world.wrong(process, seconds) as skew:
        answers = {screen: await world.gateway.ask(screen) for screen in SCREENS}
        verdicts = Verdicts(world.rig, world.gateway)
        await verdicts.prepare()
        said = await verdicts.all()
    whole = [screen for screen, answer in answers.items() if is_whole(answer)]
    broken = [f"{one}: {answers[one].body[:300]!r}" for one in answers if one not in whole]
    broken += [f"key: {said['a key again']}"] * (said["a key again"] != "the first answer")
    broken += [f"good token: {said['a good token']}"] * (said["a good token"] != "ok")
    _note(record, broken, process, seconds, skew, f"{len(whole)}/{len(answers)}", "ok", "–")
    assert broken == []


@pytest.mark.parametrize("seconds", [120, -120])
@pytest.mark.parametrize("process", [GATEWAY, *SERVICES])
async def test_two_minutes_are_refused_aloud(
    world: World, record: Record, process: str, seconds: int
) -> None:
    """At ±120 s what is the viewer's is refused with a code, somebody says that a clock is wrong,
    and once it is right all is well."""
    await recover(world.gateway, Cell("before"), time.monotonic())
    # Whom the gateway does not know yet: what it has signed and checked is good for a while.
    stack = world.rig.stack
    asked = world.rig.requests(stack.token(stack.handle(STRANGERS[process, seconds])))
    with world.wrong(process, seconds) as skew:
        before = _alarms(world)
        port = world.gateway.port
        answers = {screen: await ask(port, one) for screen, one in asked.items()}
        public = await _public(world)
        alarm = await _alarm(world, before)
    after = Cell("after")
    await recover(world.gateway, after, time.monotonic())
    told = set().union(*(codes(one) for one in answers.values()))
    broken = [why for one in (*answers.values(), public) if (why := non_answer(one))]
    broken += [f"viewer calls: {told or 'answered'}"] * (not told or not told <= REFUSED)
    broken += [f"what is everybody's: {codes(public)}"] * (not codes(public) <= REFUSED)
    broken += ["nobody said that a clock is wrong"] * (not alarm)
    broken += [f"well again after {after.recovery_s:.1f} s"] * (after.recovery_s > RECOVERY_S)
    _note(record, broken, process, seconds, skew, "coded", ", ".join(sorted(told)), alarm)
    assert broken == []


async def _public(world: World) -> Answer:
    """A screen of nobody's."""
    operation = registered(world.rig.stack.settings("ios"), "ios", "Content")
    body = {"documentId": operation.id, "variables": {"id": "itm_00043"}}
    return await ask(world.gateway.port, request(body))


def _alarms(world: World) -> dict[str, float]:
    """How often each process counted something of clocks."""
    said = {GATEWAY: _counted(world.gateway.metrics())}
    for service in SERVICES:
        url = f"{world.rig.stack.where.service_url(service)}/metrics"
        said[service] = _counted(httpx2.get(url, timeout=10, trust_env=False).text)
    return said


def _counted(metrics: str) -> float:
    return sum(float(one) for one in _METRIC.findall(metrics))


async def _alarm(world: World, before: dict[str, float]) -> str:
    """Who said more of clocks than before; nobody within 5 s: an empty text."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        louder = [name for name, said in _alarms(world).items() if said > before[name]]
        if louder:
            return ", ".join(louder)
        await asyncio.sleep(0.2)
    return ""


@pytest.mark.parametrize("seconds", [120, -120])
async def test_keys_outlive_a_wrong_clock(world: World, record: Record, seconds: int) -> None:
    """A key that was used before a service's clock jumped two minutes, and one used meanwhile, mean
    after it what they meant: nothing is done twice; a cursor goes on where it was."""
    await recover(world.gateway, Cell("before"), time.monotonic())
    verdicts = Verdicts(world.rig, world.gateway)
    await verdicts.prepare()
    first = await _page(world, None)
    key = uuid.uuid4().hex
    with world.wrong("content", seconds) as skew:
        meanwhile = await verdicts.mutate("SaveItem", verdicts.writer, key, itemId=ITEM)
    await recover(world.gateway, Cell("after"), time.monotonic())
    again = (await verdicts.all())["a key again"]
    after = await verdicts.mutate("SaveItem", verdicts.writer, key, itemId=ITEM)
    second = await _page(world, first["endCursor"])
    broken = [f"key: {again}"] * (again != "the first answer")
    broken += [f"meanwhile: {why}" for one in (meanwhile, after) if (why := non_answer(one))]
    if "errors" not in meanwhile.json and meanwhile.json["data"] != after.json["data"]:
        broken.append("the key used meanwhile was done twice")
    broken += ["the cursor led nowhere"] * (not second["entries"] or second == first)
    _note(record, broken, "content, then right", seconds, skew, "cursors", "keys", "–")
    assert broken == []


async def _page(world: World, after: str | None) -> dict[str, Any]:
    operation = registered(world.rig.stack.settings("ios"), "ios", "Home")
    body = {"documentId": operation.id, "variables": {"after": after}}
    answer = await ask(world.gateway.port, request(body, world.rig.stack.token()))
    page: dict[str, Any] = answer.json["data"]["home"]["feed"]
    return page
