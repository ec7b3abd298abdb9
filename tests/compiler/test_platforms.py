"""Random operations on the platforms' own schemas answer alike, compiled and generic."""

from __future__ import annotations

import os
from collections import Counter

import click
import pytest

from tests.compiler.platforms import PLATFORMS, Platform

SEED = int(os.environ.get("FACET_SEED", "1"))
SHORT, LONG = 40, 1_000
ROUNDS = 3


async def _hold(name: str, documents: int, capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    """So many documents, each with several variables, without a difference."""
    platform = Platform(name)
    tally = Counter[str]()
    wrong = []
    for seed in range(SEED, SEED + documents):
        for asked in platform.operations(seed, ROUNDS):
            tally["operations"] += 1
            said = await platform.differs(asked, seed, tally)
            if said is not None:
                wrong.append(said)
    with capsys.disabled():
        click.echo(f"\n  random operations of {name}, FACET_SEED={SEED}: {dict(tally)}", nl=False)
    assert not wrong, "\n".join(wrong[:5])
    assert tally["operations"] > documents * ROUNDS * 0.6
    parts = {level for level, _ in platform.compiled.plans.counters.fallbacks}
    assert parts <= {"operation"}
    return tally


@pytest.mark.parametrize("name", PLATFORMS)
async def test_random_screens_equal_generic(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Data, errors and what services are asked are the same, in no more calls, without a fallback
    of any field; failures of services, missing records and nobody signed in included."""
    tally = await _hold(name, SHORT, capsys)
    assert tally["calls of compiled plans"] > tally["operations"]
    assert 0 < tally["with errors"] < tally["operations"]


@pytest.mark.verify
@pytest.mark.timeout(900)
@pytest.mark.parametrize("name", PLATFORMS)
async def test_very_many_screens(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The same for thousands of operations."""
    await _hold(name, LONG, capsys)
