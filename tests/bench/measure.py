"""Runs rows side by side: checks answers, warms up, then measures each in turn, again and again.

All gateways run the whole time and one is asked at a time: what else the machine does falls on all
of them alike, and each run stands beside the others' of the same half minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from tests.bench.asking import GZIP, PLAIN, POST, Variant, difference, request
from tests.bench.figures import Figures
from tests.bench.load import Ask, Load, closed_loop, open_loop
from tests.bench.processes import (
    CannotMeasureError,
    Pinned,
    ask,
    pinned,
    wait_right,
)
from tests.bench.rows import Row
from tests.bench.setting import Setting
from tests.harness.databases import free_port


@dataclass(frozen=True)
class Phase:
    """One way of loading a gateway. `rate`: requests a second, else a closed loop."""

    name: str
    title: str
    variant: Variant
    connections: int = 32
    rate: float | None = None
    share: float = 1.0  # of a phase's usual seconds


PHASES: dict[str, Phase] = {
    phase.name: phase
    for phase in (
        Phase("c32", "c=32", PLAIN),
        Phase("c1", "c=1", PLAIN, connections=1, share=0.5),
        Phase("gzip", "c=32, gzip", GZIP, share=0.75),
        Phase("post", "c=32, POST", POST, share=0.75),
        Phase("steady", "50 a second", PLAIN, rate=50.0),
    )
}


GZIP_HEADER = 10
PRELOAD_S = 0.5
HANGS_AFTER_S = 30.0
METRICS = b"GET /metrics HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n"
FALLBACKS = "facet_plan_fallbacks_total"


def chosen_phases(names: tuple[str, ...]) -> list[Phase]:
    """The phases of these names, or all. Raises CannotMeasureError for a name there is not."""
    unknown = [name for name in names if name not in PHASES]
    if unknown:
        raise CannotMeasureError(f"no phase {unknown[0]}; there are {', '.join(PHASES)}")
    return [PHASES[name] for name in names or PHASES]


@dataclass
class Running:
    """A started row whose answers were found right."""

    row: Row
    process: Pinned
    port: int
    asks: dict[Variant, list[Ask]] = field(default_factory=dict)


@asynccontextmanager
async def started(
    setting: Setting, rows: Sequence[Row], phases: Sequence[Phase], say: Callable[[str], None]
) -> AsyncIterator[list[Running]]:
    """The rows that run here and answer right; of the others `say` tells why not."""
    async with AsyncExitStack() as stack:
        running: list[Running] = []
        for row in rows:
            try:
                running.append(await _start(stack, setting, row, phases))
            except CannotMeasureError as error:
                say(f"{row.name} is left out: {error}")
        yield running


async def _start(
    stack: AsyncExitStack, setting: Setting, row: Row, phases: Sequence[Phase]
) -> Running:
    port = free_port()
    start = row.start(setting, port)
    log = setting.folder / f"{row.name}.log"
    process = stack.enter_context(
        pinned(row.name, start.command, setting.cores.gateway, log, start.environment)
    )
    running = Running(row, process, port)
    viewer = setting.data.viewers[0]
    first, expected = request(setting, PLAIN, viewer, signed=row.signed), setting.expected(viewer)
    await wait_right(process, port, first, lambda reply: difference(reply, PLAIN, expected))
    for variant in dict.fromkeys(phase.variant for phase in _possible(row, phases)):
        running.asks[variant] = [
            await _checked(setting, running, variant, viewer) for viewer in setting.data.viewers
        ]
    return running


async def _checked(setting: Setting, running: Running, variant: Variant, viewer: str) -> Ask:
    """The request of a viewer with the answer it got, once that is what it must be."""
    asked = request(setting, variant, viewer, signed=running.row.signed)
    reply = await ask(running.process, running.port, asked)
    wrong = difference(reply, variant, setting.expected(viewer))
    if wrong is not None:
        raise CannotMeasureError(f"its answer to {variant} is wrong: {wrong}")
    return Ask(asked, reply.body, GZIP_HEADER if variant.gzip else 0)


def _possible(row: Row, phases: Sequence[Phase]) -> list[Phase]:
    return [phase for phase in phases if row.gzip or not phase.variant.gzip]


async def warm(running: Running, seconds: float) -> None:
    """Let just-in-time compilers and pools settle: mostly one variant's doing. Raises
    CannotMeasureError."""
    for number, variant in enumerate(running.asks):
        warming = Phase("warm", "warming up", variant)
        await load(running, warming, seconds if number == 0 else seconds / 6)


async def measure(
    setting: Setting, running: Running, phases: Sequence[Phase], seconds: float
) -> dict[str, Figures]:
    """One run of a row: its figures by phase. Raises CannotMeasureError for a wrong answer."""
    # While others were measured its pooled connections went stale; no request pays for new ones.
    await warm(running, PRELOAD_S)
    return {
        phase.name: await load_phase(setting, running, phase, seconds * phase.share)
        for phase in _possible(running.row, phases)
    }


async def load_phase(setting: Setting, running: Running, phase: Phase, seconds: float) -> Figures:
    """One phase's figures. Raises CannotMeasureError for a wrong answer, and for an operation of a
    compiled row that ran generic."""
    stubs, gateway = setting.stubs, running.process
    # What the gateway still does for the phase before is not this one's.
    await load(running, phase, 0.05)
    generic = await _fallbacks(running)
    calls, stubs_cpu = await stubs.calls(), stubs.process.cpu_s()
    cpu, began = gateway.cpu_s(), time.perf_counter()
    brought = await load(running, phase, seconds)
    cpu, wall = gateway.cpu_s() - cpu, time.perf_counter() - began
    stubs_cpu = stubs.process.cpu_s() - stubs_cpu
    made = {name: count - calls[name] for name, count in (await stubs.calls()).items()}
    if brought.bad or not brought.done:
        raise CannotMeasureError(f"{brought.bad} wrong answers of {brought.done} at {phase.title}")
    if await _fallbacks(running) != generic:
        raise CannotMeasureError(f"operations ran generic at {phase.title}; /metrics says why")
    return Figures.of(
        brought,
        cpu_s=cpu,
        wall_s=wall,
        calls=sum(made.values()),
        rss_mb=gateway.rss_mb(),
        stubs_busy=stubs_cpu / wall,
    )


async def _fallbacks(running: Running) -> float:
    """How often our gateway fell back to generic execution; of other rows always 0."""
    return sum((await metric(running, FALLBACKS)).values()) if running.row.compiled else 0.0


async def metric(running: Running, name: str) -> dict[str, float]:
    """A metric's series by their labels, as our gateway tells them. Raises CannotMeasureError."""
    reply = await ask(running.process, running.port, METRICS)
    lines = (line for line in reply.body.decode().splitlines() if not line.startswith("#"))
    series = (
        (*told.partition("{"), value) for told, _, value in (x.rpartition(" ") for x in lines)
    )
    return {labels.rstrip("}"): float(value) for of, _, labels, value in series if of == name}


async def load(running: Running, phase: Phase, seconds: float) -> Load:
    """Load a gateway for so long. Raises CannotMeasureError when it hangs up or hangs."""
    asks = running.asks[phase.variant]
    try:
        async with asyncio.timeout(seconds + HANGS_AFTER_S):
            if phase.rate is not None:
                return await open_loop(running.port, asks, phase.rate, seconds)
            return await closed_loop(running.port, asks, phase.connections, seconds)
    except (ConnectionError, TimeoutError) as error:
        said = str(error) or f"no answer for {HANGS_AFTER_S:.0f} s"
        raise CannotMeasureError(f"{said} at {phase.title}") from error
