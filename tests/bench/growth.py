"""How the cost of a request grows: with items in a list, levels of calls, registered documents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench import growth_data
from tests.bench.asking import PLAIN, difference, post
from tests.bench.figures import Figures
from tests.bench.growth_data import Case
from tests.bench.load import Ask, ask_once
from tests.bench.measure import Phase, Running, load_phase, metric, warm
from tests.bench.processes import CannotMeasureError, pinned, wait_right
from tests.bench.rows import Row, facet
from tests.bench.setting import Setting
from tests.harness.databases import free_port

PLATFORM = "growth"
PHASE = Phase("growth", "c=4", PLAIN, connections=4)
COMPILED_WITHIN_S = 180.0
WARM_UP_S = 0.5


@dataclass(frozen=True)
class Point:
    """One size of one thing that grows."""

    what: str
    size: int
    running: Running


@asynccontextmanager
async def points(setting: Setting) -> AsyncIterator[list[Point]]:
    """Every point, its gateway running and its answers found right. Raises CannotMeasureError."""
    async with AsyncExitStack() as stack:
        start = partial(_gateway, stack, setting)
        grown = [(("items", size), [growth_data.items(size)]) for size in growth_data.ITEMS]
        grown += [(("levels", depth), [growth_data.levels(depth)]) for depth in growth_data.LEVELS]
        running = await start("growth", [case for _, cases in grown for case in cases])
        found = [Point(*named, await _asking(running, cases)) for named, cases in grown]
        for count in growth_data.DOCUMENTS:
            cases = growth_data.documents(count)
            running = await start(f"growth-{count}", cases)
            found.append(Point("documents", count, await _asking(running, cases)))
        yield found


async def _gateway(
    stack: AsyncExitStack, setting: Setting, name: str, cases: list[Case]
) -> Running:
    """A gateway for which these documents are registered, all of them compiled."""
    port = free_port()
    releases = growth_data.write_release(setting.folder / name, cases)
    prefix = f"BFF__PLATFORMS__{PLATFORM.upper()}__"
    told = {
        f"{prefix}SCHEMA_OBJECT": "tests.bench.growth_schema:schema",
        f"{prefix}RELEASES": str(releases),
        f"{prefix}PORT_OFFSET": "99",
        # Alone: what one request costs is asked, not what several share.
        "BFF__UPSTREAMS__COALESCE": "false",
    }
    row = Row(name, name, lambda *_: facet(setting, port, "compiled", PLATFORM, **told))
    started = row.start(setting, port)
    process = stack.enter_context(
        pinned(
            name,
            started.command,
            setting.cores.gateway,
            setting.folder / f"{name}.log",
            started.environment,
        )
    )
    running = Running(Row(name, name, row.start, compiled=True), process, port)
    first = cases[0]
    await wait_right(process, port, post(first.id, first.variables), _judge(first))
    await _all_compiled(running, len({case.id for case in cases}))
    return running


async def _all_compiled(running: Running, wanted: int) -> None:
    """Until every document has its plan: what compiles meanwhile would count as requests'."""
    until = time.monotonic() + COMPILED_WITHIN_S
    while (compiled := await metric(running.port, "facet_plans_compiled")) < wanted:
        if time.monotonic() > until:
            raise CannotMeasureError(
                f"{running.row.name}: {compiled:.0f} of {wanted} documents were compiled in "
                f"{COMPILED_WITHIN_S:.0f} s"
            )
        await asyncio.sleep(0.2)


async def _asking(gateway: Running, cases: Sequence[Case]) -> Running:
    """The gateway, asked for these documents in turn, once each was answered right."""
    asks = []
    for case in cases:
        asked = post(case.id, case.variables)
        reply = await ask_once(gateway.port, asked)
        wrong = _judge(case)(reply)
        if wrong is not None:
            raise CannotMeasureError(f"the answer to {case.name} is wrong: {wrong}")
        asks.append(Ask(asked, reply.body))
    return Running(gateway.row, gateway.process, gateway.port, {PLAIN: asks})


def _judge(case: Case) -> Callable[[Any], str | None]:
    return lambda reply: difference(reply, PLAIN, case.data)


async def grow(
    setting: Setting, runs: int, seconds: float, console: Console
) -> list[dict[str, Any]]:
    """Every point's lowest run. Raises CannotMeasureError."""
    console.print("growth: starting gateways, compiling documents …", highlight=False)
    async with points(setting) as found:
        measured: list[list[Figures]] = [[] for _ in found]
        for number in range(runs + 1):
            console.print(f"growth: run {number} of {runs} (0: warm-up)", highlight=False)
            for point, figures in zip(found, measured, strict=True):
                if number == 0:
                    await warm(point.running, WARM_UP_S)
                    continue
                figures.append(await load_phase(setting, point.running, PHASE, seconds))
    lowest = [min(figures, key=lambda one: one.cpu_ms) for figures in measured]
    return [
        {"what": point.what, "size": point.size, **figures.plain()}
        for point, figures in zip(found, lowest, strict=True)
    ]


def show(grown: Sequence[dict[str, Any]], console: Console) -> None:
    """The table of growth."""
    table = Table(title="How cost grows: CPU ms a request, compiled, c=4, lowest of runs")
    for name in ("what", "size", "CPU ms", "against the least", "calls", "body B", "RSS MB"):
        table.add_column(name, justify="left" if name == "what" else "right")
    least: dict[str, float] = {}
    for point in grown:
        base = least.setdefault(point["what"], point["cpu_ms"])
        cells = (
            f"{point['cpu_ms']:.3f}",
            f"{point['cpu_ms'] / base:.2f}",
            f"{point['calls']:.2f}",
            f"{point['body_bytes']:.0f}",
            f"{point['rss_mb']:.0f}",
        )
        table.add_row(point["what"], f"{point['size']:,}", *cells)
    console.print(table)
