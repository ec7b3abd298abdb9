"""A screen that became too heavy is found before its release is published, on the line it is
defined."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from bff import config as settings_module
from bff.commands.schema import sdl
from bff.config import PROJECT
from persisted_queries.pack import pack, read_documents
from tests.harness.stack import PLATFORMS, Stack

FIELD = "    alsoLiked: related(first: 12) { items { ... on Item { id title summary } } }\n"
RUN_S = 60


class Told(NamedTuple):
    """What the command said and how it ended."""

    code: int
    output: str


def app(folder: Path, platform: str = "ios", added: str = "") -> Path:
    """A copy of an app's folder, its Content screen with a field added; the manifest of it, and the
    schema in force beside it."""
    source = PROJECT / "persisted_queries" / platform
    for name in ("operations", "releases"):
        shutil.copytree(source / name, folder / name)
    shutil.copy(source / "budgets.yaml", folder)
    sdl_of_code = sdl(settings_module.load().platforms[platform])
    (folder / "schema.graphqls").write_text(sdl_of_code, "utf-8")
    generator = json.loads((source / "app.json").read_bytes())["generator"]
    screen = folder / "operations" / "Content.graphql"
    before, last, after = screen.read_text("utf-8").partition("    related(")
    assert last
    screen.write_text(before + added + last + after, "utf-8")
    manifest = folder / "manifest.json"
    manifest.write_text(pack(read_documents(folder / "operations"), generator), "utf-8")
    return manifest


def publish(stack: Stack, token: str, manifest: Path, output: str, platform: str = "ios") -> Told:
    """`bff publish --check --against` a gateway of the stack, from the app's folder."""
    command = [sys.executable, "-m", "bff", "publish", str(manifest), "--check"]
    command += ["--platform", platform, "--version", "17.4.0", "--build", "1812"]
    command += [
        "--schema",
        str(manifest.parent / "schema.graphqls"),
        "--against",
        stack.url(platform),
        "--token",
        token,
    ]
    told = {
        f"BFF__PLATFORMS__{platform.upper()}__RELEASES": str(manifest.parent / "releases"),
        "PYTHONPATH": str(PROJECT),
    }
    done = subprocess.run(
        [*command, "--format", output],
        cwd=manifest.parent,
        env={**os.environ, **told},
        capture_output=True,
        text=True,
        timeout=RUN_S,
        check=False,
    )
    assert done.stderr == ""
    return Told(done.returncode, done.stdout)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_screen_within_its_budget_passes(
    stack: Stack, token: str, tmp_path: Path, platform: str
) -> None:
    """Each app as it is passes: every screen was run on the seed services and weighed, compressed
    as the app asks, beside its budget and the release before. No budget is far from its screen."""
    told = publish(stack, token, app(tmp_path, platform), "json", platform)
    assert told.code == 0, told.output
    said = json.loads(told.output)
    assert said["ok"]
    weighed = {one["operation"]: one for one in said["figures"] if one["unit"] == "bytes"}
    assert {"Home", "Profile", "Content", "Inbox"} <= weighed.keys()
    for one in weighed.values():
        assert 0.8 * one["allowed"] < one["now"] <= one["allowed"], one
    assert weighed["Home"]["earlier"] in os.listdir(tmp_path / "releases")
    assert weighed["Home"]["growth"] == 0


def test_field_too_many_fails(stack: Stack, token: str, tmp_path: Path) -> None:
    """The same app with one field more on a screen is ten per cent over: exit code 1, and an
    annotation on the file that defines the screen, which tells growth and budget."""
    manifest = app(tmp_path, added=FIELD)
    told = publish(stack, token, manifest, "github")
    assert told.code == 1, told.output
    (line,) = [one for one in told.output.splitlines() if " bytes" in one]
    found = re.match(
        r"::error file=operations/Content\.graphql,line=1,col=1,title=budget::"
        r"Content/ios 17\.4\.0: \+\d+ %25 bytes, over budget "
        r"\(([\d,]+) of ([\d,]+); 7\.3\.0\+801 had ([\d,]+)\)",
        line,
    )
    assert found, line
    now, allowed, before = (int(number.replace(",", "")) for number in found.groups())
    assert now >= 1.1 * allowed > allowed >= before


def test_half_an_answer_is_not_weighed(stack: Stack, tmp_path: Path) -> None:
    """Signed out, screens come in part: they weigh less, which is no proof, and so are refused."""
    told = publish(stack, "", app(tmp_path), "text")
    assert told.code == 1
    assert "cannot be weighed: UNAUTHENTICATED" in told.output


@pytest.mark.modeless
def test_gateway_that_is_gone_is_told(stack: Stack, tmp_path: Path) -> None:
    """Without a gateway nothing was judged: exit code 2, with the way out."""
    manifest = app(tmp_path)
    command = [sys.executable, "-m", "bff", "publish", str(manifest), "--check"]
    command += ["--platform", "ios", "--version", "7.4.0", "--build", "812", "--token", "t"]
    command += [
        "--schema",
        str(manifest.parent / "schema.graphqls"),
        "--against",
        "http://127.0.0.1:9",
    ]
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, timeout=RUN_S, check=False
    )
    assert done.returncode == 2
    assert "no gateway answers at http://127.0.0.1:9/graphql" in done.stderr
