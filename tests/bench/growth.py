"""How the cost of a request grows: with items in a list, levels of calls, registered documents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Table

from bff.plans.execute import NOT_YET
from tests.bench import growth_data
from tests.bench.asking import PLAIN, difference, post
from tests.bench.figures import Figures
from tests.bench.growth_data import Case
from tests.bench.load import Ask
from tests.bench.measure import FALLBACKS, Phase, Running, load_phase, metric, warm
from tests.bench.processes import CannotMeasureError, ask, pinned, wait_right
from tests.bench.rows import Row, facet
from tests.bench.setting import Setting
from tests.harness.databases import free_port

PLATFORM = "growth"
PHASE = Phase("growth", "c=4", PLAIN, connections=4)
# A document takes some milliseconds to compile: when none was for so long, none will be.
STALLED_AFTER_S = 20.0
COMPILED, PLANS_BYTES = "facet_plans_compiled", "facet_plans_bytes"
WARM_UP_S = 0.5


@dataclass(frozen=True)
class Point:
    """One size of one thing that grows. Its gateway has `plans`, which take `plans_mb` (10^6 bytes)
    by its own estimate."""

    what: str
    size: int
    running: Running
    plans: int
    plans_mb: float


@asynccontextmanager
async def points(setting: Setting) -> AsyncIterator[list[Point]]:
    """Every point, its gateway running and its answers found right. Raises CannotMeasureError."""
    async with AsyncExitStack() as stack:
        start = partial(gateway, stack, setting)
        grown = [(("items", size), [growth_data.items(size)]) for size in growth_data.ITEMS]
        grown += [(("levels", depth), [growth_data.levels(depth)]) for depth in growth_data.LEVELS]
        running = await start("growth", [case for _, cases in grown for case in cases])
        found = [await _point(*named, running, cases) for named, cases in grown]
        for count in growth_data.DOCUMENTS:
            cases = growth_data.documents(count)
            running = await start(f"growth-{count}", cases)
            found.append(await _point("documents", count, running, cases))
        yield found


async def gateway(
    stack: AsyncExitStack, setting: Setting, name: str, cases: list[Case], **told: str
) -> Running:
    """A gateway for which these documents are registered, all of them compiled; `told` on top of
    what it is told. Raises CannotMeasureError when one has no plan."""
    port = free_port()
    releases = growth_data.write_release(setting.folder / name, cases)
    prefix = f"BFF__PLATFORMS__{PLATFORM.upper()}__"
    environment = {
        f"{prefix}SCHEMA_OBJECT": "tests.bench.growth_schema:schema",
        f"{prefix}RELEASES": str(releases),
        f"{prefix}PORT_OFFSET": "99",
        # Alone: what one request costs is asked, not what several share.
        "BFF__UPSTREAMS__COALESCE": "false",
        **told,
    }
    row = Row(name, name, lambda *_: facet(setting, port, "compiled", PLATFORM, **environment))
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
    # Ahead of requests a gateway fills three quarters of its room for plans; the last quarter is
    # for what is asked.
    for case in cases:
        await ask(process, port, post(case.id, case.variables))
    await _all_compiled(running, len({case.id for case in cases}))
    return running


async def _all_compiled(running: Running, wanted: int) -> None:
    """Until every document has its plan: what compiles meanwhile would count as requests'. Raises
    CannotMeasureError when no more come."""
    most, since = -1.0, time.monotonic()
    while (compiled := await _gauge(running, COMPILED)) < wanted:
        if compiled > most:
            most, since = compiled, time.monotonic()
        elif time.monotonic() > since + STALLED_AFTER_S:
            generic = await metric(running, FALLBACKS)
            raise CannotMeasureError(
                f"{running.row.name}: {compiled:,.0f} of {wanted:,} documents have a plan, and no "
                f"more come; what ran generic: {generic}. If that is all {NOT_YET!r}, plans leave "
                "for want of room: register less, or raise BFF__PLANS__MAX_MEMORY for it"
            )
        await asyncio.sleep(0.2)


async def _gauge(running: Running, name: str) -> float:
    return sum((await metric(running, name)).values())


async def _point(what: str, size: int, running: Running, cases: Sequence[Case]) -> Point:
    """The gateway, asked for these documents in turn, once each was answered right."""
    asks = []
    for case in cases:
        asked = post(case.id, case.variables)
        reply = await ask(running.process, running.port, asked)
        wrong = _judge(case)(reply)
        if wrong is not None:
            raise CannotMeasureError(f"the answer to {case.name} is wrong: {wrong}")
        asks.append(Ask(asked, reply.body))
    return Point(
        what,
        size,
        replace(running, asks={PLAIN: asks}),
        int(await _gauge(running, COMPILED)),
        await _gauge(running, PLANS_BYTES) / 1e6,
    )


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
        {
            "what": point.what,
            "size": point.size,
            "plans": point.plans,
            "plans_mb": round(point.plans_mb, 2),
            **figures.plain(),
        }
        for point, figures in zip(found, lowest, strict=True)
    ]


def show(grown: Sequence[dict[str, Any]], console: Console) -> None:
    """The table of growth."""
    table = Table(title="How cost grows: CPU ms a request, compiled, c=4, lowest of runs")
    headings = ("what", "size", "CPU ms", "against the least", "calls", "body B")
    for name in (*headings, "plans", "plans MB", "RSS MB"):
        table.add_column(name, justify="left" if name == "what" else "right")
    least: dict[str, float] = {}
    for point in grown:
        base = least.setdefault(point["what"], point["cpu_ms"])
        cells = (
            f"{point['cpu_ms']:.3f}",
            f"{point['cpu_ms'] / base:.2f}",
            f"{point['calls']:.2f}",
            f"{point['body_bytes']:.0f}",
            f"{point['plans']:,}",
            f"{point['plans_mb']:.1f}",
            f"{point['rss_mb']:.0f}",
        )
        table.add_row(point["what"], f"{point['size']:,}", *cells)
    console.print(table)
