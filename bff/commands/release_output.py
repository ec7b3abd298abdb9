"""What `bff release` prints: a table for people, one JSON value for machines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bff.commands.findings import plain
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import (
    Brownout,
    Published,
    Record,
    RegistryState,
    SetGate,
    SetState,
)

COLOURS = {
    "draft": "dim",
    "in_review": "cyan",
    "rolling_out": "cyan",
    "live": "green",
    "sunset": "yellow",
    "blocked": "red",
    "retired": "dim",
}


def releases_shown(
    state: RegistryState,
    releases: Sequence[Published],
    output: str,
    operations: Sequence[ManifestOperation] | None = None,
) -> None:
    """Print releases; with `operations`, those of the only one."""
    if output == "json":
        told: dict[str, Any] = {
            "platform": state.platform,
            "entry": state.number,
            "releases": [_release(state, one) for one in releases],
        }
        if operations is not None:
            told["operations"] = [
                {"id": one.id, "hash": one.hash, "name": one.name, "type": one.type}
                for one in operations
            ]
        click.echo(msgspec.json.encode(told).decode())
        return
    console = Console()
    console.print(_table(state, releases))
    for one in operations or ():
        console.print(
            f"  {one.type:<8} {escape(plain(one.name))}  [dim]{escape(plain(one.id))}[/dim]",
            soft_wrap=True,
        )


def written_shown(record: Record, state: RegistryState, output: str) -> None:
    """Print what was written, and what it made of a release."""
    entry = record.entry
    if output == "json":
        told = {"platform": record.platform, "entry": record.number, "wrote": entry}
        click.echo(msgspec.json.encode(told).decode())
        return
    name = f"{entry.version}+{entry.build}" if isinstance(entry, SetState) else None
    words = _words(state, state.releases[name]) if name else _said(entry)
    line = f"{record.platform} {name or ''}: {words} (entry {record.number})"
    click.echo(plain(line).replace(" :", ":"))


def gate_shown(state: RegistryState, output: str) -> None:
    """Print a platform's version gate."""
    if output == "json":
        told = {"platform": state.platform, "entry": state.number, "gate": state.gate}
        click.echo(msgspec.json.encode(told).decode())
    else:
        click.echo(plain(f"{state.platform}: {_said(state.gate)}"))


def _said(entry: Any) -> str:
    if isinstance(entry, SetGate):
        named = msgspec.to_builtins(entry).items()
        told = ", ".join(f"{name} {value}" for name, value in named if value and name != "kind")
        return f"the version gate is {told or 'off'}"
    if isinstance(entry, Brownout):
        if entry.ends <= entry.begins:
            return f"no brown-out of {entry.field} at {entry.begins:%Y-%m-%dT%H:%MZ} any more"
        window = f"{entry.begins:%Y-%m-%dT%H:%MZ} to {entry.ends:%Y-%m-%dT%H:%MZ}"
        return f"{entry.field} is in a brown-out from {window}"
    what = "runs another text from now on" if entry.hash else "runs its published text again"
    return f"{entry.id} {what}, for {entry.release or 'all releases'}"


def _table(state: RegistryState, releases: Sequence[Published]) -> Table:
    table = Table(title=f"{state.platform}, entry {state.number}", title_justify="left", box=None)
    for column in ("release", "state", "published", "capabilities", "hot-fixes", "why"):
        table.add_column(column, no_wrap=column == "release")
    for one in releases:
        table.add_row(
            escape(one.name),
            f"[{COLOURS[one.state]}]{escape(_words(state, one))}[/]",
            f"{one.published:%Y-%m-%d}",
            escape(plain(", ".join(one.capabilities))),
            str(len(_fixes(state, one)) or ""),
            escape(plain(one.reason)),
        )
    return table


def _words(_state: RegistryState, release: Published) -> str:
    if release.state == "rolling_out":
        return f"rolling_out {release.rollout} %"
    if release.state == "sunset" and release.sunset is not None:
        return f"sunset {release.sunset.isoformat()}"
    return release.state


def _fixes(state: RegistryState, release: Published) -> dict[str, str]:
    """Hot-fixes in force for a release, id → hash; those for all releases too."""
    return {
        key: hashed for (key, name), hashed in state.remaps.items() if name in (None, release.name)
    }


def _release(state: RegistryState, release: Published) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(release)
    return {"name": release.name, **told, "remaps": _fixes(state, release)}
