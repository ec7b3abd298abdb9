"""Which stretches of time were counted, from the trails processes leave; a gap is unknown.

a process that ended without saying so   from its last roll-up for UNTOLD: what it served then
                                         was never written
a hole between two roll-ups of one       that stretch: a roll-up is lost or cannot be read
nobody counting for more than HANDOVER   that stretch: somebody may have served uncounted
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import NamedTuple

from persisted_queries.rollups import Trail

# How long a process that vanished may have gone on serving without reaching the store. Longer than
# any repair is expected to take, short beside the window it makes unknown.
UNTOLD = timedelta(days=1)
# A stop in good order and the next start: nobody serves in between.
HANDOVER = timedelta(minutes=2)


class Gap(NamedTuple):
    """A stretch nobody knows of. `process` is None where nobody counted at all."""

    begins: datetime
    ends: datetime
    process: str | None
    reason: str


def by_process(trails: Iterable[Trail]) -> dict[str, list[Trail]]:
    """The trails of each process in order of time."""
    found: defaultdict[str, list[Trail]] = defaultdict(list)
    for trail in sorted(trails, key=lambda one: (one.begins, one.number)):
        found[trail.process].append(trail)
    return found


def gaps(trails: Iterable[Trail], since: datetime, until: datetime) -> list[Gap]:
    """What within `since` … `until` is unknown, in order of time."""
    known = list(trails)
    found = [*_untold(known), *_uncounted(known, since, until)]
    cut = (
        gap._replace(begins=max(gap.begins, since), ends=min(gap.ends, until))
        for gap in found
        if gap.ends > since and gap.begins < until
    )
    return sorted(cut, key=lambda gap: (gap.begins, gap.ends))


def open_trails(trails: Iterable[Trail]) -> list[Trail]:
    """The last trail of every process that never said it stopped."""
    return [run[-1] for run in by_process(trails).values() if not run[-1].closes]


def _untold(trails: list[Trail]) -> Iterable[Gap]:
    for process, run in by_process(trails).items():
        for before, after in pairwise(run):
            if after.begins > before.ends:
                yield Gap(before.ends, after.begins, process, "a roll-up is missing or damaged")
    for last in open_trails(trails):
        reason = "has not written since; it was killed, or did not flush yet"
        yield Gap(last.ends, last.ends + UNTOLD, last.process, reason)


def _uncounted(trails: list[Trail], since: datetime, until: datetime) -> Iterable[Gap]:
    reached: datetime | None = None
    for trail in sorted(trails, key=lambda one: one.begins):
        allowed = since if reached is None else reached + HANDOVER
        if trail.begins > allowed:
            yield Gap(reached or since, trail.begins, None, "nobody counted")
        reached = trail.ends if reached is None else max(reached, trail.ends)
    if reached is None or until > reached + HANDOVER:
        yield Gap(reached or since, until, None, "nobody counted")
