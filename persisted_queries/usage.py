"""Reads the roll-ups of a platform into a view of the last days: who used what, what is unknown.

Nothing is written. A roll-up that cannot be read costs what only it tells, and shows as a gap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import product

from persisted_queries.coverage import Gap, gaps, open_trails
from persisted_queries.devices import RELEASE_LIMIT, Devices
from persisted_queries.problem import StoreGoneError
from persisted_queries.rollups import (
    ALL_DOCUMENTS,
    COMPACT,
    Book,
    Name,
    RollUpStore,
    Tally,
    Trail,
    day_begins,
    day_ends,
    folder,
    parse,
    read,
)
from persisted_queries.usage_view import UNSEEN, ReleaseUsage

READERS = 16
POLL_S = 0.5
# A process that has not written for so many of its intervals, and some, will not be waited for.
MISSED_INTERVALS = 3
MARGIN_S = 5.0


class Day:
    """The roll-ups of one day: `trails` and `rows` (summed), and what could not be read."""

    def __init__(self, platform: str, day: date) -> None:
        self.platform = platform
        self.day = day
        self.trails: list[Trail] = []
        self.book = Book()
        self.gaps: list[Gap] = []
        self.objects = 0

    def read(self, store: RollUpStore) -> None:
        """Raises StoreGoneError. Of each process the newest roll-up that can be read counts, unless
        a compaction holds it."""
        by_writer: dict[str, list[Name]] = {}
        for name in parse(store.paths(folder(self.platform, self.day))):
            by_writer.setdefault(name.writer, []).append(name)
            self.objects += 1
        for name in by_writer.pop(COMPACT, ()):
            if not self._take(store, name):
                reason = f"{name.path} is damaged"
                self.gaps.append(Gap(day_begins(self.day), day_ends(self.day), None, reason))
        summed = {trail.process for trail in self.trails}
        for process in by_writer.keys() - summed:
            for name in reversed(by_writer[process]):
                if self._take(store, name):
                    break

    def _take(self, store: RollUpStore, name: Name) -> bool:
        try:
            found = read(store, name.path, self.platform)
        except ValueError:
            return False
        self.trails += found.trails
        self.book.add(found.rows)
        return True


class Usage:
    """A UsageView over stored roll-ups; also lists what it holds, for people.

    `opened` is the instant the view ends with.
    """

    def __init__(
        self, store: RollUpStore, platform: str, window: timedelta, opened: datetime, *, wait: bool
    ) -> None:
        self.platform = platform
        self.opened = opened
        self.since = opened - window
        self._store = store
        self._wait = wait
        self._began = time.monotonic()
        self._days: dict[date, Day] = {}
        self._read(_days(self.since.date() - timedelta(days=1), opened.date()))
        self._first = {one.process: one.number for one in open_trails(self.trails)}

    @property
    def trails(self) -> list[Trail]:
        return [trail for day in self._days.values() for trail in day.trails]

    @property
    def counted_since(self) -> datetime | None:
        """The first instant of the window that somebody counted, gaps after it or not; None where
        nobody did."""
        begins = [one.begins for one in self.trails if one.ends > self.since]
        return max(min(begins), self.since) if begins else None

    @property
    def objects(self) -> int:
        """Stored objects within the window; what `bff usage compact` brings down."""
        return sum(day.objects for day in self._days.values())

    def gaps(self, since: datetime | None = None) -> list[Gap]:
        """What is unknown from `since` (the window's begin) until the view was opened."""
        since = since or self.since
        lost = [gap for day in self._days.values() for gap in day.gaps if gap.ends > since]
        return [*lost, *gaps(self.trails, since, self.opened)]

    def is_complete(self, since: datetime) -> bool:
        """See UsageView; waits only where all but the newest flush is known."""
        while found := self._beyond_skew(since):
            if not self._wait or not self._only_late(found) or not self._patient():
                return False
            time.sleep(POLL_S)
            try:
                # Around midnight the last roll-up of the day before may be what is owed.
                before = self.opened.date() - timedelta(days=1)
                self._read(_days(before, datetime.now(UTC).date()))
            except StoreGoneError:  # what it would have told is unknown
                return False
        return True

    def pairs(self) -> Mapping[tuple[str, str], ReleaseUsage]:
        """Everything that was seen, by (release as sent, document hash or ALL_DOCUMENTS)."""
        return {pair: self._told(tally) for pair, tally in self._book.items()}

    def release(self, name: str) -> ReleaseUsage:
        """See UsageView."""
        return self._of(name, ALL_DOCUMENTS)

    def document(self, release_name: str, document_hash: str) -> ReleaseUsage:
        """See UsageView."""
        return self._of(release_name, document_hash)

    def documents(self, release_name: str, hashes: Iterable[str]) -> ReleaseUsage:
        """Use of several documents by one release: a device that used two counts once."""
        return self._of(release_name, *hashes)

    def devices(self) -> int:
        """Distinct devices of the platform."""
        return self._devices

    def _of(self, release: str, *documents: str) -> ReleaseUsage:
        total = Tally(self.opened, RELEASE_LIMIT)
        pairs = product({release, release.partition("+")[0]}, documents)
        found = [tally for pair in pairs if (tally := self._book.get(pair))]
        if not found:
            return UNSEEN
        for tally in found:
            total.merge(tally)
        total.last = max(tally.last for tally in found)
        return self._told(total)

    def _told(self, tally: Tally) -> ReleaseUsage:
        devices = tally.devices.count()
        share = min(1.0, devices / self._devices) if self._devices else None
        return ReleaseUsage(
            tally.requests, tally.errors, devices, share, tally.last, tally.first, tally.bytes_out
        )

    def _read(self, days: Iterator[date]) -> None:
        """Days with all that is in them, several at once: a store may be far away."""
        found = [Day(self.platform, day) for day in days]
        with ThreadPoolExecutor(READERS) as pool:
            list(pool.map(lambda day: day.read(self._store), found))
        self._days |= {day.day: day for day in found}
        self._book = Book()
        for day in self._days.values():
            for (release, document), tally in day.book.items():
                self._book.tally(release, document, tally.first).merge(tally)
        everybody = Devices(RELEASE_LIMIT)
        for (_, document), tally in self._book.items():
            if document == ALL_DOCUMENTS:
                everybody.merge(tally.devices)
        self._devices = everybody.count()

    def _beyond_skew(self, since: datetime) -> list[Gap]:
        """The gaps, and what a clock that runs ahead would hide: a process that was open when the
        view was opened must have written since."""
        unwritten = [
            Gap(self.opened, one.ends, one.process, "its clock runs ahead")
            for one in open_trails(self.trails)
            if one.ends >= self.opened and one.number <= self._first.get(one.process, 0)
        ]
        return [*self.gaps(since), *unwritten]

    def _only_late(self, found: list[Gap]) -> bool:
        """Whether processes that seem to live owe their next flush, and nothing else is missing."""
        owed = {one.process: one for one in open_trails(self.trails)}
        return bool(owed) and all(
            gap.process in owed
            and gap.begins >= owed[gap.process].ends
            and self._seems_alive(owed[gap.process])
            for gap in found
            if gap.process is not None or gap.ends != self.opened
        )

    def _seems_alive(self, trail: Trail) -> bool:
        silent = (datetime.now(UTC) - trail.ends).total_seconds()
        return silent < MISSED_INTERVALS * trail.every_s + MARGIN_S

    def _patient(self) -> bool:
        """A flush that is not there by now does not come: waited for once, however often asked."""
        every_s = max((one.every_s for one in open_trails(self.trails)), default=0.0)
        return time.monotonic() < self._began + every_s + MARGIN_S


def read_usage(
    store: RollUpStore,
    platform: str,
    window_days: int = 30,
    *,
    wait: bool = True,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Usage:
    """The view of the last `window_days`. `wait`: whether `is_complete` may wait for the next flush
    of processes that are running; without, it is True only where all of them have stopped.

    Raises RegistryError where the store does not answer.
    """
    return Usage(store, platform, timedelta(days=window_days), now(), wait=wait)


def _days(first: date, last: date) -> Iterator[date]:
    while first <= last:
        yield first
        first += timedelta(days=1)
