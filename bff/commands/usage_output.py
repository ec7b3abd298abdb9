"""What `bff usage` prints: tables for people, one JSON value a platform for machines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from bff.commands.document_names import names_of
from bff.commands.findings import counted
from bff.usage.counts import Pair
from persisted_queries.compaction import Compacted
from persisted_queries.coverage import Gap
from persisted_queries.model import RegistryState
from persisted_queries.registry import Registry
from persisted_queries.rollups import ALL_DOCUMENTS, NOT_TOLD, OTHERS
from persisted_queries.usage import Usage
from persisted_queries.usage_view import ReleaseUsage, UsageView

WIDTH = 200
NAMES = {NOT_TOLD: "(did not say)", OTHERS: "(more than were told apart)"}
SHOWN_GAPS = 5
# More objects than this take seconds to list.
MANY = 20_000


class Reader(NamedTuple):
    """A release that sends documents with a field; `state` is None where it is not known which."""

    release: str
    state: str | None
    operations: list[str]
    usage: ReleaseUsage


def readers_shown(
    platform: str, field: str, readers: Sequence[Reader], view: UsageView, output: str
) -> None:
    """Who reads a field."""
    if output == "json":
        told = [
            {
                "release": one.release,
                "state": one.state,
                "operations": one.operations,
                **_figures(one.usage),
            }
            for one in readers
        ]
        _json({"platform": platform, "field": field, "readers": told, **_known(view)})
        return
    console = Console(width=WIDTH, highlight=False)
    if not readers:
        console.print(f"{platform}: no release sends a document that selects {escape(field)}")
        return
    table = _table(f"{platform}: {field}", "release", "state", "read by", *_HEADS)
    for one in readers:
        cells = (_name(one.release), one.state or "", ", ".join(one.operations))
        table.add_row(*map(escape, cells), *_cells(one.usage))
    console.print(table)
    _note_gaps(console, view)


def releases_shown(state: RegistryState, view: Usage, output: str) -> None:
    """What every release asked for, as callers told their release; those that are gone too."""
    platform = state.platform
    states = {name: one.state for name, one in state.releases.items()}
    pairs = view.pairs()
    told = {release for release, _ in pairs}
    names = [*reversed(states), *sorted(told - states.keys(), reverse=True)]
    found = {name: pairs.get((name, ALL_DOCUMENTS), ReleaseUsage()) for name in names}
    if output == "json":
        rows = [
            {"release": name, "state": states.get(name), **_figures(one)}
            for name, one in found.items()
        ]
        _json({"platform": platform, "releases": rows, "devices": view.devices(), **_known(view)})
        return
    console = Console(width=WIDTH, highlight=False)
    table = _table(platform, "release", "state", *_HEADS)
    for name, one in found.items():
        table.add_row(escape(_name(name)), states.get(name, ""), *_cells(one))
    console.print(table)
    _note_gaps(console, view)


def release_shown(registry: Registry, name: str, view: Usage, output: str) -> None:
    """What one release asked for, by document. Raises RegistryError."""
    platform, published = registry.platform, registry.state.releases.get(name)
    state = published.state if published is not None else None
    listed = registry.manifest(published.manifest) if published is not None else ()
    sends = [one.hash for one in listed]
    names = names_of(registry)
    sent = {document for release, document in view.pairs() if release == name and document}
    whole = view.release(name)
    rows = {hashed: view.document(name, hashed) for hashed in [*sends, *sorted(sent - {*sends})]}
    if output == "json":
        told = [
            {"document": hashed, "operation": names.get(hashed), **_figures(one)}
            for hashed, one in rows.items()
        ]
        value = {"platform": platform, "release": name, "state": state, **_figures(whole)}
        _json({**value, "documents": told, **_known(view)})
        return
    console = Console(width=WIDTH, highlight=False)
    table = _table(f"{platform} {name}, {state or 'never published'}", "operation", *_HEADS)
    for hashed, one in sorted(rows.items(), key=lambda row: -row[1].requests):
        table.add_row(escape(names.get(hashed, hashed[:12])), *_cells(one))
    table.add_section()
    table.add_row("all, what was refused too", *_cells(whole))
    console.print(table)
    _note_gaps(console, view)


def live_shown(
    platform: str,
    minutes: int,
    found: Mapping[Pair, tuple[int, int]],
    names: Mapping[str, str],
    output: str,
) -> None:
    """What the last minutes asked for. `names`: of operations, by the hash of their text."""
    rows = sorted(found.items(), key=lambda row: -row[1][0])
    if output == "json":
        told = [
            {
                "release": release,
                "document": hashed,
                "operation": names.get(hashed),
                "requests": requests,
                "errors": errors,
            }
            for (release, hashed), (requests, errors) in rows
        ]
        _json({"platform": platform, "minutes": minutes, "used": told})
        return
    table = _table(f"{platform}, last {minutes} min", "release", "operation", "requests", "errors")
    for (release, hashed), (requests, errors) in rows:
        shown = names.get(hashed) or hashed[:12] or "(not registered)"
        table.add_row(escape(_name(release)), escape(shown), f"{requests:,}", f"{errors:,}")
    Console(width=WIDTH, highlight=False).print(table)


def compacted_shown(platform: str, done: Sequence[Compacted], output: str) -> None:
    """What compaction did."""
    if output == "json":
        _json({"platform": platform, "days": [one._asdict() for one in done]})
        return
    for one in done:
        summed = f"{one.processes} process{'' if one.processes == 1 else 'es'}"
        click.echo(f"{platform} {one.day}: {summed}, {counted(one.deleted, 'object')} deleted")
    if not done:
        click.echo(f"{platform}: nothing to do")


_HEADS = ("requests", "errors", "bytes each", "devices", "share", "last seen (UTC)")


def _cells(one: ReleaseUsage) -> tuple[str, ...]:
    if not one.requests:
        return ("0", "", "", "", "", "")
    return (
        f"{one.requests:,}",
        f"{one.errors:,}",
        f"{one.bytes_out // one.requests:,}",
        f"{one.devices:,}",
        "" if one.share is None else f"{one.share:.1%}",
        "" if one.last_seen is None else f"{one.last_seen:%Y-%m-%d %H:%M}",
    )


def _figures(one: ReleaseUsage) -> dict[str, Any]:
    return msgspec.structs.asdict(one)


def _known(view: UsageView) -> dict[str, Any]:
    if not isinstance(view, Usage):
        return {"complete": False, "gaps": []}
    gaps = view.gaps()
    return {"since": view.since, "complete": not gaps, "gaps": [_gap(one) for one in gaps]}


def _gap(one: Gap) -> dict[str, object]:
    return one._asdict()


def _note_gaps(console: Console, view: UsageView) -> None:
    """What a reader must know of before he calls something unused."""
    if not isinstance(view, Usage):
        console.print("use is unknown: no registry holds any (registry.url, or --registry)")
        return
    gaps = view.gaps()
    console.print(
        f"since {view.since:%Y-%m-%d %H:%M}; {len(gaps):,} "
        f"{'stretch of it is' if len(gaps) == 1 else 'stretches of it are'} unknown"
        if gaps
        else f"since {view.since:%Y-%m-%d %H:%M}, wholly known"
    )
    for one in gaps[:SHOWN_GAPS]:
        who = f"process {one.process} " if one.process else ""
        console.print(f"  {_instant(one.begins)} to {_instant(one.ends)}: {who}{one.reason}")
    if len(gaps) > SHOWN_GAPS:
        console.print(f"  … and {len(gaps) - SHOWN_GAPS} more (--format json)")
    if view.objects > MANY:
        console.print(f"{view.objects:,} roll-ups were listed; `bff usage compact` sums them up")


def _instant(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}"


def _name(release: str) -> str:
    return NAMES.get(release, release)


def _table(title: str, *heads: str) -> Table:
    table = Table(title=escape(title), title_justify="left")
    for head in heads:
        table.add_column(head, justify="right" if head in {*_HEADS, "requests"} else "left")
    return table


def _json(value: object) -> None:
    click.echo(msgspec.json.encode(value).decode())
