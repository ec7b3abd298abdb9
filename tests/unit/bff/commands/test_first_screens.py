"""The table of first screens: what it shows of good and of bad answers."""

from __future__ import annotations

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from bff import config as settings_module
from bff.commands.development import DEFAULT_PORT_BASE, Layout, layout
from bff.commands.first_screens import FirstScreen, ask_home_screens, show
from bff.errors import ConfigError
from tests.harness.stack import free_block
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


def printed(where: Layout, screens: list[FirstScreen]) -> tuple[bool, str]:
    console = Console(width=200)
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
    assert "$(.venv/bin/bff token)" in printed(usual, screens)[1]
