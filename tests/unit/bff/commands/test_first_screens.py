"""The table of first screens: what it shows of good and of bad answers."""

from __future__ import annotations

import json
import re
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bff import config as settings_module
from bff.commands.development import DEFAULT_PORT_BASE, Layout, layout
from bff.commands.first_screens import FirstScreen, ask_home_screens, show
from bff.errors import ConfigError
from persisted_queries.manifest import parse_manifest
from persisted_queries.releases import Release
from tests.harness.ports import free_block
from tests.unit.bff.commands.servers import Answering, serving

GOOD: dict[str, Any] = {
    "data": {"home": {"viewer": None}},
    "extensions": {"upstream": {"calls": 4}},
}


@pytest.fixture
def where(tmp_path: Path) -> Layout:
    return layout(settings_module.load(), free_block(), tmp_path)


def asked(where: Layout, answering: Answering) -> list[FirstScreen]:
    """What the gateways' answers become when all answer alike."""
    with ExitStack() as running:
        for name in where.settings.platforms:
            running.enter_context(serving(where.bff_port(name), answering))
        return ask_home_screens(where, "a.b.c")


def printed(where: Layout, screens: list[FirstScreen], width: int = 200) -> tuple[bool, str]:
    console = Console(width=width)
    with console.capture() as capture:
        well = show(console, where, screens, "a.b.c")
    return well, capture.get()


def test_every_platform_is_asked(where: Layout) -> None:
    """Each gateway is asked twice for its newest home screen, by id, as the demo viewer; the
    second answer is shown."""
    answering = Answering(body=json.dumps(GOOD).encode())
    screens = asked(where, answering)
    assert [screen.platform for screen in screens] == ["ios", "android", "web"]
    assert [screen.problem for screen in screens] == [None] * 3
    assert {(s.status, s.size, s.upstream_calls) for s in screens} == {
        (200, len(answering.body), 4)
    }
    assert len(answering.asked) == 6
    for path, headers, body in answering.asked:
        assert path == "/graphql"
        assert headers["authorization"] == "Bearer a.b.c"
        assert body["documentId"] in {screen.operation.id for screen in screens}
        assert headers["apollographql-client-version"] in {s.release.name for s in screens}


@pytest.mark.parametrize(
    ("answering", "said"),
    [
        (Answering(503, b"draining"), "status 503: draining"),
        (Answering(200, b"<html>"), "no home in the answer"),
        (Answering(200, b"[]"), "no home in the answer"),
        (Answering(200, b'{"data":{"home":null}}'), "no home in the answer"),
        (Answering(200, b'{"data":null}'), "no home in the answer"),
        (
            Answering(200, b'{"data":{"home":{}},"errors":[{"message":"[/red] [bold]x"}]}'),
            "[/red] [bold]x",
        ),
    ],
)
def test_bad_answer_is_shown(where: Layout, answering: Answering, said: str) -> None:
    """An answer that is not whole is told in its own words, which are no markup, and fails the
    table."""
    well, output = printed(where, asked(where, answering))
    assert not well
    assert said in output


def test_silent_gateway_is_named(where: Layout) -> None:
    """A gateway that does not answer is named with its log."""
    with pytest.raises(ConfigError, match=r"bff-ios does not answer.*bff-ios\.log"):
        ask_home_screens(where, "a.b.c")


def test_curl_asks_this_set_up(where: Layout, tmp_path: Path) -> None:
    """The command to copy holds the document's id and makes a token of this very set-up; the
    token itself is not printed."""
    screens = asked(where, Answering(body=json.dumps(GOOD).encode()))
    well, output = printed(where, screens)
    assert well
    assert f'"documentId":"{screens[0].operation.id}"' in output
    assert f"bff token --port-base {where.port_base} --data {tmp_path}" in output
    assert "a.b.c" not in output
    usual = layout(where.settings, DEFAULT_PORT_BASE, Path(".data"))
    assert re.search(r"\$\(\S*bin/bff token\)", printed(usual, screens)[1])


@pytest.mark.parametrize(("inside", "program"), [(True, "env/bin/bff"), (False, "{}/env/bin/bff")])
def test_curl_works_from_here(
    where: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool, program: str
) -> None:
    """The command to copy names the program as seen from where it was started."""
    (tmp_path / "other").mkdir()
    monkeypatch.setattr("sys.executable", str(tmp_path / "env/bin/python"))
    monkeypatch.chdir(tmp_path if inside else tmp_path / "other")
    screens = asked(where, Answering(body=json.dumps(GOOD).encode()))
    assert f"$({program.format(tmp_path)} token" in printed(where, screens)[1]


@pytest.mark.parametrize("base", [8000, 64_000])
def test_table_fits_eighty_columns(where: Layout, tmp_path: Path, base: int) -> None:
    """In a narrow window and in a pipe no cell of the table is cut, whatever the numbers."""
    where = layout(where.settings, base, tmp_path)
    text = b'{"a": "query Home { home }"}'
    release = Release("ios", "10.20.30", "123456789", parse_manifest(text, "test"))
    (home,) = release.manifest.operations
    screens = [
        FirstScreen(name, release, home, "http://x", 200, 123_456, 123, 12_345.6, None)
        for name in where.settings.platforms
    ]
    _, output = printed(where, screens, width=80)
    assert "…" not in output.split("Try it")[0]
    rows = [line.split() for line in output.splitlines() if "10.20.30+123456789" in line]
    assert [row[:2] for row in rows] == [
        [name, f":{where.bff_port(name)}"] for name in where.settings.platforms
    ]


def test_left_out_documents_are_told(where: Layout) -> None:
    """Documents that a gateway left out are counted from its log, beside code and message of what
    it answered; nothing is shown as Python writes it."""
    log = where.log_file("bff-ios")
    log.parent.mkdir(parents=True)
    left_out = json.dumps({"event": "document_left_out", "reason": "no field x"})
    log.write_text(f"{left_out}\nnot json\n{left_out}\n" + json.dumps({"event": "answered"}))
    refused = {"errors": [{"message": "PersistedQueryNotFound", "extensions": {"code": "P_Q"}}]}
    well, output = printed(where, asked(where, Answering(body=json.dumps(refused).encode())))
    assert not well
    assert "ios: P_Q: PersistedQueryNotFound" in output
    assert "2 registered documents do not fit the schema" in output
    assert f"document_left_out in {log} name the cause" in output
    assert "{'" not in output
