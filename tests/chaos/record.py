"""What a run found: rows by table, shown to people and written for the record."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.report import machine

# By table: its title, and column → key of its rows. What a row misses shows as a dash.
TABLES: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "faults": (
        "One core service spoilt: worst of all gateways (compiled and generic, cold and warm)",
        {
            "fault": "fault",
            "service": "service",
            "injected": "injected",
            "non-answers": "non_answers",
            "worst ms": "worst_ms",
            "partial": "partial_share",
            "stale": "stale_share",
            "amplification": "amplification",
            "memory MB": "memory_mb",
            "recovery s": "recovery_s",
        },
    ),
    "amplification": (
        "Calls that reach a failing service, of calls needed (R4: at most 1.10)",
        {
            "fault": "fault",
            "service": "service",
            "mode": "mode",
            "requests": "requests",
            "injected": "injected",
            "amplification": "amplification",
            "non-answers": "non_answers",
        },
    ),
    "stores": (
        "Redis and PostgreSQL (R7, R8)",
        {
            "store": "store",
            "fault": "fault",
            "asked": "asked",
            "non-answers": "non_answers",
            "worst ms": "worst_ms",
            "p99 ms": "p99_ms",
            "partial": "partial_share",
            "verdicts changed": "verdicts_changed",
            "memory MB": "memory_mb",
            "recovery s": "recovery_s",
        },
    ),
    "overload": (
        "Overload (R12, R13): figures of the calmest run",
        {
            "phase": "phase",
            "connections": "connections",
            "goodput/s": "goodput",
            "of knee": "of_knee",
            "p99 ms": "p99_ms",
            "sheds": "sheds",
            "with Retry-After": "sheds_with_retry_after",
            "memory MB": "memory_mb",
            "recovery": "recovered",
            "loader busy": "loader_busy",
        },
    ),
    "storm": (
        "User-initiated requests beside a storm of others (R14: at least 0.994 ok)",
        {
            "who": "who",
            "offered/s": "offered",
            "ok share": "ok_share",
            "shed share": "shed_share",
            "p99 ms": "p99_ms",
        },
    ),
    "screens": (
        "The home screen on Regular 3G, a warm connection (R19)",
        {
            "platform": "platform",
            "state": "state",
            "status": "status",
            "bytes": "bytes",
            "head bytes": "head_bytes",
            "round trips": "round_trips",
            "ms": "ms",
            "server ms p95": "server_p95_ms",
        },
    ),
    "clocks": (
        "Wrong clocks (R17)",
        {
            "process": "process",
            "skew s": "skew_s",
            "screens": "screens",
            "viewer calls": "viewer_calls",
            "alarm": "alarm",
        },
    ),
    "crowds": (
        "Crowds, restarts, kills (R9, R10, R15, R16)",
        {"what": "what", "case": "case", "outcome": "outcome", "figures": "figure"},
    ),
}


class Record:
    """Rows in the order in which they were found."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def note(self, table: str, broken: list[str], **row: Any) -> None:
        """One row; `broken` are the promises that did not hold in it. The test asserts them after
        noting: a row is there whether they hold or not."""
        told = {**row, "broken": broken} if broken else row
        self.rows.setdefault(table, []).append(told)

    def show(self, console: Console) -> None:
        """A table each."""
        for name, (title, columns) in TABLES.items():
            if name in self.rows:
                console.print(_table(title, columns, self.rows[name]))

    def write(self, path: Path) -> None:
        """The record as JSON: what was measured, where, and of which commit. Commit and date come
        from the environment (`make chaos` asks git), so that a run says what it was started on."""
        found = {
            "commit": os.environ.get("FACET_COMMIT", "unknown"),
            "date": os.environ.get("FACET_DATE", "unknown"),
            "machine": machine(),
            **self.rows,
        }
        path.write_bytes(orjson.dumps(found, option=orjson.OPT_INDENT_2) + b"\n")


RECORD = Record()
"""Of this run."""


def _table(title: str, columns: Mapping[str, str], rows: list[dict[str, Any]]) -> Table:
    table = Table(title=title)
    for number, name in enumerate(columns):
        table.add_column(name, justify="left" if number == 0 else "right")
    for row in rows:
        style = "red" if "broken" in row else None
        table.add_row(*(_cell(row.get(key)) for key in columns.values()), style=style)
    return table


def _cell(value: Any) -> str:
    return "–" if value is None else str(value)
