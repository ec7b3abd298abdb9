"""Promises of persisted_queries/usage.py and compaction.py, over a store in memory."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from persisted_queries.compaction import compact
from persisted_queries.problem import StoreGoneError
from persisted_queries.rollups import COMPACT, folder, parse
from persisted_queries.store import Store
from persisted_queries.usage import Usage, read_usage
from persisted_queries.usage_view import UNSEEN
from tests.unit.persisted_queries.rollup_days import DAY, HOME, NOW, write, write_days

SINCE = NOW - 5 * DAY


def view(store: Store, at: datetime = NOW) -> Usage:
    return read_usage(store, "ios", 30, wait=False, now=lambda: at)


def test_the_newest_roll_up_counts() -> None:
    """A process's roll-ups of one day are running sums: the highest number tells all."""
    store = Store.in_memory()
    for number, requests in ((1, 10), (2, 25), (10, 40)):
        write(store, "a", number, NOW - DAY / 4, NOW, asked=[("7.4.0+812", HOME, requests)])
    found = view(store)
    assert found.release("7.4.0+812").requests == 40
    assert found.document("7.4.0+812", HOME).requests == 40


def test_processes_and_days_add_up() -> None:
    """Requests of several processes and days are summed; a device they share counts once."""
    store = Store.in_memory()
    write_days(store, "a", 2, asked=[("7.4.0+812", HOME, 10)], devices=[1, 2, 3])
    write_days(store, "b", 2, asked=[("7.4.0+812", HOME, 1), ("7.3.0+1", HOME, 5)], devices=[3, 4])
    found = view(store).release("7.4.0+812")
    assert (found.requests, found.devices) == (33, 4)
    assert found.share == 1.0
    older = view(store).release("7.3.0+1")
    assert (older.requests, older.devices, older.share) == (15, 2, 0.5)
    assert older.last_seen == NOW
    assert view(store).devices() == 4


def test_builds_not_told_count_for_each() -> None:
    """What a version asked for without naming its build may be any build's, so every build of it
    has it."""
    store = Store.in_memory()
    asked = [("7.4.0+812", HOME, 10), ("7.4.0", HOME, 3), ("7.4.0+813", HOME, 1)]
    write(store, "a", 1, NOW - DAY / 4, NOW, asked=asked)
    found = view(store)
    assert found.release("7.4.0+812").requests == 13
    assert found.release("7.4.0+813").requests == 4
    assert found.release("7.4.0+999").requests == 3
    assert found.release("7.5.0+1") is UNSEEN


def test_a_window_of_stopped_processes_is_complete() -> None:
    """Processes that ran through the window and stopped in good order leave nothing unknown."""
    store = Store.in_memory()
    write_days(store, "a", 7)
    assert view(store).gaps(SINCE) == []
    assert view(store).is_complete(SINCE)
    assert not view(store).is_complete(NOW - 9 * DAY)


def test_a_running_process_is_not_complete_yet() -> None:
    """Without waiting, what a running process has not flushed makes the window incomplete."""
    store = Store.in_memory()
    write_days(store, "a", 7)
    write(store, "b", 1, NOW - DAY / 4, NOW - timedelta(seconds=10))
    assert not view(store).is_complete(SINCE)


def test_waiting_sees_the_next_flush() -> None:
    """The view waits for a running process's flush, and what it brings is in the view then."""
    store, now = Store.in_memory(), datetime.now(UTC)
    begins = now.replace(hour=0, minute=0, second=0, microsecond=0)
    write(store, "a", 1, begins, now - timedelta(seconds=1), every_s=1)
    found = read_usage(store, "ios", 1)
    assert found.release("7.4.0+812") is UNSEEN
    later = [("7.4.0+812", HOME, 1)]
    ends = now + timedelta(seconds=1)
    flush = threading.Timer(0.5, lambda: write(store, "a", 2, begins, ends, asked=later, every_s=1))
    flush.start()
    assert found.is_complete(begins)
    flush.join()
    assert found.release("7.4.0+812").requests == 1


def test_waiting_goes_over_midnight() -> None:
    """What a running process owes may be the last roll-up of the day before."""
    store, now = Store.in_memory(), datetime.now(UTC)
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    write(store, "a", 1, midnight - DAY, midnight - timedelta(seconds=1), every_s=86_400)
    found = read_usage(store, "ios", 1, now=lambda: midnight + timedelta(seconds=1))

    def flush() -> None:
        write(store, "a", 2, midnight - DAY, midnight, every_s=86_400)
        write(store, "a", 3, midnight, midnight + timedelta(seconds=2), every_s=86_400)

    later = threading.Timer(0.1, flush)
    later.start()
    assert found.is_complete(midnight - DAY / 2)
    later.join()


def test_no_waiting_for_the_dead(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process silent for longer than its flushes allow is not waited for: the answer is no."""
    store, now = Store.in_memory(), datetime.now(UTC)
    begins = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    write(store, "a", 1, begins, begins + DAY / 2, every_s=1)
    found = read_usage(store, "ios", 1)
    monkeypatch.delattr("time.sleep")
    assert not found.is_complete(begins)


def test_a_clock_ahead_hides_nothing() -> None:
    """A running process whose clock is ahead has flushed nothing since the view was opened, though
    its roll-up says it covers the moment."""
    store = Store.in_memory()
    write_days(store, "a", 7)
    write(store, "b", 1, NOW - DAY / 4, NOW + timedelta(hours=1))
    assert view(store).gaps(SINCE) == []
    assert not view(store).is_complete(SINCE)


@pytest.mark.parametrize("damage", [b"", b"{", b'{"platform":"ios"}'])
def test_a_damaged_roll_up_is_a_gap(damage: bytes) -> None:
    """The newest roll-up that can be read counts; what only the damaged one told is unknown."""
    store = Store.in_memory()
    write_days(store, "a", 7, asked=[("7.4.0+812", HOME, 10)])
    write(store, "b", 1, NOW - 9 * DAY, NOW, closes=True)
    broken = parse(store.paths(folder("ios", (NOW - 3 * DAY).date())))[-1]
    assert broken.writer == "a"
    store.replace(broken.path, damage)
    found = view(store)
    (gap,) = found.gaps(SINCE)
    assert (gap.ends - gap.begins, gap.process) == (DAY / 2, "a")
    assert not found.is_complete(SINCE)
    assert found.release("7.4.0+812").requests == 80  # the noon roll-up has the same sum


def test_a_store_that_goes_away_is_unknown() -> None:
    """A store that stops answering while the view waits makes the answer no, not a fault."""
    store, now = Going.in_memory(), datetime.now(UTC)
    begins = now.replace(hour=0, minute=0, second=0, microsecond=0)
    write(store, "a", 1, begins, now - timedelta(seconds=1))
    found = read_usage(store, "ios", 1)
    Going.gone = True
    assert not found.is_complete(begins)


class Going(Store):
    """A store in memory that can be taken away."""

    gone = False

    def paths(self, prefix: str) -> list[str]:
        if self.gone:
            raise StoreGoneError("gone")
        return super().paths(prefix)


def test_another_platform_is_not_ours() -> None:
    """A roll-up that says it is of another platform is not counted where it lies."""
    store = Store.in_memory()
    name = write(store, "a", 1, NOW - DAY / 4, NOW, asked=[("7.4.0+812", HOME, 10)])
    moved = name.replace("/ios/", "/android/")
    store.create(moved, store.get(name) or b"")
    found = read_usage(store, "android", 30, wait=False, now=lambda: NOW)
    assert (found.objects, dict(found.pairs())) == (1, {})


def _all(found: Usage) -> tuple[object, ...]:
    return (dict(found.pairs()), found.devices(), found.gaps(), found.gaps(SINCE))


def _month(store: Store) -> None:
    for process in ("a", "b"):
        write_days(
            store,
            process,
            7,
            asked=[("7.4.0+812", HOME, 10), ("7.3.0+1", "", 2)],
            devices=range(ord(process), ord(process) + 400),
        )
    killed = NOW.replace(hour=6) - 4 * DAY
    write(store, "dead", 1, killed - DAY / 8, killed, asked=[("6.0.0", HOME, 1)])


def test_compaction_changes_no_answer() -> None:
    """A compacted month tells the same, gaps included, in a fraction of the objects."""
    store = Store.in_memory()
    _month(store)
    before, objects = _all(view(store)), view(store).objects
    done = list(compact(store, "ios", NOW))
    assert sum(one.processes for one in done) == 2 * 7 + 1
    assert _all(view(store)) == before
    assert view(store).objects < objects / 2
    assert list(compact(store, "ios", NOW)) == []


def test_today_is_left_alone() -> None:
    """A day that is not over is never compacted, nor a process that may still write to one."""
    store = Store.in_memory()
    yesterday = NOW.replace(hour=0) - DAY
    write(store, "late", 1, yesterday, yesterday + DAY / 2)
    write(store, "a", 1, NOW.replace(hour=0), NOW)
    assert list(compact(store, "ios", NOW)) == []
    assert [one.processes for one in compact(store, "ios", NOW + 3 * DAY)] == [1, 1]


class Stopping(Store):
    """A store in memory that fails at the n-th change."""

    left = 0

    def create(self, path: str, data: bytes) -> bool:
        self._count()
        return super().create(path, data)

    def remove(self, paths: Sequence[str]) -> None:
        for path in paths:
            self._count()
            super().remove([path])

    def _count(self) -> None:
        self.left -= 1
        if self.left == 0:
            raise StoreGoneError("gone")


def test_a_crash_anywhere_loses_nothing() -> None:
    """Wherever compaction stops, the month reads the same, and the next run finishes it."""
    changes = 2 * 7 * 2 + 7 + 1
    stopped = 0
    for left in range(1, changes + 3):
        store = Stopping.in_memory()
        assert isinstance(store, Stopping)
        _month(store)
        before = _all(view(store))
        store.left = left
        try:
            list(compact(store, "ios", NOW))
        except StoreGoneError:
            stopped += 1
        assert _all(view(store)) == before
        store.left = 0
        list(compact(store, "ios", NOW))
        assert _all(view(store)) == before
    assert stopped == changes


def test_two_compactions_at_once_agree() -> None:
    """Two at once never count a process twice: one finds the number taken and looks again."""
    store = Store.in_memory()
    _month(store)
    before = _all(view(store))

    class Rival(Store):
        def create(self, path: str, data: bytes) -> bool:
            if not self.met:
                self.met = True
                list(compact(store, "ios", NOW))
            return super().create(path, data)

        met = False

    rival = Rival(store._inner, "rival")
    list(compact(rival, "ios", NOW))
    assert rival.met
    assert _all(view(store)) == before


def test_a_damaged_compaction_is_a_gap() -> None:
    """A compaction that cannot be read makes its day unknown: who was in it nobody can tell."""
    store = Store.in_memory()
    write_days(store, "a", 7)
    list(compact(store, "ios", NOW))
    day = (NOW - 3 * DAY).date()
    (name,) = parse(store.paths(folder("ios", day)))
    assert name.writer == COMPACT
    store.replace(name.path, b"{")
    assert not view(store).is_complete(SINCE)
    assert list(compact(store, "ios", NOW)) == []
