"""The recipes of schema/README.md do what they say: its edits are applied and its commands run, as
printed, on a copy of the project with a registry of its own."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest

from bff import config as settings_module
from bff.commands.development import layout
from bff.commands.seed_registry import make_registry
from tests.harness.databases import not_proven

pytestmark = pytest.mark.modeless

ROOT = Path(__file__).parent.parent.parent
PAGE = "schema/README.md"
SNAPSHOT = "schema/ios/schema.graphql"
COPIED = ("Makefile", "pyproject.toml", "bff", "schema", "persisted_queries", "deploy")
RECIPES = ("Add a field", "Deprecate a field", "Remove a field", "Rename a field")
# What every ```sh block of a recipe is run after; the block before it makes the registry.
SETTINGS = "Before you begin"
YEAR = "2027-"  # of all dates on the page

_SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n)*)", re.M)
_BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^\1```$", re.M | re.S)
# Where this is shown, the last command before it must end with 1; all others with 0.
_REFUSED = re.compile(r"^\w+: refused", re.M)


class Block(NamedTuple):
    """A fenced block, its text as it would be copied."""

    language: str
    text: str


def recipes(page: str) -> dict[str, list[Block]]:
    """The blocks of each section."""
    return {
        section[1]: [
            Block(found[2], textwrap.dedent(_unindented(found[3], found[1])))
            for found in _BLOCK.finditer(section[2])
        ]
        for section in _SECTION.finditer(page)
    }


def _unindented(text: str, indent: str) -> str:
    return "".join(line.removeprefix(indent) for line in text.splitlines(keepends=True))


def not_said(shown: str, said: str) -> list[str]:
    """Lines shown in a ```text block that were not said, in their order; `…` is anything."""
    lines = [" ".join(line.split()) for line in said.splitlines()]
    missing = []
    for line in filter(None, map(str.strip, shown.splitlines())):
        words = ".*".join(re.escape(" ".join(part.split())) for part in line.split("…"))
        at = next((n for n, one in enumerate(lines) if re.fullmatch(words, one)), None)
        if at is None:
            missing.append(line)
        else:
            del lines[: at + 1]
    return missing


def ahead(text: str, day: date) -> str:
    """The page's dates, or those of the years after them that are still to come."""
    soon = day + timedelta(days=31)
    year = 2027 if soon < date(2027, 3, 31) else soon.year + 1
    return text.replace(YEAR, f"{year}-")


def today() -> date:
    return datetime.now(UTC).date()


@dataclass
class Workshop:
    """A copy of the project in which a recipe is followed."""

    folder: Path
    before: str

    def run(self, commands: str, code: int = 0) -> str:
        """What a block says; it ends at the first command that fails, with this exit code."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.before + commands],
            cwd=self.folder,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def apply(self, diff: str) -> None:
        """As `git apply` does it for whoever pastes the block."""
        done = subprocess.run(
            ["git", "apply", "-"],
            cwd=self.folder,
            # Not as part of a repository that the temporary folder may lie in.
            env={**environment(), "GIT_CEILING_DIRECTORIES": str(self.folder.parent)},
            input=diff,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert done.returncode == 0, f"{PAGE} shows what is no longer so: {done.stderr}\n{diff}"

    def snapshot(self) -> str:
        return (self.folder / SNAPSHOT).read_text(encoding="utf-8")


def environment() -> dict[str, str]:
    """Nothing of whoever runs the tests: not their settings, not what their `make` was told."""
    kept = ("PATH", "HOME", "LANG", "TMPDIR")
    return {name: os.environ[name] for name in kept if name in os.environ}


def copied(folder: Path) -> None:
    """The project as a clone of it, its environment that of this process."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy2(ROOT / name, folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, runs in (("python", ""), ("bff", " -m bff")):
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}"{runs} "$@"\n')
        (programs / name).chmod(0o755)
    for done in (".run", ".dev"):  # what `make` would install is there
        (folder / ".venv" / done).touch()


@pytest.fixture
def page() -> dict[str, list[Block]]:
    return recipes(ahead((ROOT / PAGE).read_text(encoding="utf-8"), today()))


@pytest.fixture
def workshop(tmp_path: Path, page: dict[str, list[Block]]) -> Workshop:
    """A copy with a registry as `make run` leaves one."""
    for program in ("make", "git", "bash"):
        if shutil.which(program) is None:
            not_proven(program, f"install {program}")
    copied(tmp_path)
    for path in (tmp_path / "schema" / "ios").iterdir():
        if path.is_file():
            path.write_text(ahead(path.read_text("utf-8"), today()), "utf-8")
    where = layout(settings_module.load(), 8000, tmp_path / ".data")
    where.make_folders()
    make_registry(where, lambda _: None)
    _, settings = page[SETTINGS]
    return Workshop(tmp_path, settings.text)


def followed(workshop: Workshop, blocks: list[Block]) -> Iterator[str]:
    """Do what a recipe's blocks say, one after the other; gives what proved to be otherwise."""
    said = ""
    for block, following in zip_longest(blocks, blocks[1:]):
        match block.language:
            case "diff":
                workshop.apply(block.text)
            case "sh":
                refused = following is not None and _REFUSED.search(following.text)
                said = workshop.run(block.text, 1 if refused else 0)
            case "text":
                yield from (f"not said: {one}\n{said}" for one in not_said(block.text, said))
            case "graphql":
                found = workshop.snapshot()
                yield from (one for one in block.text.splitlines() if one not in found)
            case other:
                yield f"a block of {other}, which nobody tries"


@pytest.mark.parametrize("recipe", RECIPES)
def test_recipe_does_what_it_says(
    workshop: Workshop, page: dict[str, list[Block]], recipe: str
) -> None:
    """Every edit of a recipe applies, every command ends as noted and says what is shown."""
    assert list(followed(workshop, page[recipe])) == []


def test_recipes_are_all_tried(page: dict[str, list[Block]]) -> None:
    """No section with commands is left out, and each recipe shows edits, commands and outcomes."""
    assert [name for name, blocks in page.items() if blocks] == [SETTINGS, *RECIPES]
    for recipe in RECIPES:
        assert {block.language for block in page[recipe]} >= {"diff", "sh", "text"}
    made, settings = page[SETTINGS]
    assert made.text == "make run ARGS=--once\n"
    assert all(line.startswith("export ") for line in settings.text.splitlines())


def test_a_wrong_outcome_is_found() -> None:
    """A line that was not said is found, and one out of order; those that were said are not."""
    said = "ios: one thing\n  │ 7.3.0 │ live │ 12 │\nios: may be made\n"
    assert not_said("ios: one thing\n│ 7.3.0 │ live │ …\nios: may be made", said) == []
    assert not_said("ios: may be made\nios: one thing", said) == ["ios: one thing"]
    assert not_said("ios: refused …", said) == ["ios: refused …"]


def test_a_wrong_exit_code_is_found(tmp_path: Path) -> None:
    """A block that ends otherwise than shown fails its recipe, and so does a failure within it."""
    workshop = Workshop(tmp_path, "export NAME=ios\n")
    assert workshop.run('echo "$NAME"\n') == "ios\n"
    assert workshop.run('echo "$NAME"\nfalse\n', 1) == "ios\n"
    for commands, code in (("false\ntrue\n", 0), ("true\n", 1), ("exit 2\n", 1)):
        with pytest.raises(AssertionError):
            workshop.run(commands, code)


def test_page_dates_stay_ahead() -> None:
    """Whoever runs the recipes after the dates on the page gets later ones."""
    assert ahead("--on 2027-03-31", date(2026, 11, 20)) == "--on 2027-03-31"
    assert ahead("--on 2027-03-31", date(2027, 3, 30)) == "--on 2028-03-31"
    assert ahead("--on 2027-03-31", date(2028, 12, 30)) == "--on 2030-03-31"
