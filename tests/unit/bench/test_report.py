"""Goals judged, and the record written."""

from __future__ import annotations

from collections.abc import Sequence
from io import StringIO
from pathlib import Path

import orjson
from rich.console import Console

from tests.bench import report
from tests.bench.figures import Figures
from tests.bench.load import Load


def runs(*cpu_ms: float, calls: float = 4.0) -> list[dict[str, Figures]]:
    """Runs of one phase that cost so much."""
    load = Load(done=1, wall_s=1.0, latencies=[0.001])
    return [
        {
            "c32": Figures.of(
                load, cpu_s=ms / 1000, wall_s=1.0, calls=int(calls), rss_mb=1, stubs_busy=0
            )
        }
        for ms in cpu_ms
    ]


def shown(found: report.Runs) -> str:
    """What the terminal gets."""
    text = StringIO()
    report.show(found, Console(width=200, file=text))
    return text.getvalue()


def test_goal_is_judged_by_lowest() -> None:
    """Lowest against lowest decides: one disturbed run on our side costs nothing."""
    kept = shown({"facet": runs(0.2, 0.9), "mercurius": runs(0.3, 0.3)})
    missed = shown({"facet": runs(0.28, 0.29), "mercurius": runs(0.3, 0.9)})
    assert "at most 0.8 kept" in kept
    assert "at most 0.8 missed" in missed


def test_calls_are_judged_by_most() -> None:
    """A single run with more calls than the goal misses it."""
    few: Sequence[dict[str, Figures]] = runs(0.2, calls=2)
    assert "2.00 (goal at most 2.5) kept" in shown({"facet": few})
    assert "4.00 (goal at most 2.5) missed" in shown({"facet": [*few, *runs(0.1, calls=4)]})


def test_unpaired_rows_have_no_ratio() -> None:
    """A row that was left out, or lacks a phase, is compared with nothing."""
    assert report.ratios({"facet": runs(0.2)}) == []
    assert report.ratios({"facet": runs(0.2, 0.2), "mercurius": runs(0.3)}) == []


def test_record_holds_what_was_measured(tmp_path: Path) -> None:
    """Rows, ratios, machine, commit and date are in the file."""
    path = tmp_path / "latest.json"
    found = {"facet": runs(0.3, 0.2), "mercurius": runs(0.4, 0.5)}
    report.write(path, {"runs": 2}, found, [], None)
    written = orjson.loads(path.read_bytes())
    assert {"date", "commit", "machine", "settings", "rows", "ratios"} <= set(written)
    assert written["rows"][0]["lowest"]["c32"]["cpu_ms"] == 0.2
    assert (
        written["ratios"][0] | {"min": 0.4, "max": 0.75, "of_lowest": 0.5} == written["ratios"][0]
    )
    assert written["machine"]["cores"] >= 1
