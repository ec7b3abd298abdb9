"""The README's commands do what it says, copied from it and run against a stack."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bff import config as settings_module
from bff.commands.development import DEMO_HANDLE, layout
from bff.commands.seed_registry import make_registry
from bff.documents.releases import releases_of
from tests.contract.docs import Page
from tests.harness.databases import not_proven
from tests.harness.stack import Stack

pytestmark = pytest.mark.modeless

ROOT = Path(__file__).parent.parent.parent
README = Page(Path("README.md"), (ROOT / "README.md").read_text(encoding="utf-8"))


def _commands() -> list[str]:
    """The curl commands of the README, continued lines joined."""
    blocks = [text for language, text in README.fences if language == "sh"]
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if "curl " in line]


SCREENS = [command for command in _commands() if "bff token" in command]
PROBES = [command for command in _commands() if " -d " not in command and command not in SCREENS]
REFUSALS = [command for command in _commands() if command not in SCREENS + PROBES]


def _run(stack: Stack, command: str) -> str:
    """Run a command as printed but for the port, and where the stack keeps its keys."""
    if shutil.which("curl") is None:
        not_proven("curl", "install curl")
    where = stack.where
    token = f"{sys.executable} -m bff token --port-base {where.port_base} --data {where.data}"
    moved = command.replace(".venv/bin/bff token", token)
    moved = moved.replace("http://127.0.0.1:8001", stack.url("ios"))
    assert "8001" not in moved
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", moved],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_readme_ids_are_registered(stack: Stack) -> None:
    """Every document id in the README is a Home of a released iOS app."""
    releases = releases_of("ios", stack.settings("ios").platforms["ios"])
    homes = {
        operation.id
        for release in releases
        for operation in release.manifest.operations
        if operation.name == "Home"
    }
    named = set(re.findall(r"\b[0-9a-f]{64}\b", README.text))
    assert named
    assert named <= homes, f"name one of these in README.md instead: {sorted(homes)}"


@pytest.mark.parametrize("command", SCREENS)
def test_readme_screens_come_whole(stack: Stack, command: str) -> None:
    """The README's screens are answered for the demonstration account, without an error."""
    body: dict[str, Any] = json.loads(_run(stack, command))
    assert "errors" not in body
    assert body["data"]["home"]["viewer"]["handle"] == DEMO_HANDLE
    assert body["extensions"]["upstream"]["calls"] > 0


@pytest.mark.parametrize("command", REFUSALS)
def test_readme_refusal_reads_so(stack: Stack, command: str) -> None:
    """The error envelope printed in the README is what its command brings."""
    printed = [json.loads(text) for language, text in README.fences if language == "json"]
    assert json.loads(_run(stack, command)) in printed


@pytest.mark.parametrize("command", PROBES)
def test_readme_probes_answer(stack: Stack, command: str) -> None:
    """The README's health, readiness and metrics commands bring them."""
    said = _run(stack, command)
    assert '"status":"ready"' in said or '"status":"ok"' in said or "facet_requests_total" in said


def test_readme_shows_each_kind() -> None:
    """The tests above had something to run: screens, a refusal and the three probes."""
    assert (len(SCREENS), len(REFUSALS), len(PROBES)) == (2, 1, 3)


def test_readme_trace_is_one_tree(stack: Stack) -> None:
    """`bff trace`, as the README tells, shows one request from the gateway into the services."""
    _run(stack, SCREENS[0])
    command = [sys.executable, "-m", "bff", "trace", "--data", str(stack.where.data)]
    wide = {**os.environ, "COLUMNS": "200"}  # no line of the tree is broken
    until = time.monotonic() + 30
    wanted = ("POST /graphql", "bff-ios", "execute", "accounts.cards", "POST /v1/cards/batch")
    said = ""
    while time.monotonic() < until and not all(words in said for words in wanted):
        done = subprocess.run(
            command, cwd=ROOT, env=wide, capture_output=True, text=True, timeout=30, check=False
        )
        said = done.stdout
    assert [words for words in wanted if words not in said] == []


def test_readme_releases_are_told(tmp_path: Path) -> None:
    """The README's commands on releases, with a registry as `make run` leaves one: the sample
    releases are in it, the schema is as it was recorded, an old release reads an old field."""
    where = layout(settings_module.load(), 8000, tmp_path)
    where.make_folders()
    make_registry(where, lambda _: None)
    (block,) = (text for language, text in README.fences if "bff release list" in text)
    moved = block.replace(".venv/bin/bff", f"{sys.executable} -m bff")
    moved = moved.replace("=.data/", f"={where.data}/")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", moved],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for said in ("7.3.0+801", "ios: no changes", "ios: Article.readTime", "7.2.0+790"):
        assert said in done.stdout


def test_readme_code_is_ours() -> None:
    """The Python shown in the README stands in the iOS schema, letter by letter."""
    shown = [text.strip() for language, text in README.fences if language == "python"]
    schema = "\n".join(path.read_text() for path in sorted((ROOT / "schema/ios").glob("*.py")))
    assert shown
    assert [text for text in shown if text not in schema] == []
