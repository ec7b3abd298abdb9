"""What a run found, as a table for people and as JSON for the record."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.coalescing import Coalescing
from tests.bench.figures import Figures, Ratio
from tests.bench.processes import ROOT
from tests.bench.rows import ROWS

Runs = Mapping[str, Sequence[Mapping[str, Figures]]]
"""By row: its runs, and in each the figures by phase."""


@dataclass(frozen=True)
class Goal:
    """What the issue wants of one row against another, at most so many times its CPU; None: it
    is only shown."""

    ours: str
    bar: str
    at_most: float | None = None


@dataclass(frozen=True)
class CallsGoal:
    """What the issue wants of upstream calls a request, in one phase."""

    phase: str
    at_most: float


GOALS = (
    Goal("facet", "mercurius", 0.80),
    Goal("facet", "mercurius-features", 0.50),
    Goal("facet", "strawberry", 1 / 40),
    Goal("facet-generic", "mercurius"),
    Goal("facet-generic", "strawberry"),
    Goal("facet", "facet-generic"),
    Goal("facet", "floor"),
)
CALLS = (CallsGoal("c1", 4.0), CallsGoal("c32", 2.5))
JUDGED = ("c32", "gzip", "post", "c1")


def ratios(runs: Runs) -> list[tuple[Goal, str, Ratio]]:
    """Every goal whose two rows ran, in each phase both were measured in."""
    found = []
    for goal in GOALS:
        ours, bar = runs.get(goal.ours, ()), runs.get(goal.bar, ())
        if not ours or len(ours) != len(bar):
            continue
        for phase in (name for name in JUDGED if name in ours[0] and name in bar[0]):
            cpu = [[run[phase].cpu_ms for run in one] for one in (ours, bar)]
            found.append((goal, phase, Ratio.of(*cpu)))
    return found


def lowest(runs: Sequence[Mapping[str, Figures]], phase: str) -> Figures:
    """The run of the least CPU."""
    return min((run[phase] for run in runs), key=lambda figures: figures.cpu_ms)


def show(runs: Runs, console: Console) -> None:
    """Tables of rows, ratios and calls."""
    console.print(_rows(runs))
    console.print(_ratios(runs))
    for goal in CALLS:
        measured = runs.get("facet", ())
        if measured and goal.phase in measured[0]:
            calls = max(run[goal.phase].calls for run in measured)
            verdict = _verdict(calls <= goal.at_most + 0.005)
            console.print(
                f"facet, calls a request at {goal.phase}: {calls:.2f} "
                f"(goal at most {goal.at_most:g}) {verdict}"
            )


def _rows(runs: Runs) -> Table:
    phases = list(next(iter(runs.values()))[0])
    table = Table(title="CPU ms a request: lowest (highest) of runs")
    table.add_column("row")
    for phase in phases:
        table.add_column(phase, justify="right")
    timed = phases[-1]
    for name in ("calls", f"p50 ms {timed}", "RSS MB", "body B", "busy: gateway/stubs/loader"):
        table.add_column(name, justify="right")
    for name, measured in sorted(runs.items(), key=lambda one: lowest(one[1], phases[0]).cpu_ms):
        cells = [_range(measured, phase) for phase in phases]
        best = lowest(measured, phases[0])
        p50 = min(run[timed].p50_ms for run in measured)
        busy = f"{best.gateway_busy:.2f}/{best.stubs_busy:.2f}/{best.loader_busy:.2f}"
        rest = [f"{best.calls:.2f}", f"{p50:.2f}", f"{best.rss_mb:.0f}", str(best.body_bytes), busy]
        table.add_row(ROWS[name].title, *cells, *rest)
    return table


def _range(measured: Sequence[Mapping[str, Figures]], phase: str) -> str:
    if phase not in measured[0]:
        return "-"
    worst = max(run[phase].cpu_ms for run in measured)
    return f"{lowest(measured, phase).cpu_ms:.3f} ({worst:.3f})"


def _ratios(runs: Runs) -> Table:
    table = Table(title="CPU ratios: of the lowest runs, and run beside run")
    for name in ("ours", "bar", "phase", "of lowest", "min", "median", "max", "goal"):
        table.add_column(name)
    for goal, phase, ratio in ratios(runs):
        wanted = ""
        if goal.at_most is not None:
            wanted = f"at most {goal.at_most:.3g} {_verdict(ratio.of_lowest <= goal.at_most)}"
        figures = (ratio.of_lowest, ratio.least, ratio.median, ratio.most)
        table.add_row(goal.ours, goal.bar, phase, *(f"{one:.3f}" for one in figures), wanted)
    return table


def _verdict(kept: bool) -> str:
    return "[green]kept[/]" if kept else "[red]missed[/]"


def write(
    path: Path,
    settings: Mapping[str, Any],
    runs: Runs,
    growth: Sequence[Mapping[str, Any]],
    coalescing: Coalescing | None,
) -> None:
    """The record of a run: every figure of every run, the ratios, and where it was measured."""
    found = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "machine": machine(),
        "settings": dict(settings),
        "rows": [_row(name, measured) for name, measured in runs.items()],
        "ratios": [_ratio(*one) for one in ratios(runs)],
        "growth": list(growth),
        "coalescing": None if coalescing is None else coalescing.plain(),
    }
    path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


def _ratio(goal: Goal, phase: str, ratio: Ratio) -> dict[str, Any]:
    return {
        "ours": goal.ours,
        "bar": goal.bar,
        "phase": phase,
        "goal": None if goal.at_most is None else round(goal.at_most, 4),
        **ratio.plain(),
    }


def _row(name: str, measured: Sequence[Mapping[str, Figures]]) -> dict[str, Any]:
    return {
        "name": name,
        "title": ROWS[name].title,
        "lowest": {phase: lowest(measured, phase).plain() for phase in measured[0]},
        "runs": [{phase: run[phase].plain() for phase in run} for run in measured],
    }


def commit() -> str:
    """The commit checked out, `+` behind it when files differ from it."""
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run(
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        state = subprocess.run(
            [*git, "status", "--porcelain"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return head.stdout.strip() + ("+" if state.stdout.strip() else "")


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpuinfo = Path("/proc/cpuinfo").read_text()
    models = {
        line.partition(":")[2].strip() for line in cpuinfo.splitlines() if "model name" in line
    }
    return {
        "cpu": ", ".join(sorted(models)) or platform.processor(),
        "cores": cpuinfo.count("processor\t"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "node": _node_version(),
    }


def _node_version() -> str | None:
    try:
        said = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return said.stdout.strip()
