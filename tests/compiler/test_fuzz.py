"""Random operations on random schemas answer as graphql-core answers them, when compiled.

`FACET_SEED` chooses other worlds; a failure names the seed of its world.
"""

from __future__ import annotations

import os

import click
import pytest

from tests.compiler.fuzz.runs import Tally, fuzz
from tests.compiler.subject import Subject

SEED = int(os.environ.get("FACET_SEED", "1"))
SHORT, LONG = 1_000, 20_000

pytestmark = [
    # graphql-core itself drops coroutines that it cancels before they began.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def _hold(runs: int, capsys: pytest.CaptureFixture[str]) -> Tally:
    """So many runs without a difference that is not allowed; their figures are printed."""
    subject = Subject()
    ran, whole = subject.compiled, sum(subject.whole.values())
    tally = await fuzz(subject.executor, SEED, runs)
    compiled = subject.compiled - ran
    with capsys.disabled():
        click.echo(f"\n  fuzz of compiled plans, FACET_SEED={SEED}: {tally.shown()}", nl=False)
    assert not tally.wrong, "\n".join(map(str, tally.wrong))
    assert tally.runs >= runs
    assert compiled + sum(subject.whole.values()) - whole == tally.runs
    assert compiled > 0.9 * tally.runs
    return tally


async def test_random_operations_equal_core(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand runs, half of them with failures, many awaiting: no difference but the order and
    number of racing errors."""
    tally = await _hold(SHORT, capsys)
    assert tally.counts["with errors"] > SHORT / 5
    assert tally.counts["awaited"] > SHORT / 5


@pytest.mark.verify
@pytest.mark.timeout(900)
async def test_very_many_random_operations(capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty thousand runs without a difference in data."""
    await _hold(LONG, capsys)
