"""A plan: which upstream calls an operation needs, at which level, fed by which others.

Only a description, made before the operation runs: typed, printable, countable. Who executes by it
is another file's. Generic execution makes the same calls at best.

    step    a batch field in the operation: its loader, and the step whose records hold its keys
    level   calls above it + 1, later only as far as the plan grows no longer
    wave    one loader at one level: one call, however many steps share it
    group   what can finish alone: the whole answer, or one field of a mutation
    section a part of a screen that is declared to stand or fall alone; carried along
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from bff.contract import BatchField
from bff.screens.contract import PlannedSection


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One batch field. `path` is where it stands in the answer, `[]` for a list, with the type it
    is asked of; `feeder` is the step whose records hold the keys, None for a key known at once;
    `section` is the innermost section it belongs to."""

    path: str
    batch: BatchField
    feeder: Step | None
    section: PlannedSection | None = None

    @property
    def loader(self) -> str:
        return self.batch.loader.__name__

    @property
    def earliest(self) -> int:
        """Calls above it + 1."""
        return 1 if self.feeder is None else self.feeder.earliest + 1


@dataclass(slots=True)
class Wave:
    """One call: a loader at a level, and the steps that share it."""

    loader: str
    level: int
    steps: list[Step] = field(default_factory=list)

    @property
    def feeders(self) -> list[Step]:
        """The steps whose records this wave waits for."""
        fed_by = (step.feeder for step in self.steps)
        return list(dict.fromkeys(feeder for feeder in fed_by if feeder is not None))


@dataclass(frozen=True, slots=True)
class Group:
    """What can finish alone, and its waves in the order they leave."""

    name: str
    waves: tuple[Wave, ...]

    @property
    def levels(self) -> int:
        """How many calls stand one after another at most."""
        return max((wave.level for wave in self.waves), default=0)


@dataclass(frozen=True, slots=True)
class Plan:
    """The planned calls of one operation; groups of a mutation run one after another. `screens`
    are the paths of the fields declared as screens, `sections` those declared as sections."""

    groups: tuple[Group, ...]
    screens: tuple[str, ...] = ()
    sections: tuple[PlannedSection, ...] = ()

    @property
    def calls(self) -> int:
        return sum(len(group.waves) for group in self.groups)

    @property
    def levels(self) -> int:
        return sum(group.levels for group in self.groups)

    def waves(self) -> Iterator[Wave]:
        for group in self.groups:
            yield from group.waves


def arrange(name: str, steps: Iterable[Step]) -> Group:
    """The waves of a group: no longer than its longest chain of feeders, and of the two ways to
    share calls the one that needs fewer."""
    wanted = list(steps)
    soon, late = _soon(wanted), _late(wanted)
    waves = late if len(late) < len(soon) else soon
    return Group(name, tuple(sorted(waves, key=lambda wave: (wave.level, wave.loader))))


def _soon(steps: list[Step]) -> list[Wave]:
    """Every step at its earliest level; steps of one loader share a call where those are equal."""
    waves: dict[tuple[str, int], Wave] = {}
    for one in steps:
        key = (one.loader, one.earliest)
        waves.setdefault(key, Wave(one.loader, one.earliest)).steps.append(one)
    return list(waves.values())


def _late(steps: list[Step]) -> list[Wave]:
    """A loader leaves at the last level that suits the most urgent of its waiting steps, and all
    that wait for it by then go along; then each wave moves up to right below what feeds it."""
    waiting = list(steps)
    latest = _latest(waiting)
    placed: dict[Step, Wave] = {}
    waves: list[Wave] = []
    level = 0
    while waiting:
        level += 1
        ready = [one for one in waiting if _is_fed(one, placed, level)]
        for loader in sorted({one.loader for one in ready if latest[one] == level}):
            wave = Wave(loader, level, [one for one in ready if one.loader == loader])
            waves.append(wave)
            placed.update(dict.fromkeys(wave.steps, wave))
        waiting = [one for one in waiting if one not in placed]
    for wave in waves:  # feeders come first, so theirs are settled
        wave.level = 1 + max((placed[feeder].level for feeder in wave.feeders), default=0)
    return waves


def _is_fed(step: Step, placed: dict[Step, Wave], level: int) -> bool:
    if step.feeder is None:
        return True
    wave = placed.get(step.feeder)
    return wave is not None and wave.level < level


def _latest(steps: list[Step]) -> dict[Step, int]:
    """The last level at which each step leaves the plan no longer: one below the last of what it
    feeds, and the plan's length for what feeds nothing."""
    length = max((step.earliest for step in steps), default=0)
    latest = dict.fromkeys(steps, length)
    # Deeper steps first: what they need is settled before their feeders are looked at.
    for step in sorted(steps, key=lambda one: -one.earliest):
        if step.feeder is not None:
            latest[step.feeder] = min(latest[step.feeder], latest[step] - 1)
    return latest
