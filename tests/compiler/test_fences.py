"""Within random fences compiled plans answer as graphql-core does, and old builds can read it.

`FACET_SEED` chooses other worlds; a failure names the seed of its world.
"""

from __future__ import annotations

import os
from collections import Counter

import click
import pytest

from tests.compiler.builds import Crash, Decoder, fence_of, older
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.fenced_runs import fenced_fuzz
from tests.compiler.platforms import PLATFORMS, Platform
from tests.compiler.subject import Subject

SEED = int(os.environ.get("FACET_SEED", "1"))
SHORT, LONG = 1_000, 20_000
SHORT_DOCUMENTS, LONG_DOCUMENTS = 25, 400
OF_ONE_BUILD = 5
ROUNDS = 2

pytestmark = [
    # graphql-core itself drops coroutines that it cancels before they began.
    pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


async def _hold(runs: int, capsys: pytest.CaptureFixture[str]) -> None:
    subject = Subject()
    ran = subject.compiled
    tally = await fenced_fuzz(SEED, runs)
    with capsys.disabled():
        click.echo(f"\n  fuzz of fences, FACET_SEED={SEED}: {tally.shown()}", nl=False)
    assert not tally.wrong, "\n".join(map(str, tally.wrong))
    assert tally.runs >= runs
    assert subject.compiled - ran > 0.9 * tally.runs
    for what, least in {"nulled": 0.2, "dropped": 0.02, "replaced": 0.01}.items():
        assert tally.counts[f"with {what}"] > least * runs, what
    assert tally.counts["with errors"] > runs / 5
    assert tally.counts["awaited"] > runs / 5


async def test_random_fences_equal_core(capsys: pytest.CaptureFixture[str]) -> None:
    """A thousand runs within a fence, half of them with failures, many awaiting: data, errors and
    counts are those of graphql-core and of the rules, written a second time."""
    await _hold(SHORT, capsys)


@pytest.mark.verify
@pytest.mark.timeout(1_800)
async def test_very_many_random_fences(capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty thousand runs without a difference."""
    await _hold(LONG, capsys)


async def _old_builds(name: str, documents: int, capsys: pytest.CaptureFixture[str]) -> None:
    """So many documents of builds with older schemas, over real loaders: both paths agree, and no
    build crashes; without the fence it would."""
    platform, tally, wrong = Platform(name), Counter[str](), list[str]()
    for seed in range(SEED, SEED + documents):
        if (seed - SEED) % OF_ONE_BUILD == 0:
            dice = Dice(name, seed, "build")
            built = older(platform.schema, dice)
            fenced = fence_of(built, platform.schema, dice)
        for asked in platform.operations(seed, ROUNDS, built):
            tally["operations"] += 1
            said = await platform.differs(asked, seed, tally, fenced)
            decoder = Decoder(built, asked.prepared.document, asked.variables)
            assert platform.answered is not None
            tally["withheld"] += any(platform.answered.withheld)
            try:
                decoder.decode(platform.answered.data)
            except Crash as crash:
                said = f"{asked.said}: {crash}"
            wrong += [said] if said is not None else []
            try:
                decoder.decode((await platform.unfenced(asked, seed)).data)
            except Crash:
                tally["would have crashed"] += 1
    with capsys.disabled():
        click.echo(f"\n  old builds of {name}, FACET_SEED={SEED}: {dict(tally)}", nl=False)
    assert not wrong, "\n".join(wrong[:5])
    assert tally["withheld"] > 3
    assert tally["would have crashed"] > 3


@pytest.mark.parametrize("name", PLATFORMS)
async def test_old_builds_never_crash(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A build decodes every answer strictly by the schema it was generated from."""
    await _old_builds(name, SHORT_DOCUMENTS, capsys)


@pytest.mark.verify
@pytest.mark.timeout(1_800)
@pytest.mark.parametrize("name", PLATFORMS)
async def test_very_many_old_builds(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for a thousand operations."""
    await _old_builds(name, LONG_DOCUMENTS, capsys)
