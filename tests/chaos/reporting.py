"""A plugin of pytest: tables at the end of a run, and the record in the file FACET_CHAOS_OUT names.

Tests of this folder note their rows; any other that runs with them is a row with its promise, the
figures it recorded (`record_property`) and whether it held.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.chaos.record import RECORD

WIDTH = 150
_HERE = Path(__file__).parent


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """Others' tests become rows."""
    report = yield
    # A set-up that failed is a row too: what was not tried was not held.
    told = report.when == "call" or (report.when == "setup" and not report.passed)
    if told and _HERE not in item.path.parents:
        _note(item, report)
    return report


def _note(item: pytest.Item, report: pytest.TestReport) -> None:
    promise = " ".join((getattr(item, "obj", item).__doc__ or item.name).split())
    figures = ", ".join(f"{name} {value}" for name, value in item.user_properties)
    broken = [] if report.passed else [f"{report.outcome}: {item.nodeid}"]
    RECORD.note(
        "crowds",
        broken,
        what=promise,
        case=item.name.partition("[")[2].rstrip("]") or None,
        outcome="held" if report.passed else report.outcome,
        figure=figures or None,
    )


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary() -> None:
    """Show what was found, and keep it."""
    if not RECORD.rows:
        return
    console = Console(file=sys.stdout, width=None if sys.stdout.isatty() else WIDTH)
    RECORD.show(console)
    target = os.environ.get("FACET_CHAOS_OUT")
    if target:
        RECORD.write(Path(target))
        console.print(f"written to {target}", highlight=False)
