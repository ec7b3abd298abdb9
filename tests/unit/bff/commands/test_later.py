"""Verbs that are imported when they are called."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner

from bff.__main__ import cli
from bff.commands.later import Later

WHOLE = 10_000  # characters that no first sentence has


def later(group: click.Group, path: str = "bff") -> Iterator[tuple[str, Later]]:
    """Every verb of a group that is imported when it is called, and those of its groups."""
    for name, command in group.commands.items():
        here = f"{path} {name}"
        if isinstance(command, Later):
            yield here, command
        found = command.command if isinstance(command, Later) else command
        if isinstance(found, click.Group):
            yield from later(found, here)


EVERY = [pytest.param(command, id=path) for path, command in later(cli)]


@pytest.mark.parametrize("verb", EVERY)
def test_listed_help_is_its_own(verb: Later) -> None:
    """What a group's help says of a verb is the first sentence of the verb's own help, under the
    verb's own name."""
    assert verb.name == verb.command.name
    assert verb.help is not None
    assert verb.get_short_help_str(WHOLE) == verb.command.get_short_help_str(WHOLE)
    assert verb.help.rstrip(".") == verb.get_short_help_str(WHOLE).rstrip(".")


def test_verbs_are_called_through() -> None:
    """A verb, and one of a group that is itself imported late, run as if they stood there."""
    done = CliRunner().invoke(cli, ["release", "gate", "--help"], prog_name="bff")
    assert done.exit_code == 0, done.output
    assert "Usage: bff release gate" in done.output
    assert "--minimum" in done.output
    assert CliRunner().invoke(cli, ["nothing"]).exit_code == 2


@pytest.mark.parametrize("words", [["--help"], ["release", "list", "--help"], ["token", "--help"]])
def test_small_verbs_start_small(words: list[str]) -> None:
    """The gateway is not imported by what does without it."""
    code = (
        "import sys\nfrom bff.__main__ import cli\n"
        "cli(sys.argv[1:], prog_name='bff', standalone_mode=False)\n"
        "held = {'bff.app', 'strawberry', 'starlette', 'uvicorn'} & set(sys.modules)\n"
        "print(*sorted(held), file=sys.stderr, end='')"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "Usage: bff" in done.stdout
