"""Variables coerced by what was found out before equal graphql-core's, and are refused alike."""

from __future__ import annotations

import os
from collections import Counter

import click
import pytest

from tests.compiler.fuzz.dice import Dice
from tests.compiler.variables import SCHEMAS, differs

SEED = int(os.environ.get("FACET_SEED", "1"))
SHORT, LONG = 1_500, 30_000


def _hold(name: str, runs: int, capsys: pytest.CaptureFixture[str]) -> None:
    tally = Counter[str]()
    said = [differs(SCHEMAS[name], Dice(SEED, name, run), tally) for run in range(runs // 4)]
    with capsys.disabled():
        click.echo(f"\n  variables of {name}, FACET_SEED={SEED}: {dict(tally)}", nl=False)
    wrong = [one for one in said if one is not None]
    assert not wrong, "\n".join(wrong[:5])
    assert min(tally["taken"], tally["refused"]) > runs / 10


@pytest.mark.parametrize("name", SCHEMAS)
def test_variables_equal_core(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever JSON holds is coerced to the same values, types included, or refused."""
    _hold(name, SHORT, capsys)


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", SCHEMAS)
def test_very_many_variables(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for many more."""
    _hold(name, LONG, capsys)
