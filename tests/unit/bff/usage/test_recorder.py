"""Promises of bff/usage/recorder.py, over a store in memory and a clock that is set by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr

from bff.config import UsageConfig
from bff.usage import recorder as recorder_module
from bff.usage.recorder import FLUSH_FAILED, LOST, MAX_CLAIMED, MAX_DAYS, Recorder
from persisted_queries.devices import COARSE_LIMIT
from persisted_queries.problem import StoreGoneError
from persisted_queries.rollups import NOT_TOLD, OTHERS
from persisted_queries.store import Store
from persisted_queries.usage import Usage, read_usage

NOON = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOME = "a" * 64
DEVICE = "4f1c2a9e-phone"


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Failing(Store):
    """A store in memory that is gone while `gone`."""

    gone = False

    def create(self, path: str, data: bytes) -> bool:
        if self.gone:
            raise StoreGoneError("gone")
        return super().create(path, data)


class Bench:
    """A recorder with all around it."""

    def __init__(self, config: UsageConfig | None = None) -> None:
        self.clock = Clock()
        store = Failing.in_memory()
        assert isinstance(store, Failing)
        self.store = store
        self.events: list[str] = []
        self.config = config or UsageConfig(flush_s=0.02)
        self.recorder = self.another()

    def another(self) -> Recorder:
        return Recorder("ios", self.config, self.store, event=self.events.append, clock=self.clock)

    def view(self) -> Usage:
        return read_usage(self.store, "ios", 30, wait=False, now=self.clock)

    @asynccontextmanager
    async def running(self, recorder: Recorder | None = None) -> AsyncIterator[None]:
        recorder = recorder or self.recorder
        await recorder.open()
        task = asyncio.create_task(recorder.run())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait({task})
            await recorder.close()

    def ask(self, release: str = "7.4.0+812", device: str | None = DEVICE, size: int = 100) -> None:
        self.recorder.count(release, device, [(HOME, False)], size)


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not holds():
            await asyncio.sleep(0.01)


async def test_all_is_written_at_a_clean_stop() -> None:
    """What was counted, to the last request, is in the store after a stop in good order, and the
    whole time is known."""
    bench = Bench()
    async with bench.running():
        for _ in range(7):
            bench.ask()
        bench.recorder.count("7.4.0+812", "other", [("", True)], 30)
        bench.clock.now += timedelta(minutes=5)
    found = bench.view()
    release, document = found.release("7.4.0+812"), found.document("7.4.0+812", HOME)
    assert (release.requests, release.errors, release.devices, release.bytes_out) == (8, 1, 2, 730)
    assert (document.requests, document.errors, document.devices) == (7, 0, 1)
    assert found.is_complete(NOON)
    assert bench.events == []


async def test_the_opening_mark_comes_first() -> None:
    """Before anything is served the store knows of the process: killed in its first minute, it
    leaves a gap."""
    bench = Bench(UsageConfig(flush_s=60))
    await bench.recorder.open()
    bench.clock.now += timedelta(seconds=30)
    (gap,) = bench.view().gaps(NOON)
    assert (gap.begins, gap.process) == (NOON, bench.recorder.process)


async def test_counts_are_flushed_while_running() -> None:
    """A running process writes what it has counted, again and again."""
    bench = Bench()
    async with bench.running():
        bench.ask()
        await _until(lambda: bench.view().release("7.4.0+812").requests == 1)
        bench.ask()
        await _until(lambda: bench.view().release("7.4.0+812").requests == 2)


async def test_a_store_that_was_gone_loses_nothing() -> None:
    """Store gone: counted on and told; once it is back all is written and no time is unknown."""
    bench = Bench()
    bench.store.gone = True
    async with bench.running():
        bench.ask()
        await _until(lambda: bench.events.count(FLUSH_FAILED) > 2)
        bench.ask()
        bench.store.gone = False
        await _until(lambda: bench.view().release("7.4.0+812").requests == 2)
    assert bench.view().is_complete(NOON)
    assert LOST not in bench.events


async def test_a_stop_without_a_store_is_told() -> None:
    """A store that is still gone at the end costs the rest: counted, and a gap for readers."""
    bench = Bench()
    async with bench.running():
        bench.ask()
        await _until(lambda: bench.view().release("7.4.0+812").requests == 1)
        bench.store.gone = True
    assert bench.events[-1] == LOST
    bench.clock.now += timedelta(minutes=5)
    assert not bench.view().is_complete(NOON)


async def test_a_hanging_store_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """A store that answers nothing delays neither start nor stop beyond their waits, and counting
    goes on beside the write that hangs."""
    bench = Bench()
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def hang(path: str, data: bytes) -> bool:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result(20)
        return Store.create(bench.store, path, data)

    monkeypatch.setattr(bench.store, "create", hang)
    monkeypatch.setattr(recorder_module, "OPEN_WAIT_S", 0.02)
    monkeypatch.setattr(recorder_module, "CLOSE_WAIT_S", 0.02)
    async with bench.running():
        bench.ask()
        await _until(lambda: not bench.recorder._counts._counts)  # taken up all the same
        assert bench.recorder._days[-1].book["7.4.0+812", HOME].requests == 1
    assert bench.events[-1] == LOST
    release.set()
    assert bench.recorder._write is not None
    await bench.recorder._write


async def test_a_new_day_is_a_sum_of_its_own() -> None:
    """At midnight (UTC) the day's sum is closed and the next begins, without a hole."""
    bench = Bench()
    async with bench.running():
        bench.ask()
        await _until(lambda: bench.view().release("7.4.0+812").requests == 1)
        bench.clock.now = NOON.replace(hour=0) + timedelta(days=1, minutes=1)
        bench.ask()
        await _until(lambda: bench.view().release("7.4.0+812").requests == 2)
    folders = {name.split("/")[2] for name in bench.store.paths("usage/ios")}
    assert folders == {"2026-06-15", "2026-06-16"}
    assert bench.view().is_complete(NOON)


async def test_days_without_a_store_are_bounded() -> None:
    """A store gone for longer than a week costs the oldest days, which is counted and shows as a
    gap."""
    bench = Bench()
    async with bench.running():
        bench.ask()
        bench.store.gone = True
        for _ in range(MAX_DAYS + 3):
            bench.clock.now += timedelta(days=1)
            bench.ask()
            await bench.recorder._tick()
        bench.store.gone = False
    assert bench.events.count(LOST) >= 2
    assert not bench.view().is_complete(NOON)


async def test_a_clock_that_goes_back_makes_no_hole() -> None:
    """A wall clock set back stands still for the roll-ups until it catches up."""
    bench = Bench()
    async with bench.running():
        bench.clock.now = NOON - timedelta(hours=1)
        bench.ask()
        await _until(lambda: bench.view().release("7.4.0+812").requests == 1)
        bench.clock.now = NOON + timedelta(minutes=1)
    assert bench.view().is_complete(NOON)


async def test_two_processes_share_a_device() -> None:
    """A device that met two processes counts once, because both hash it alike."""
    bench = Bench()
    second = bench.another()
    async with bench.running(), bench.running(second):
        bench.ask()
        second.count("7.4.0+812", DEVICE, [(HOME, False)], 100)
    found = bench.view().release("7.4.0+812")
    assert (found.requests, found.devices) == (2, 1)


async def test_device_ids_are_never_stored() -> None:
    """No object holds the id of a device; another salt hashes it otherwise."""
    stored: list[bytes] = []
    for salt in (None, SecretStr("long and random")):
        bench = Bench(UsageConfig(flush_s=0.02, device_salt=salt))
        async with bench.running():
            bench.ask()
        stored.append(b"".join(bench.store.get(name) or b"" for name in bench.store.paths("usage")))
        (row, *_) = (row for row in bench.view()._book.values() if row.devices.count())
        stored.append(row.devices.encode())
    assert DEVICE.encode() not in b"".join(stored)
    assert stored[1] != stored[3]


async def test_invented_releases_are_bounded() -> None:
    """Releases nobody published share one row past a limit; published ones never do."""
    bench = Bench()
    bench.recorder.publish(["7.4.0+812"])
    async with bench.running():
        for number in range(MAX_CLAIMED + 50):
            bench.ask(f"0.0.{number}")
        bench.ask("7.4.0+812")
        bench.ask("7.4.0")
    pairs = bench.view().pairs()
    assert len({release for release, _ in pairs}) == MAX_CLAIMED + 3
    assert pairs[OTHERS, ""].requests == 50
    assert pairs["7.4.0", ""].requests == 1


async def test_without_store_nothing_is_counted() -> None:
    """Where nobody would read it nothing is counted, and start and stop work."""
    recorder = Recorder("ios", UsageConfig(flush_s=0.02), None)
    await recorder.open()
    recorder.count("1.0", DEVICE, [(HOME, False)], 100)
    assert recorder._counts.take() == {}
    await recorder.close()


async def test_invented_sums_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A release nobody published gets no more sums of its own where a day has very many; published
    ones do, and nothing goes uncounted."""
    monkeypatch.setattr(recorder_module, "MAX_SUMS", 10)
    bench = Bench()
    bench.recorder.publish(["7.4.0+812"])
    async with bench.running():
        for number in range(50):
            bench.recorder.count("0.0.1", DEVICE, [(f"{number:064x}", False)], 1)
            bench.recorder.count("7.4.0+812", DEVICE, [(f"{number:064x}", False)], 1)
    pairs = bench.view().pairs()
    of = {
        name: sum(
            row.requests for (one, document), row in pairs.items() if one == name and document
        )
        for name in ("0.0.1", OTHERS, "7.4.0+812")
    }
    assert of["7.4.0+812"] == 50
    assert of["0.0.1"] + of[OTHERS] == 50
    assert of["0.0.1"] <= 10


async def test_many_sums_hold_few_devices(monkeypatch: pytest.MonkeyPatch) -> None:
    """Past a limit further sums hold a coarse picture of their devices, so that a day stays small;
    every request, its instant, and the devices of a whole release are told as ever."""
    monkeypatch.setattr(recorder_module, "MAX_SUMS", 10)
    bench = Bench()
    bench.recorder.publish(["7.4.0+812"])
    async with bench.running():
        for document in range(30):
            for phone in range(100):
                used = [(f"{document:064x}", False)]
                bench.recorder.count("7.4.0+812", f"phone-{phone}", used, 1)
                bench.recorder.count(None, f"phone-{phone}", used, 1)
    found = bench.view()
    for release in ("7.4.0+812", NOT_TOLD):
        assert found.release(release).devices == 100
        for document in range(30):
            one = found.document(release, f"{document:064x}")
            assert (one.requests, one.last_seen) == (100, NOON)
    sketches = [tally.devices for (_, document), tally in found._book.items() if document]
    fine = [one for one in sketches if one.limit > COARSE_LIMIT]
    assert len(fine) <= 10
    assert {one.count() for one in fine} == {100}
    assert all(len(one.encode()) == 8 * COARSE_LIMIT for one in sketches if one not in fine)
