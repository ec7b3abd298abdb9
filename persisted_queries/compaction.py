"""Sums up days that are over, so that a month of many processes is read in a moment.

A compaction is one more object that is created whole or not at all, under the next free number of
its day; it names the processes it holds, and what it holds is read from it alone. Their own
roll-ups are deleted after it can be read back. A crash at any point leaves a day that reads the
same; of two at once one finds the number taken and begins again.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from persisted_queries.rollups import (
    COMPACT,
    Book,
    Name,
    RollUp,
    RollUpStore,
    Trail,
    day_ends,
    folder,
    parse,
    path,
    read,
)

# A process that has not written for so long after the day will not come back to it.
LATEST = timedelta(days=2)
ATTEMPTS = 20
AT_ONCE = 1_000  # what S3 deletes in one call


class Compacted(NamedTuple):
    """What a compaction did to one day."""

    day: date
    processes: int
    deleted: int


def compact(
    store: RollUpStore, platform: str, now: datetime, days: int = 60
) -> Iterable[Compacted]:
    """Sum up every day before today, `days` back; days without anything to do are left out.

    Raises RegistryError.
    """
    today = now.astimezone(UTC).date()
    for back in range(days, 0, -1):
        done = _compact_day(store, platform, today - timedelta(days=back), now)
        if done.processes or done.deleted:
            yield done


def _compact_day(store: RollUpStore, platform: str, day: date, now: datetime) -> Compacted:
    for _ in range(ATTEMPTS):
        names = parse(store.paths(folder(platform, day)))
        numbers = [name.number for name in names if name.writer == COMPACT]
        summed = _summed(store, platform, names)
        if summed is None:  # a damaged compaction: who is in it is not known
            return Compacted(day, 0, 0)
        trails, book = _finished(store, platform, day, now, names, summed)
        if trails:
            number = max(numbers, default=0) + 1
            made = RollUp(platform, tuple(trails), book.rows()).encode()
            target = path(platform, day, COMPACT, number)
            if not store.create(target, made):
                continue
            if store.get(target) != made:
                return Compacted(day, 0, 0)
        gone = summed | {trail.process for trail in trails}
        return Compacted(day, len(trails), _delete(store, names, gone))
    return Compacted(day, 0, 0)


def _summed(store: RollUpStore, platform: str, names: list[Name]) -> set[str] | None:
    """The processes that compactions hold already; None where one cannot be read."""
    found: set[str] = set()
    for name in names:
        if name.writer == COMPACT:
            try:
                rollup = read(store, name.path, platform)
            except ValueError:
                return None
            found |= {trail.process for trail in rollup.trails}
    return found


def _finished(
    store: RollUpStore,
    platform: str,
    day: date,
    now: datetime,
    names: list[Name],
    summed: set[str],
) -> tuple[list[Trail], Book]:
    """The newest roll-ups of processes that will not write to this day again."""
    trails, book = [], Book()
    newest = {name.writer: name for name in names if name.writer not in {*summed, COMPACT}}
    for name in newest.values():
        try:
            rollup = read(store, name.path, platform)
        except ValueError:
            continue  # read as before: the one below it counts, and the rest is a gap
        (trail,) = rollup.trails
        if trail.closes or trail.ends >= day_ends(day) or now - day_ends(day) > LATEST:
            trails.append(trail)
            book.add(rollup.rows)
    return trails, book


def _delete(store: RollUpStore, names: list[Name], gone: set[str]) -> int:
    found = [name for name in names if name.writer in gone]
    for begin in range(0, len(found), AT_ONCE):
        store.remove([name.path for name in found[begin : begin + AT_ONCE]])
    return len(found)
