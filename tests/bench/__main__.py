"""`python -m tests.bench`: the home screen side by side; see README.md beside this file."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import uvloop
from rich.console import Console

from tests.bench import growth, report
from tests.bench.coalescing import Coalescing, compare
from tests.bench.figures import Figures
from tests.bench.measure import (
    PHASES,
    Phase,
    Running,
    chosen_phases,
    measure,
    started,
    warm,
)
from tests.bench.processes import CannotMeasureError, Cores, on_core
from tests.bench.rows import ROWS, Row, chosen
from tests.bench.setting import Setting, make_setting

LATEST = Path(__file__).with_name("latest.json")


SECONDS = click.FloatRange(0.1, 60)
WIDTH = 190  # of the tables in a log
PARTS = ("screen", "growth", "coalescing")


@dataclass(frozen=True)
class Plan:
    """What one run of the bench does."""

    parts: tuple[str, ...]
    rows: list[Row]
    phases: list[Phase]
    runs: int
    seconds: float
    warm_up: float
    first: int

    def settings(self) -> dict[str, Any]:
        """What the record says of it."""
        return {"runs": self.runs, "seconds": self.seconds, "first": self.first}


@dataclass
class Found:
    """What the parts that were run brought."""

    runs: dict[str, list[dict[str, Figures]]] = field(default_factory=dict)
    growth: list[dict[str, Any]] = field(default_factory=list)
    coalescing: Coalescing | None = None


@click.command()
@click.option("--parts", default="", help=f"Which, by comma: {','.join(PARTS)}. Default: all.")
@click.option("--rows", default="", help=f"Which, by comma: {','.join(ROWS)}. Default: all.")
@click.option("--phases", default="", help=f"Which, by comma: {','.join(PHASES)}. Default: all.")
@click.option("--runs", type=click.IntRange(1), help="Default: 5; quick: 2.")
@click.option("--seconds", type=SECONDS, help="Of a phase. Default: 2; quick: 1.")
@click.option("--warm-up", type=SECONDS, help="Of a row. Default: 3 s; quick: 1.5 s.")
@click.option(
    "--first", type=click.IntRange(1, 50), default=12, show_default=True, help="Feed entries."
)
@click.option("--quick", is_flag=True, help="Two short runs of the screen at c=32 and c=1.")
@click.option("--write/--no-write", default=None, help="latest.json; default: if all was measured.")
def main(
    parts: str,
    rows: str,
    phases: str,
    runs: int | None,
    seconds: float | None,
    warm_up: float | None,
    first: int,
    quick: bool,
    write: bool | None,
) -> None:
    """Measure gateways side by side on one home screen, and how our own cost grows."""
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    if write is None:
        write = not (quick or parts or rows or phases)
    try:
        plan = Plan(
            _parts(parts or ("screen" if quick else "")),
            chosen(_names(rows)),
            chosen_phases(_names(phases or ("c32,c1" if quick else ""))),
            runs or (2 if quick else 5),
            seconds or (1.0 if quick else 2.0),
            warm_up or (1.5 if quick else 3.0),
            first,
        )
        found = uvloop.run(_run(console, plan))
    except CannotMeasureError as error:
        raise click.ClickException(str(error)) from error
    _show(console, found)
    if write:
        report.write(LATEST, plan.settings(), found.runs, found.growth, found.coalescing)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name for name in text.split(",") if name)


def _parts(text: str) -> tuple[str, ...]:
    names = _names(text)
    for name in names:
        if name not in PARTS:
            raise CannotMeasureError(f"no part {name}; there are {', '.join(PARTS)}")
    return names or PARTS


def _show(console: Console, found: Found) -> None:
    if found.runs:
        report.show(found.runs, console)
    if found.growth:
        growth.show(found.growth, console)
    if found.coalescing is not None:
        console.print(str(found.coalescing), highlight=False)


async def _run(console: Console, plan: Plan) -> Found:
    """Every part asked for; one that cannot be measured costs its own place only. Raises
    CannotMeasureError when nothing could be."""
    cores, found = Cores.choose(), Found()
    with on_core(cores.others), tempfile.TemporaryDirectory(prefix="facet-bench-") as folder:
        async with make_setting(Path(folder), cores, plan.first) as setting:
            for part in plan.parts:
                try:
                    await _measure_part(console, plan, setting, part, found)
                except CannotMeasureError as error:
                    _sayer(console)(f"{part} is left out: {error}")
    if not (found.runs or found.growth or found.coalescing):
        raise CannotMeasureError("nothing could be measured; above is why")
    return found


async def _measure_part(
    console: Console, plan: Plan, setting: Setting, part: str, found: Found
) -> None:
    say = _sayer(console)
    if part == "screen":
        async with started(setting, plan.rows, plan.phases, say) as running:
            found.runs = await _interleaved(console, plan, setting, running)
    elif part == "growth":
        runs, seconds = min(plan.runs, 3), plan.seconds / 2
        found.growth = await growth.grow(setting, runs, seconds, console)
    else:
        found.coalescing = await compare(setting, plan.runs, plan.seconds, say)


async def _interleaved(
    console: Console, plan: Plan, setting: Setting, running: list[Running]
) -> dict[str, list[dict[str, Figures]]]:
    """Run after run, row after row; a row that fails once is left out whole."""
    found: dict[str, list[dict[str, Figures]]] = {one.row.name: [] for one in running}
    for number in range(plan.runs + 1):
        for one in running:
            name = one.row.name
            if name not in found:
                continue
            what = f"run {number} of {plan.runs}" if number else "warming up"
            console.print(f"{what}: {name}", highlight=False)
            try:
                if number == 0:
                    await warm(one, plan.warm_up)
                else:
                    found[name].append(await measure(setting, one, plan.phases, plan.seconds))
            except CannotMeasureError as error:
                _sayer(console)(f"{name} is left out: {error}")
                del found[name]
    return found


def _sayer(console: Console) -> Callable[[str], None]:
    return lambda text: console.print(text, style="yellow", markup=False, highlight=False)


if __name__ == "__main__":
    main()
