"""Random screens whose loaders fail, hang and remember at random: compiled plans give up the same.

Time is virtual, so every run takes as long as its work. `FACET_SEED` chooses other runs.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import click
import pytest
from graphql import parse, validate

from bff.errors import (
    DeadlineExceeded,
    FieldError,
    NotFound,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from bff.plans.execute import Executed
from tests.compiler.answers import Answer, Told, typed
from tests.compiler.fuzz.compare import compare
from tests.compiler.fuzz.dice import Dice
from tests.compiler.fuzz.documents import Writer
from tests.unit.bff.screens.screen_world import (
    HANG,
    SCHEMA,
    FeedLoader,
    NotesLoader,
    PersonLoader,
    PostLoader,
    World,
    ask,
)
from tests.unit.bff.screens.virtual_time import run_virtually

SEED = int(os.environ.get("FACET_SEED", "1"))
SHORT, LONG = 80, 3_000
LOADERS = (FeedLoader, NotesLoader, PersonLoader, PostLoader)
MISSING = ("omitted", "timed_out")
OTHER_CAUSE = "missing for another cause"
KEYS = ("me", "ann", "bob", "post-ann", "post-bob", "zoe")
ERRORS: tuple[FieldError, ...] = (
    UpstreamUnavailable("It cannot be reached."),
    UpstreamTimeout("It did not answer."),
    DeadlineExceeded("No time was left."),
    NotFound("There is no such thing."),
)

pytestmark = pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")


def _world(seed: int) -> World:
    """Two alike have the same fates: a loader hangs for all its keys, and fails for some."""
    dice = Dice(seed, "fates")
    world = World(seconds=dice.pick((0.15, 0.5, 5)))
    for loader in LOADERS:
        if dice.chance(0.6):
            world.kept.add(loader)
        if dice.chance(0.2):
            world.fates[loader, "*"] = HANG
            continue
        for key in KEYS:
            if dice.chance(0.4):
                world.fates[loader, key] = dice.pick(ERRORS)
    return world


def _text(seed: int) -> str | None:
    writer = Writer(SCHEMA, Dice(seed, "document"), breadth=5, introspects=False)
    text = writer.document().text
    # Its variables are booleans that must be given: each is true.
    declared = text.partition("{")[0]
    if "$" in declared or validate(SCHEMA, parse(text)):
        return None
    return text


def _answer(found: Executed) -> Answer:
    return Answer(found.data, typed(found.data), tuple(map(Told.of, found.errors)), waited=True)


def _different(seed: int, text: str, counts: Counter[str]) -> str | None:
    generic = run_virtually(ask(text, _world(seed), "generic"))
    compiled = run_virtually(ask(text, _world(seed), "compiled"))
    verdict = compare(_answer(generic), _answer(compiled))
    counts[verdict.value] += 1
    counts.update({one["status"] for one in generic.sections.told.values()})
    counts["with errors"] += bool(generic.errors)
    where = f"FACET_SEED={seed}: {text}"
    if not verdict.allowed:
        return f"{verdict.value}\n{where}\n{generic.data}\n{compiled.data}" + _errors(
            generic, compiled
        )
    if generic.sections != compiled.sections:
        if not _same_holes(generic, compiled):
            return f"sections\n{where}\n{generic.sections}\n{compiled.sections}"
        counts[OTHER_CAUSE] += 1
    return None


def _same_holes(generic: Executed, compiled: Executed) -> bool:
    """Whether the reports differ in nothing but why a section is missing: a plan may still be
    gathering the keys of a call (its join budget) when time ends that graphql-core has made, and
    has seen fail."""
    holes = []
    for found in (generic, compiled):
        told = found.sections.told
        holes.append(
            {path: "missing" if one["status"] in MISSING else one for path, one in told.items()}
        )
    return holes[0] == holes[1] and generic.sections.is_failed == compiled.sections.is_failed


def _errors(*answers: Executed) -> str:
    return "".join(f"\n{[(one.path, one.message) for one in answer.errors]}" for answer in answers)


def _hold(runs: int, capsys: pytest.CaptureFixture[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    seed, done = SEED * 1_000_000, 0
    while done < runs and len(wrong) < 3:
        seed += 1
        text = _text(seed)
        if text is None:
            continue
        done += 1
        said: Any = _different(seed, text, counts)
        if said is not None:
            wrong.append(said)
    with capsys.disabled():
        shown = ", ".join(f"{name} {times}" for name, times in counts.most_common())
        click.echo(f"\n  fuzz of screens, FACET_SEED={SEED}: {done} runs: {shown}", nl=False)
    assert not wrong, "\n\n".join(wrong)
    assert counts[OTHER_CAUSE] <= runs / 50, "causes differ too often"
    return counts


def test_random_screens_end_alike(capsys: pytest.CaptureFixture[str]) -> None:
    """Same data, same errors at each place, same report, whatever fails or hangs."""
    counts = _hold(SHORT, capsys)
    for status in ("ok", "stale", "timed_out", "omitted"):
        assert counts[status] > SHORT / 30, f"hardly any section was {status}"


@pytest.mark.verify
@pytest.mark.timeout(900)
def test_very_many_random_screens(capsys: pytest.CaptureFixture[str]) -> None:
    """Three thousand of them."""
    _hold(LONG, capsys)
