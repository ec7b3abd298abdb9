"""`bff trace`: one request's spans, from the gateway into the services, drawn as one tree."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.markup import escape
from rich.tree import Tree

from bff.commands.development import DEFAULT_DATA
from bff.errors import ConfigError


@click.command()
@click.argument("trace_id", required=False)
@click.option("--data", default=DEFAULT_DATA, show_default=True, type=click.Path(path_type=Path))
def trace(trace_id: str | None, data: Path) -> None:
    """Draw the trace TRACE_ID (the newest of a gateway by default) from the files of `bff up`."""
    spans = list(_read(data / "traces"))
    if not spans:
        raise ConfigError(
            f"no spans in {data / 'traces'}; run `bff up` and ask it something; spans are written "
            "every few seconds"
        )
    wanted = _hex(trace_id) if trace_id else newest(spans)
    members = [span for span in spans if _hex(span["context"]["trace_id"]) == wanted]
    if not members:
        raise ConfigError(
            f"no span of trace {wanted} in {data / 'traces'}; spans are written every few seconds: "
            "try again, or name another trace (log line `answered`)"
        )
    Console().print(draw(members))


def newest(spans: list[dict[str, Any]]) -> str:
    """The trace of the request that ended last, among those that entered through a gateway."""
    roots = [span for span in spans if "facet.platform" in span["attributes"]]
    latest = max(roots or spans, key=lambda span: str(span["end_time"]))
    return _hex(latest["context"]["trace_id"])


def draw(spans: list[dict[str, Any]]) -> Tree:
    """The spans of one trace under their parents, by start time."""
    known = {span["context"]["span_id"] for span in spans}
    ordered = sorted(spans, key=lambda span: str(span["start_time"]))
    began = _instant(ordered[0]["start_time"])
    tree = Tree(f"trace {_hex(ordered[0]['context']['trace_id'])}  [dim]{began:%F %T} UTC[/dim]")
    branches: dict[str, Tree] = {}
    roots = [span for span in ordered if span["parent_id"] not in known]
    pending = [(span, tree) for span in roots]
    while pending:
        span, parent = pending.pop(0)
        branch = branches[span["context"]["span_id"]] = parent.add(_label(span))
        pending += [
            (child, branch) for child in ordered if child["parent_id"] == span["context"]["span_id"]
        ]
    return tree


def _label(span: dict[str, Any]) -> str:
    took = _instant(span["end_time"]) - _instant(span["start_time"])
    service = span["resource"]["attributes"].get("service.name", "?")
    shown = {
        name.rsplit(".", 1)[-1]: value
        for name, value in span["attributes"].items()
        if name.startswith("facet.") and value not in ("", None)
    }
    facts = escape(" ".join(f"{name}={value}" for name, value in shown.items()))
    milliseconds = took.total_seconds() * 1000
    return f"{escape(span['name'])}  [dim]{service}  {milliseconds:.2f} ms  {facts}[/dim]"


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _hex(trace_id: str) -> str:
    return trace_id.lower().removeprefix("0x").zfill(32)


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                span = json.loads(line)
            except ValueError:
                continue  # a line still being written
            if isinstance(span, dict) and "context" in span:
                yield span
