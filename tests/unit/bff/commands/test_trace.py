"""`bff trace`: spans of several files drawn as one tree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from bff.commands.trace import draw, newest, trace
from bff.errors import ConfigError

FIRST, SECOND = "0x" + "1" * 32, "0x" + "2" * 32


def span(
    name: str,
    span_id: int,
    parent: int | None,
    start: int,
    trace_id: str = FIRST,
    service: str = "bff-ios",
    **attributes: Any,
) -> dict[str, Any]:
    """A span as the exporters write it, of 2.5 ms."""
    return {
        "name": name,
        "context": {"trace_id": trace_id, "span_id": f"0x{span_id:016x}"},
        "parent_id": None if parent is None else f"0x{parent:016x}",
        "start_time": f"2026-11-01T00:00:00.{start:03}000Z",
        "end_time": f"2026-11-01T00:00:00.{start + 2:03}500Z",
        "attributes": {name.replace("_", "."): value for name, value in attributes.items()},
        "resource": {"attributes": {"service.name": service}},
    }


TREE = [
    span("POST /graphql", 1, 99, 1, facet_platform="ios", facet_release="7.3.0+1"),
    span("execute", 3, 1, 4),
    span("document", 2, 1, 2, facet_screen="home"),
    span("content.items", 4, 3, 5, facet_upstream_keys=12),
    span("POST /v1/items/batch", 5, 4, 6, service="content"),
]
LATER = span("GET /graphql", 9, None, 50, SECOND, facet_platform="ios")


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / "traces").mkdir(exist_ok=True)
    (folder / "traces" / name).write_text("\n".join(lines) + "\n")


def run(folder: Path, *arguments: str) -> Result:
    given = [*arguments, "--data", str(folder)]
    return CliRunner().invoke(trace, given, catch_exceptions=False, env={"COLUMNS": "200"})


def shown(spans: list[dict[str, Any]]) -> list[str]:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(draw(spans))
    return capture.get().splitlines()


def test_spans_become_a_tree() -> None:
    """Children stand under their parents in the order they began, whatever order they were
    written in; a root whose parent is the app's stands at the top."""
    lines = shown(list(reversed(TREE)))
    assert lines[0].strip() == f"trace {'1' * 32}  2026-11-01 00:00:00 UTC"
    assert [line.partition("  ")[0] for line in lines[1:2]] == ["└── POST /graphql"]
    names = ["POST /graphql", "document", "execute", "content.items", "POST /v1/items/batch"]
    depths = [lines[n + 1].index(name) for n, name in enumerate(names)]
    assert depths == [4, 8, 8, 12, 16]


def test_span_says_where_and_how_long() -> None:
    """A line holds the service, the milliseconds and our own facts."""
    lines = shown(TREE)
    assert "content.items  bff-ios  2.50 ms  keys=12" in lines[4]
    assert "POST /v1/items/batch  content  2.50 ms" in lines[5]
    assert "release=7.3.0+1" in lines[1]


@pytest.mark.parametrize("claimed", ["[/dim]", "[bold]", "[/]", "[link=http://evil.test]x"])
def test_values_are_not_markup(claimed: str) -> None:
    """What a caller claims, its release for one, is shown as it is and cannot break the drawing."""
    (_, line) = shown([span("POST /graphql", 1, None, 1, facet_release=claimed)])
    assert f"release={claimed}" in line


def test_newest_request_is_the_default(tmp_path: Path) -> None:
    """Without an id the request that ended last at a gateway is drawn; later spans of services on
    their own do not count."""
    alone = span("GET /readyz", 7, None, 80, "0x" + "3" * 32, service="content")
    write(tmp_path, "bff-ios.jsonl", *(json.dumps(one) for one in [*TREE, LATER]))
    write(tmp_path, "content.jsonl", json.dumps(alone))
    assert newest([*TREE, LATER, alone]) == "2" * 32
    assert "GET /graphql" in run(tmp_path).output


@pytest.mark.parametrize("given", ["1" * 32, FIRST])
def test_trace_is_found_by_id(tmp_path: Path, given: str) -> None:
    """An id is taken as logs and as spans write it; spans of all files belong to it."""
    write(tmp_path, "bff-ios.jsonl", *(json.dumps(one) for one in [*TREE[:4], LATER]))
    write(tmp_path, "content.jsonl", json.dumps(TREE[4]))
    output = run(tmp_path, given).output
    assert "POST /v1/items/batch" in output
    assert "GET /graphql" not in output


def test_id_may_be_upper_case(tmp_path: Path) -> None:
    """Hexadecimal digits have no case."""
    write(tmp_path, "a.jsonl", json.dumps(span("POST /graphql", 1, None, 1, "0x" + "ab" * 16)))
    assert "POST /graphql" in run(tmp_path, "AB" * 16).output


@pytest.mark.parametrize("broken", ['{"name": "cut', "", "5", "[]", "{}", "null"])
def test_unfinished_line_is_passed_over(tmp_path: Path, broken: str) -> None:
    """A line that is still being written, or is no span, does not matter."""
    write(tmp_path, "bff-ios.jsonl", *(json.dumps(one) for one in TREE), broken)
    assert "content.items" in run(tmp_path).output


def test_nothing_to_draw_is_said(tmp_path: Path) -> None:
    """No spans, or none of that trace, is told with where was looked."""
    with pytest.raises(ConfigError, match="run `bff up`"):
        run(tmp_path)
    write(tmp_path, "bff-ios.jsonl", json.dumps(LATER))
    with pytest.raises(ConfigError, match=f"no span of trace {'1' * 32}"):
        run(tmp_path, "1" * 32)


def test_missing_trace_says_wait(tmp_path: Path) -> None:
    """Who looks too early is told that spans are written every few seconds."""
    write(tmp_path, "bff-ios.jsonl", json.dumps(LATER))
    with pytest.raises(ConfigError, match="every few seconds"):
        run(tmp_path, "f" * 32)
