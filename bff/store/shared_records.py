"""Level two: upstream answers in Redis, shared by the processes of a platform.

Time is Redis's own: an answer's age, and whether one of its tags was dropped since its call began,
are read off one clock, whatever those of the machines say. Needs nothing newer than Redis 6.2.
Failure policy: Redis down, slow, full or read-only is a miss, counted; it is left alone for a
moment, then one request tries. What was dropped meanwhile is told as soon as it is back.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from bff.store.freshness import MOST_S, Freshness
from bff.store.records import DECODED, ENTRY_BYTES, RecordCache
from bff.store.redis_tier import let_go
from bff.store.sealed import FORMAT, Form, Sealed, Sealer, Unreadable
from bff.store.shelf import NEVER, Entry, Shelf

CHANNEL = "facet:dropped"
# Between the tags and their kinds in what is said there. No tag is empty: who does not know of
# kinds drops nothing by it.
KINDS = ""
TAGS = "facet:tag:"
# Longer than any answer that bears the tag.
TAG_MS = (MOST_S * 2 + 86_400) * 1000
MOST_WAITING = 5_000
MOST_TOLD = 10_000
AT_ONCE = 32
# A viewer's answers are new each time and wanted on a bad day alone: a copy now and then will do.
VIEWER_EVERY_S = 60.0
IDLE_S = 10.0
FAILED = "cache_redis_failed"

log = structlog.get_logger(__name__)


class SharedRecords:
    """One platform's level two. `count` gets the names of events; `timeout_s` bounds what a
    request may wait, `pause_s` how long Redis is left alone after a fault."""

    def __init__(
        self,
        redis: Redis,
        sealer: Sealer,
        cache: RecordCache,
        count: Callable[[str], None],
        *,
        timeout_s: float = 0.05,
        pause_s: float = 1.0,
    ) -> None:
        self._redis = redis
        self._sealer = sealer
        self._cache = cache
        self._count = count
        self._timeout_s = timeout_s
        self._pause_s = pause_s
        self._rests_until = float("-inf")
        # Milliseconds to add to our clock for Redis's, never too many: an answer may only be taken
        # for older than it is.
        self._ahead: float | None = None
        self._waiting: deque[Entry] = deque()
        self._told: dict[str, str] = {}  # tags, each with its kind
        self._gone: deque[str] = deque()
        self._more = asyncio.Event()
        self._reading: set[asyncio.Task[Any]] = set()

    async def get(
        self, shelf: Shelf, form: Form, whose: Hashable, keys: Sequence[Hashable]
    ) -> dict[Hashable, Entry]:
        """What is kept for these keys and of use, now in this process too; never fails."""
        if not self._may_ask():
            return {}
        places = [shelf.place(whose, key) for key in keys]
        names = [self._sealer.name(form, place) for place in places]
        try:
            asked, now, opened, dropped = await self._in_time(names)
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)
            return {}
        self._rests_until = float("-inf")
        found: dict[Hashable, Entry] = {}
        for key, place, name in zip(keys, places, names, strict=True):
            sealed = opened.get(name)
            if sealed is None:
                continue
            if any(not 0 <= dropped.get(tag, -1) <= sealed.began for tag in sealed.tags):
                self._cache.tally.seen("redis", "outdated")
                continue
            entry = self._entry(shelf, form, key, sealed, asked - max(0, now - sealed.began) / 1000)
            if entry is not None:
                entry.place = place
                found[key] = entry
                self._cache.put(entry)
        self._cache.tally.seen("redis", "hit", len(found))
        self._cache.tally.seen("redis", "miss", len(keys) - len(found))
        return found

    def keep(self, entries: Iterable[Entry]) -> None:
        """Write these when there is time; what does not fit in the queue is not written."""
        now = self._cache.clock()
        for entry in entries:
            if entry.record is None or entry.shelf.kind.form is None:
                continue
            if len(self._waiting) >= MOST_WAITING:
                self._cache.tally.refused("queue")
                continue
            if entry.shelf.of_viewer:
                if not entry.freshness.if_error or now - entry.shared_at < VIEWER_EVERY_S:
                    continue
                entry.shared_at = now
            self._waiting.append(entry)
        if self._waiting:
            self._more.set()

    def drop(self, named: Mapping[str, str]) -> None:
        """Tell Redis and the other processes that what has these stored tags, each with its kind,
        is old."""
        self._told.update(named)
        while len(self._told) > MOST_TOLD:
            del self._told[next(iter(self._told))]
        self._more.set()

    def forget(self, entry: Entry) -> None:
        """It had to make room: what was written of it goes too. Redis away: its time ends it."""
        form = entry.shelf.kind.form
        if form is None or entry.shared_at == NEVER or len(self._gone) >= MOST_WAITING:
            return
        self._gone.append(self._sealer.name(form, entry.place))
        self._more.set()

    async def run(self) -> None:
        """Writes what is kept and dropped, and drops here what other processes say is old; runs
        until it is cancelled."""
        await asyncio.gather(self._write(), self._listen())

    async def _write(self) -> None:
        while True:
            await self._more.wait()
            self._more.clear()
            while self._told or self._gone or self._waiting:
                if not await self._write_some():
                    await asyncio.sleep(self._pause_s)

    async def _listen(self) -> None:
        """What is said while Redis is away is missed: then max-age alone bounds how old an answer
        gets."""
        while True:
            try:
                await self._subscribed()
            except (RedisError, OSError, TimeoutError) as error:
                self._report(error)
            except Exception:
                self._count(FAILED)
                log.exception("cache_listening_broke")
            await asyncio.sleep(self._pause_s)

    async def close(self) -> None:
        """Once `run` has ended: tells what is still to be told, if Redis takes it, and lets go of
        all connections. Nothing may be asked after that."""
        self._waiting.clear()
        self._gone.clear()
        while self._told and await self._write_some():
            pass
        reading = set(self._reading)
        if reading:
            _, reading = await asyncio.wait(reading, timeout=self._timeout_s * 4)
        for task in reading:
            task.cancel()  # it could still open a connection, when all are closed
        await asyncio.gather(*reading, return_exceptions=True)
        await let_go(self._redis)

    # Reading.

    async def _in_time(
        self, names: Sequence[str]
    ) -> tuple[float, int, dict[str, Sealed], dict[str, int]]:
        """Raises TimeoutError when it takes too long. It is left to end by its own time limits
        then: a command cancelled half-way costs its connection."""
        task = asyncio.get_running_loop().create_task(self._looked_up(names))
        self._reading.add(task)
        task.add_done_callback(self._read_ended)
        await asyncio.wait((task,), timeout=self._timeout_s)
        if not task.done():
            raise TimeoutError
        return task.result()

    def _read_ended(self, task: asyncio.Task[Any]) -> None:
        self._reading.discard(task)
        if not task.cancelled():
            task.exception()  # heard already, or too late

    async def _looked_up(
        self, names: Sequence[str]
    ) -> tuple[float, int, dict[str, Sealed], dict[str, int]]:
        asked, now, values = await self._read(names)
        opened = self._opened(names, values)
        tags = {tag for one in opened.values() for tag in one.tags}
        return asked, now, opened, await self._tag_times(tags)

    async def _read(self, names: Sequence[str]) -> tuple[float, int, list[bytes | None]]:
        """Our clock before, Redis's clock then (ms), and the values."""
        asked = self._cache.clock()
        async with self._redis.pipeline(transaction=False) as pipe:
            pipe.time()
            pipe.mget(names)
            (seconds, micros), values = await pipe.execute()
        return asked, self._set_clock(seconds, micros), values

    async def _tag_times(self, tags: set[str]) -> dict[str, int]:
        """When each was last dropped, or first heard of; none for those Redis knows nothing of,
        whatever was dropped of them."""
        if not tags:
            return {}
        listed = list(tags)
        times = await self._redis.mget([TAGS + tag for tag in listed])
        return {
            tag: int(found)
            for tag, found in zip(listed, times, strict=True)
            if found is not None and found.isdigit()
        }

    def _opened(self, names: Sequence[str], values: Sequence[bytes | None]) -> dict[str, Sealed]:
        opened = {}
        for name, value in zip(names, values, strict=True):
            if value is None:
                continue
            try:
                opened[name] = self._sealer.opened(name, value)
            except Unreadable:
                self._cache.tally.seen("redis", "corrupt")
        return opened

    def _entry(
        self, shelf: Shelf, form: Form, key: Hashable, sealed: Sealed, began: float
    ) -> Entry | None:
        """The entry it makes here; None if it is of no use (any more)."""
        freshness = Freshness(
            sealed.max_age, sealed.while_revalidate, sealed.if_error, sealed.private
        )
        if sealed.private is not shelf.of_viewer or self._cache.was_dropped(sealed.tags, began):
            return None
        try:
            record = form.decode(sealed.record)
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._cache.tally.seen("redis", "corrupt")
            return None
        entry = self._cache.entry(shelf, key, record, freshness, began)
        entry.tags = sealed.tags
        entry.size = len(bytes(sealed.record)) * DECODED + ENTRY_BYTES
        return entry if entry.gone_at > self._cache.clock() else None

    # Writing.

    async def _write_some(self) -> bool:
        """Whether it went well. What is old is told first."""
        if not self._may_ask():
            return False
        entries = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        gone = [self._gone.popleft() for _ in range(min(AT_ONCE * 4, len(self._gone)))]
        try:
            await self._know_clock()
            if self._told:
                await self._tell(dict(islice(self._told.items(), AT_ONCE * 4)))
            await self._put(entries, gone)
        except (RedisError, OSError, TimeoutError) as error:
            self._leave_alone(error)
            self._waiting.clear()
            self._gone.clear()
            return False
        except Exception:
            self._count(FAILED)
            log.exception("cache_writing_broke")
            return False
        self._rests_until = float("-inf")
        return True

    async def _tell(self, tags: Mapping[str, str]) -> None:
        """Dropped now: the clock is read after whatever made them old was done."""
        now = self._set_clock(*await self._redis.time())
        async with self._redis.pipeline(transaction=False) as pipe:
            for tag in tags:
                pipe.set(TAGS + tag, now + 1, px=TAG_MS)
            said = [*tags, KINDS, *set(tags.values())]
            pipe.publish(CHANNEL, msgspec.msgpack.encode(said))
            await pipe.execute()
        for tag in tags:
            self._told.pop(tag, None)

    async def _put(self, entries: Sequence[Entry], gone: Sequence[str]) -> None:
        now = self._cache.clock()
        async with self._redis.pipeline(transaction=False) as pipe:
            if gone:  # before what has come to its place since
                pipe.delete(*gone)
            for queued in entries:
                # What was replaced meanwhile is written as it is now, what was dropped is not.
                entry = queued.shelf.entries.get(queued.place)
                left = int((entry.gone_at - now) * 1000) if entry is not None else 0
                if entry is None or left < 1:
                    continue
                form = entry.shelf.kind.form
                if form is None:
                    continue
                pipe.set(*self._sealed(form, entry), px=left)
                began = self._on_their_clock(entry.began)
                for tag in entry.tags:
                    pipe.set(TAGS + tag, began, nx=True, px=TAG_MS)
                    pipe.pexpire(TAGS + tag, TAG_MS)
            await pipe.execute()

    def _sealed(self, form: Form, entry: Entry) -> tuple[str, bytes]:
        freshness = entry.freshness
        name = self._sealer.name(form, entry.place)
        kept = Sealed(
            FORMAT,
            self._on_their_clock(entry.began),
            freshness.max_age,
            freshness.while_revalidate,
            freshness.if_error,
            freshness.private,
            entry.tags,
            msgspec.Raw(msgspec.msgpack.encode(entry.record)),
        )
        return name, self._sealer.seal(name, kept)

    async def _know_clock(self) -> None:
        if self._ahead is None:
            self._set_clock(*await self._redis.time())

    def _set_clock(self, seconds: int, micros: int) -> int:
        """Redis's clock as just read, in milliseconds."""
        now = seconds * 1000 + micros // 1000
        self._ahead = now - self._cache.clock() * 1000
        return now

    def _on_their_clock(self, at: float) -> int:
        return int(at * 1000 + (self._ahead or 0.0))

    async def _subscribed(self) -> None:
        async with self._redis.pubsub() as pubsub:
            await pubsub.subscribe(CHANNEL)
            while True:
                message = await pubsub.get_message(timeout=IDLE_S)
                if message is None:
                    await pubsub.ping()
                elif message["type"] == "message":
                    self._heard(message["data"])

    def _heard(self, data: bytes) -> None:
        try:
            named = msgspec.msgpack.decode(data, type=list[str])
        except (msgspec.DecodeError, UnicodeDecodeError):
            self._cache.tally.seen("redis", "corrupt")
            return
        at = named.index(KINDS) if KINDS in named else len(named)
        self._cache.drop_named(named[:at], named[at + 1 :] or None)

    # Redis away.

    def _may_ask(self) -> bool:
        """While it fails, one at a time tries."""
        now = time.monotonic()
        if now < self._rests_until:
            return False
        if self._rests_until > float("-inf"):
            self._rests_until = now + self._pause_s
        return True

    def _leave_alone(self, error: BaseException) -> None:
        self._rests_until = time.monotonic() + self._pause_s
        self._report(error)

    def _report(self, error: BaseException) -> None:
        self._count(FAILED)
        log.warning(FAILED, reason=type(error).__name__, pause_s=self._pause_s)
