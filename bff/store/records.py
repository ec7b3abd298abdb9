"""Upstream answers kept in this process, by loader and key; bounded by bytes, dropped by tag.

Records are frozen and kept by reference. What may be kept, and how long, is the service's to say
(`freshness.py`); asking services, and when, is the loaders'. Never a viewer's answer under a key
without that viewer: places are made by `Shelf.place` alone.
"""

from __future__ import annotations

import random
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from bff.errors import FieldError
from bff.request import Viewer
from bff.store.background import Background
from bff.store.freshness import Freshness
from bff.store.sealed import Form
from bff.store.shelf import ABSENT_S, MOST_KINDS, Brought, Entry, Shelf, ShelfKind, kind_of

MOST_TAGS = 32
"""Of one answer; one with more could not be dropped at a bounded cost, so it is not kept."""
MOST_OF_VIEWER = 64
"""Answers kept for one account: which of them there are (releases, pages) is the app's to choose,
and one account must not push out those of all others."""
# No call lasts longer: what was dropped before cannot be brought by one that is still under way.
REMEMBER_S = 120.0
MOST_REMEMBERED = 10_000
SWEPT_A_PUT = 2
# Decoded records take so many times the bytes of the JSON they came in (a test measures it), and
# each its place here.
DECODED = 4
ENTRY_BYTES = 700
TAG_BYTES = 250


class Tally(Protocol):
    """What is counted here."""

    def seen(self, level: str, outcome: str, count: int = 1) -> None: ...
    def refused(self, reason: str) -> None: ...
    def refreshed(self, outcome: str) -> None: ...
    def evicted(self) -> None: ...
    def dropped(self, count: int) -> None: ...


class Second(Protocol):
    """What is needed of level two; it never fails."""

    async def get(
        self, shelf: Shelf, form: Form, whose: Hashable, keys: Sequence[Any]
    ) -> dict[Any, Entry]: ...
    def keep(self, entries: Iterable[Entry]) -> None: ...
    def drop(self, named: Mapping[str, str]) -> None: ...
    def forget(self, entry: Entry) -> None: ...
    async def run(self) -> None:
        """Runs until it is cancelled."""

    async def close(self) -> None: ...


class RecordCache:
    """Level one. With a `max_memory` of 0 it keeps nothing. `jitter` is the share of max-age by
    which answers may go stale earlier, so that what came together does not go together everywhere;
    `background` takes the calls nobody waits for; `named` makes the stored form of a tag."""

    def __init__(
        self,
        max_memory: int,
        tally: Tally,
        *,
        jitter: float = 0.1,
        background: Background | None = None,
        named: Callable[[str], str] = str,
        clock: Callable[[], float] = time.monotonic,
        dice: Callable[[], float] = random.random,
    ) -> None:
        self.max_memory = max_memory
        self.tally = tally
        self.clock = clock
        self.size = 0
        self.background = background or Background(0)
        self.second: Second | None = None
        self._jitter = jitter
        self._named = named
        self._dice = dice
        self._shelves: dict[ShelfKind, Shelf] = {}
        # A clock hand goes round in it: an entry used since the last round is spared once.
        self._ring: OrderedDict[Entry, None] = OrderedDict()
        self._tagged: dict[str, dict[Entry, None]] = {}  # in the order they came
        self._dropped_at: OrderedDict[str, float] = OrderedDict()
        self._forgot_until = float("-inf")
        self._epochs: OrderedDict[str, int] = OrderedDict()

    def __len__(self) -> int:
        return len(self._ring)

    @property
    def keeps(self) -> bool:
        return self.max_memory > 0

    def shelf(self, kind: ShelfKind) -> Shelf:
        """The place of one loader's answers."""
        found = self._shelves.get(kind)
        if found is None:
            found = self._shelves[kind] = Shelf(kind, self)
        return found

    def keep(
        self, shelf: Shelf, viewer: Viewer | None, whose: Hashable, brought: Brought
    ) -> list[Entry]:
        """Keep what a call brought, as its service allows; what was kept is returned.

        Nothing is kept that a sign-out or an invalidation since the call began has made old.
        """
        freshness = brought.freshness
        if not self.keeps or not freshness.longest:
            return []
        if freshness.private is not shelf.of_viewer:
            self.tally.refused("scope")
            return []
        if shelf.of_viewer and not self._may_keep(viewer):
            self.tally.refused("signed_out")
            return []
        size = brought.size * DECODED // max(1, len(brought.keys)) + ENTRY_BYTES
        if not shelf.of_viewer and len(shelf.tag_kinds) <= MOST_KINDS:
            shelf.tag_kinds.update(map(self._named, brought.tags.kinds))
        early = self._early()
        self._sweep(SWEPT_A_PUT * len(brought.keys))
        kept = []
        for key, answer in zip(brought.keys, brought.answers, strict=True):
            if isinstance(answer, FieldError):
                continue
            tags = self._tags(shelf, viewer, brought, key)
            if tags is not None:
                entry = self.entry(shelf, key, answer, freshness, brought.began, early)
                entry.place, entry.tags = shelf.place(whose, key), tags
                entry.size = size + TAG_BYTES * len(tags)
                self.put(entry)
                kept.append(entry)
        return kept

    def entry(
        self,
        shelf: Shelf,
        key: Hashable,
        answer: Any,
        freshness: Freshness,
        began: float,
        early: float | None = None,
    ) -> Entry:
        """An entry of no place yet; `early` is the jitter of all that came together."""
        max_age = freshness.max_age * (self._early() if early is None else early)
        if answer is None:
            # Nothing there: it may come any moment, and no write tells its tag.
            soon = Freshness(min(freshness.max_age, int(ABSENT_S)), 0, 0, freshness.private)
            return Entry(shelf, key, None, soon, began, began + min(max_age, ABSENT_S))
        return Entry(shelf, key, answer, freshness, began, began + max_age)

    def put(self, entry: Entry) -> None:
        """Put one entry in its place, instead of what is there."""
        shelf = entry.shelf
        old = shelf.entries.get(entry.place)
        if old is not None:
            entry.shared_at = old.shared_at
            self._remove(old)
        shelf.entries[entry.place] = entry
        self._ring[entry] = None
        self.size += entry.size
        for tag in entry.tags:
            tagged = self._tagged.get(tag)
            if tagged is None:
                self._tagged[tag] = {entry: None}
            else:
                tagged[entry] = None
        if shelf.of_viewer and entry.tags:
            self._make_room_of(entry.tags[-1])
        while self.size > self.max_memory:
            self._evict_one()

    def drop(self, tags: Iterable[str]) -> None:
        """What has one of these tags is old now, whatever is under way."""
        named = self._named_kinds(tags)
        self.drop_named(named, set(named.values()))

    def outdated(self, tags: Iterable[str]) -> None:
        """A service says what a write has made old: it goes here at once, elsewhere soon."""
        named = self._named_kinds(tags)
        self.drop_named(named, set(named.values()))
        if self.second is not None:
            self.second.drop(named)

    def drop_named(self, named: Iterable[str], kinds: Collection[str] | None = None) -> None:
        """The same with tags and their kinds in their stored form, as other processes tell them;
        without the kinds they may be of any."""
        now = self.clock()
        count = 0
        for tag in named:
            self._dropped_at[tag] = now
            self._dropped_at.move_to_end(tag)
            for entry in tuple(self._tagged.get(tag, ())):
                self._remove(entry)
                count += 1
        while self._dropped_at:
            oldest = next(iter(self._dropped_at))
            at = self._dropped_at[oldest]
            if len(self._dropped_at) <= MOST_REMEMBERED and at >= now - REMEMBER_S:
                break
            self._forgot_until = max(self._forgot_until, at)
            del self._dropped_at[oldest]
        # Who asks from now on must not join a call that may have read the old.
        for shelf in self._shelves.values():
            if shelf.flights and (shelf.of_viewer or kinds is None or shelf.may_bear(kinds)):
                shelf.flights.clear()
        self.tally.dropped(count)

    def was_dropped(self, tags: Iterable[str], began: float) -> bool:
        """Whether one of these stored tags was dropped after `began`, as far as is remembered."""
        return any(self._dropped_at.get(tag, began - 1.0) >= began for tag in tags)

    def viewer_left(self, account_id: str, epoch: int) -> None:
        """A sign-out: what is kept for the account goes, and nothing of an older epoch comes."""
        self._epochs[account_id] = max(epoch, self._epochs.get(account_id, epoch))
        self._epochs.move_to_end(account_id)
        if len(self._epochs) > MOST_REMEMBERED:
            self._epochs.popitem(last=False)
        self.drop((viewer_tag(account_id),))

    async def close(self) -> None:
        """Ends what goes on behind requests; no call may follow."""
        await self.background.close()
        if self.second is not None:
            await self.second.close()

    def clear(self) -> None:
        for entry in tuple(self._ring):
            self._remove(entry)

    def _may_keep(self, viewer: Viewer | None) -> bool:
        return viewer is not None and viewer.epoch >= self._epochs.get(viewer.account_id, -1)

    def _tags(
        self, shelf: Shelf, viewer: Viewer | None, brought: Brought, key: Hashable
    ) -> tuple[str, ...] | None:
        """The stored tags of one answer; None if it must not be kept."""
        tags = brought.tags.of(key)
        if shelf.of_viewer and viewer is not None:
            own = viewer_tag(viewer.account_id)
            tags = [*(tag for tag in tags if tag != own), own]  # the last one says whose it is
        if len(tags) > MOST_TAGS:
            self.tally.refused("tags")
            return None
        named = tuple(map(self._named, dict.fromkeys(tags) if len(tags) > 1 else tags))
        if brought.began <= self._forgot_until or (
            self._dropped_at and self.was_dropped(named, brought.began)
        ):
            self.tally.refused("outdated")
            flight = None if shelf.of_viewer else shelf.flights.get(key)
            if flight is not None:
                # Of a kind nobody knew this service for: who joined after the write asks anew.
                flight.spoilt.add(key)
            return None
        return named

    def _named_kinds(self, tags: Iterable[str]) -> dict[str, str]:
        """The stored form of each tag, and that of its kind."""
        return {self._named(tag): self._named(kind_of(tag)) for tag in tags}

    def _make_room_of(self, whose: str) -> None:
        """Of one account's answers the oldest go, in level two as well."""
        kept = self._tagged[whose]
        while len(kept) > MOST_OF_VIEWER:
            oldest = next(iter(kept))
            self._remove(oldest)
            self.tally.refused("account")
            if self.second is not None:
                self.second.forget(oldest)

    def _early(self) -> float:
        return 1.0 - self._jitter * self._dice()

    def _remove(self, entry: Entry) -> None:
        if self._ring.pop(entry, entry) is entry:
            return  # it is gone already
        self.size -= entry.size
        if entry.shelf.entries.get(entry.place) is entry:
            del entry.shelf.entries[entry.place]
        for tag in entry.tags:
            tagged = self._tagged.get(tag)
            if tagged is not None:
                tagged.pop(entry, None)
                if not tagged:
                    del self._tagged[tag]

    def _sweep(self, count: int) -> None:
        """A look at the next few: what is past its last use goes, though nobody asks for it."""
        now, ring = self.clock(), self._ring
        for _ in range(min(count, len(ring))):
            entry = next(iter(ring))
            if entry.usable_until <= now and entry.error_until <= now:
                self._remove(entry)
            else:
                ring.move_to_end(entry)

    def _evict_one(self) -> None:
        while True:
            entry = next(iter(self._ring))
            if not entry.used:
                break
            entry.used = False
            self._ring.move_to_end(entry)
        self._remove(entry)
        self.tally.evicted()


def viewer_tag(account_id: str) -> str:
    """The tag of all that is kept for one account."""
    return f"viewer:{account_id}"
