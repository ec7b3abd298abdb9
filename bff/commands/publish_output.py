"""What `bff publish` tells: a table and lines for people, JSON for machines, annotations for a code
host."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import click
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bff.commands.findings import Finding, annotated, counted, failed
from persisted_queries.budgets import UNITS, Weighed

Format = Literal["text", "json", "github"]
WIDTH = 160


@dataclass
class Outcome:
    """What came of it. `new_documents`: texts that the registry had not; `entry`: the number of
    the log entry that was written, None where nothing was."""

    release: str
    findings: list[Finding] = field(default_factory=list)
    weighed: list[Weighed] = field(default_factory=list)
    documents: int = 0
    new_documents: int | None = None
    entry: int | None = None
    state: str | None = None

    @property
    def failed(self) -> bool:
        return failed(self.findings)

    @property
    def summary(self) -> str:
        """One line."""
        if self.failed:
            errors = sum(one.level == "error" for one in self.findings)
            return f"{self.release}: refused, {counted(errors, 'error')}; nothing was written"
        travel = ""
        if self.new_documents is not None:
            kept = self.documents - self.new_documents
            travel = f", {self.new_documents} new and {kept} stored already"
        told = f"{self.release}: {counted(self.documents, 'document')}{travel}"
        if self.entry is None:
            return f"{told}; checked, nothing was written"
        return f"{told}; published as entry {self.entry}, {self.state}"


def show(outcome: Outcome, output: str) -> None:
    """Print an outcome in one of the formats."""
    SHOWN[output](outcome)


def _text(outcome: Outcome) -> None:
    console = Console(highlight=False, width=WIDTH)
    if outcome.weighed:
        console.print(_table(outcome.weighed))
    for one in outcome.findings:
        colour = {"error": "red", "warning": "yellow", "notice": "dim"}[one.level]
        console.print(f"[{colour}]{escape(one.as_text())}[/{colour}]", soft_wrap=True)
    console.print(escape(outcome.summary), soft_wrap=True)


def _table(weighed: list[Weighed]) -> Table:
    """A row for each operation; a figure, its budget, its growth against the release before."""
    rows: dict[str, dict[str, Weighed]] = {}
    for one in weighed:
        rows.setdefault(one.operation, {})[one.unit] = one
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("operation")
    for unit in UNITS:
        table.add_column(unit, justify="right")
    for operation, figures in rows.items():
        cells = (_cell(figures.get(unit)) for unit in UNITS)
        table.add_row(escape(operation), *cells)
    return table


def _cell(one: Weighed | None) -> str:
    if one is None:
        return ""
    told = f"{one.now:,}"
    if one.growth:
        told += f" ({one.growth:+} %)"
    if one.is_over:
        return f"[red]{told} of {one.allowed:,} ✗[/red]"
    return told if one.allowed is None else f"{told} [dim]of {one.allowed:,}[/dim]"


def _json(outcome: Outcome) -> None:
    told = {
        "ok": not outcome.failed,
        "release": outcome.release,
        "findings": [one.as_dict() for one in outcome.findings],
        "figures": [
            {**one._asdict(), "growth": one.growth, "over": one.is_over} for one in outcome.weighed
        ],
        "documents": {"all": outcome.documents, "new": outcome.new_documents},
        "entry": outcome.entry,
        "state": outcome.state,
    }
    click.echo(json.dumps(told, indent=2, ensure_ascii=False))


def _github(outcome: Outcome) -> None:
    for line in annotated(outcome.findings):
        click.echo(line)
    click.echo(outcome.summary)


SHOWN: Mapping[str, Callable[[Outcome], None]] = {"text": _text, "json": _json, "github": _github}
