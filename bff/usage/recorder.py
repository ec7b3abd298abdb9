"""Sums up what is counted and writes it as roll-ups into the registry's store, beside requests.

Once a second counts are taken up; at most every `flush_s` the day's sum is written under the next
number (see persisted_queries/rollups.py), first of all at the start and last of all at a stop in
good order. Store gone or slow: serve, keep the sums (they grow with pairs, not with requests),
count the failure, write at the next turn all that is due. A process that is killed loses what it
counted since its last roll-up, and its missing end tells so.
"""

from __future__ import annotations

import asyncio
import hashlib
import random
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import msgspec

from bff.config import Settings, UsageConfig
from bff.errors import ConfigError
from bff.store.redis_tier import connected
from bff.telemetry.logs import logger
from bff.usage.counts import Count, Counting, Counts, Pair, uncounted
from bff.usage.live import Live
from persisted_queries.devices import COARSE_LIMIT, DOCUMENT_LIMIT, HASH_BYTES
from persisted_queries.problem import RegistryError
from persisted_queries.rollups import (
    ALL_DOCUMENTS,
    OTHERS,
    Book,
    RollUp,
    RollUpStore,
    Trail,
    day_begins,
    path,
)
from persisted_queries.store import Store

TICK_S = 1.0
# How long a start waits for the opening mark, and a stop for the closing one.
OPEN_WAIT_S = 2.0
CLOSE_WAIT_S = 5.0
# Releases nobody published that are told apart; anybody may claim one.
MAX_CLAIMED = 200
# Sums of a day (2.7 KB each at most) beyond which those get no more of their own, and any other new
# one holds a coarse picture of its devices (0.8 KB). Its requests are never folded: of what is told
# for a published release, and for nobody, `bff check` would believe that it was not used.
MAX_SUMS = 20_000
# Days whose last roll-up the store could not take yet.
MAX_DAYS = 7

FLUSH_FAILED = "usage_flush_failed"
LOST = "usage_lost"

log = logger(__name__)


class _Day(msgspec.Struct, eq=False):
    """The running sum of one day. `ends` is set once the day is over."""

    begins: datetime
    book: Book
    ends: datetime | None = None


def _uncounted(_event: str) -> None:
    """Counts nothing."""


def _now() -> datetime:
    return datetime.now(UTC)


class Recorder:
    """The usage of one process. `salt` keeps device hashes from being compared with guesses; it
    must be the same for all processes of a platform, or a device counts once for each."""

    def __init__(
        self,
        platform: str,
        config: UsageConfig,
        store: RollUpStore | None,
        live: Live | None = None,
        *,
        event: Callable[[str], None] = _uncounted,
        clock: Callable[[], datetime] = _now,
    ) -> None:
        self.process = secrets.token_hex(8)
        self._platform = platform
        self._config = config
        self._store = store
        self._live = live
        self._event = event
        self._clock = clock
        self._counts = Counts()
        self._taken: dict[Pair, Count] = {}
        self._known: frozenset[str] = frozenset()
        self._claimed: set[str] = set()
        self._days = [_Day(clock(), Book())]
        self._number = 0
        self._failing = False
        self._salt = _salt(platform, config)
        self._write: asyncio.Task[None] | None = None
        self.count: Counting = self._counts.count if store or live else uncounted

    def publish(self, releases: Iterable[str]) -> None:
        """The releases (`<version>+<build>`) that are always told apart."""
        names = list(releases)
        self._known = frozenset([*names, *(name.partition("+")[0] for name in names)])

    async def open(self) -> None:
        """Write the opening mark; for want of a store this waits a moment, no longer."""
        await self._begin_write()
        await self._written(OPEN_WAIT_S)

    async def run(self) -> None:
        """Take up and write until cancelled; `close` comes after."""
        tick_s = min(TICK_S, self._config.flush_s)
        # Replicas started together need not write together.
        due = self._config.flush_s * random.uniform(0.2, 1)  # noqa: S311 - no secret
        while True:
            await asyncio.sleep(tick_s)
            due -= tick_s
            try:
                await self._tick()
                if due < tick_s / 2 and await self._begin_write():
                    due = self._config.flush_s
            except Exception:
                self._event(FLUSH_FAILED)
                log.exception("usage_tick_failed")

    async def close(self) -> None:
        """Write the rest and the closing mark."""
        await self._written(CLOSE_WAIT_S)
        await self._tick()
        if await self._begin_write(closes=True):
            await self._written(CLOSE_WAIT_S)
        if self._failing or (self._write is not None and not self._write.done()):
            self._event(LOST)
            log.error("usage_not_written", process=self.process)
        if self._live is not None:
            await self._live.close()

    async def _tick(self) -> None:
        if not self._taken:
            self._taken = self._counts.take()
        if self._live is not None and self._taken:
            await self._live.push(self._taken, self._told)
        if self._store is None:
            self._taken = {}
        # One by one, with others' turns between; a cancel leaves the rest for `close`.
        hashes: dict[str, int] = {}
        while self._taken:
            self._take_up(*self._taken.popitem(), hashes)
            await asyncio.sleep(0)

    def _take_up(self, pair: Pair, count: Count, hashes: dict[str, int]) -> None:
        now = self._turn()
        book = self._days[-1].book
        release, document = self._told(pair[0]), pair[1]
        if release in self._claimed and len(book) >= MAX_SUMS and (release, document) not in book:
            release = OTHERS
        devices = [self._hash(device, hashes) for device in count.devices]
        limit = DOCUMENT_LIMIT if len(book) < MAX_SUMS else COARSE_LIMIT
        for one in dict.fromkeys((ALL_DOCUMENTS, document)):
            tally = book.tally(release, one, now, limit)
            tally.requests += count.requests
            tally.errors += count.errors
            tally.bytes_out += count.bytes_out
            tally.last = now
            tally.devices.add(devices)

    def _told(self, release: str) -> str:
        if release in self._known or release in self._claimed or not release:
            return release
        if len(self._claimed) >= MAX_CLAIMED:
            return OTHERS
        self._claimed.add(release)
        return release

    def _hash(self, device: str, hashes: dict[str, int]) -> int:
        found = hashes.get(device)
        if found is None:
            data = hashlib.blake2b(device.encode(), digest_size=HASH_BYTES, key=self._salt).digest()
            found = hashes[device] = int.from_bytes(data, "big")
        return found

    def _turn(self) -> datetime:
        """Now; begins a new day where one is over. A clock that goes back stands still for us."""
        day = self._days[-1]
        now = max(self._clock(), day.begins)
        today = day_begins(now.date())
        if day.begins < today:
            day.ends = today
            self._days.append(_Day(today, Book()))
            if len(self._days) > MAX_DAYS:
                self._days.pop(0)
                self._event(LOST)
                log.error("usage_day_lost", process=self.process)
        return now

    async def _begin_write(self, *, closes: bool = False) -> bool:
        """Begin to write all that is due; False while an earlier attempt is under way."""
        if self._store is None:
            return True
        if self._write is not None and not self._write.done():
            return False
        now = self._turn()
        due = [(day, *await self._rolled_up(day, now, closes=closes)) for day in [*self._days]]
        self._write = asyncio.create_task(self._write_all(self._store, due))
        return True

    async def _rolled_up(self, day: _Day, now: datetime, *, closes: bool) -> tuple[str, bytes]:
        self._number += 1
        rows = []
        for pair, tally in day.book.items():
            rows.append(tally.row(*pair))
            await asyncio.sleep(0)  # there may be tens of thousands
        trail = Trail(
            process=self.process,
            number=self._number,
            begins=day.begins,
            ends=day.ends or now,
            every_s=self._config.flush_s,
            closes=closes and day.ends is None,
        )
        made = RollUp(self._platform, (trail,), tuple(rows))
        name = path(self._platform, day.begins.date(), self.process, self._number)
        return name, made.encode()

    async def _write_all(self, store: RollUpStore, due: list[tuple[_Day, str, bytes]]) -> None:
        for day, name, data in due:
            try:
                written = await asyncio.to_thread(store.create, name, data)
                reason = "" if written else f"{name} is taken"
            except RegistryError as error:
                written, reason = False, str(error)
            if not written:
                self._failing = True
                self._event(FLUSH_FAILED)
                log.warning("usage_flush_failed", reason=reason)
                return
            if day.ends is not None:
                self._days.remove(day)
        self._failing = False

    async def _written(self, seconds: float) -> None:
        if self._write is not None:
            await asyncio.wait({self._write}, timeout=seconds)


def recorder_of(settings: Settings, platform: str, event: Callable[[str], None]) -> Recorder:
    """The recorder a platform's settings ask for: roll-ups where there is a registry, the live view
    where there is Redis. Raises ConfigError."""
    url = settings.registry.url
    try:
        store = Store.of(url) if url is not None else None
    except RegistryError as error:
        raise ConfigError(f"registry.url: {error}") from error
    redis = connected(settings.store) if settings.store.redis_url is not None else None
    live = Live(redis, platform, event=event) if redis is not None else None
    return Recorder(platform, settings.usage, store, live, event=event)


def _salt(platform: str, config: UsageConfig) -> bytes:
    told = config.device_salt.get_secret_value() if config.device_salt else ""
    return hashlib.blake2b(f"{platform}:{told}".encode()).digest()
