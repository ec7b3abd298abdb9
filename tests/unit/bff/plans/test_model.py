"""Waves and levels: the fewest calls that leave a plan no longer than its longest chain."""

from __future__ import annotations

import random
from typing import Any

import pytest

from bff.contract import BatchField, Scope
from bff.plans.model import Group, Step, arrange

TREES = 1_000
MANY_TREES = 10_000


def _loader(name: str) -> Any:
    return type(name, (), {"scope": Scope.SHARED})


LOADERS = {name: _loader(name) for name in "ABCDE"}


def step(loader: str, feeder: Step | None = None) -> Step:
    batch = BatchField(LOADERS[loader], lambda source: source, wants_info=False)
    return Step(f"{loader}{id(feeder)}", batch, feeder)


def shape(group: Group) -> list[tuple[str, int, int]]:
    """(loader, level, steps) of each wave."""
    return [(wave.loader, wave.level, len(wave.steps)) for wave in group.waves]


def test_shared_loader_waits_for_both() -> None:
    """A key known at once waits for those its loader gets from a feeder: one call, not two."""
    feed, inbox = step("A"), step("B")
    cards = [step("C"), step("C", feed), step("C", inbox)]
    group = arrange("answer", [cards[0], feed, cards[1], inbox, cards[2]])
    assert shape(group) == [("A", 1, 1), ("B", 1, 1), ("C", 2, 3)]


def test_nothing_waits_for_nothing() -> None:
    """A loader that meets no other of its kind leaves as soon as its feeder allows."""
    deep = step("B", step_a := step("A"))
    deeper = step("C", deep)
    alone = step("D")
    group = arrange("answer", [step_a, deep, deeper, alone])
    assert shape(group) == [("A", 1, 1), ("D", 1, 1), ("B", 2, 1), ("C", 3, 1)]


def test_loader_never_feeds_itself() -> None:
    """A loader at two depths of one chain makes two calls, however they are arranged."""
    first = step("A")
    second = step("A", first)
    assert shape(arrange("answer", [first, second])) == [("A", 1, 1), ("A", 2, 1)]


def test_two_loaders_feed_each_other() -> None:
    """A feeds B and B feeds A: each pair of waves stands below its feeder, none is lost."""
    a1, b1 = step("A"), step("B")
    b2, a2 = step("B", a1), step("A", b1)
    group = arrange("answer", [a1, b1, b2, a2])
    assert group.levels == 2
    assert sum(len(wave.steps) for wave in group.waves) == 4


def test_nothing_to_call() -> None:
    """An operation without batch fields is a plan of no calls."""
    assert arrange("answer", []) == Group("answer", ())


def _tree(rng: random.Random) -> list[Step]:
    steps: list[Step] = []
    for _ in range(rng.randint(1, 14)):
        feeder = rng.choice([None, *steps]) if steps else None
        steps.append(step(rng.choice("ABCDE"), feeder))
    return steps


def _check(steps: list[Step]) -> None:
    group = arrange("answer", steps)
    wave_of = {one: wave for wave in group.waves for one in wave.steps}
    assert sorted(map(id, wave_of)) == sorted(map(id, steps)), "every step in exactly one wave"
    assert sum(len(wave.steps) for wave in group.waves) == len(steps)
    assert group.levels == max(one.earliest for one in steps), "no longer than the longest chain"
    assert len({(wave.loader, wave.level) for wave in group.waves}) <= len(group.waves)
    for one, wave in wave_of.items():
        assert one.loader == wave.loader
        assert one.feeder is None or wave_of[one.feeder].level < wave.level
    assert len(group.waves) <= len({(one.loader, one.earliest) for one in steps})


def test_random_trees_keep_their_length() -> None:
    """Of 1,000 random trees none gets longer or costs more calls than level by level."""
    rng = random.Random(20261120)
    for _ in range(TREES):
        _check(_tree(rng))


@pytest.mark.verify
def test_many_random_trees_keep_their_length() -> None:
    """Of 10,000 random trees none gets longer or costs more calls than level by level."""
    rng = random.Random()
    for _ in range(MANY_TREES):
        _check(_tree(rng))
