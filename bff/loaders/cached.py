"""The way of a load through what is kept: fresh answers at once, the other keys asked for once.

fresh                   given; no call
stale, revalidating     given; asked for anew once, by a call nobody waits for (shared only)
missing, under way      waited for, where that answer will do (`Shelf.may_wait`)
missing                 level two (shared only), then the service
the service fails       the last good answer, as long as the service allows, told as stale
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Sequence
from math import inf
from typing import Any

from bff.errors import (
    DeadlineExceeded,
    FieldError,
    UpstreamBadResponse,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from bff.loaders.asked import Asked
from bff.loaders.keeping import Asking, note_declared, whose
from bff.request import Deadline
from bff.store.freshness import NOTHING_KEPT
from bff.store.shelf import Entry, Shelf, Stale
from bff.telemetry.logs import logger
from bff.upstreams.refusals import deadline_passed

# In place of these a last good answer may stand: the service, or the time, is to blame.
FAILURES = (
    UpstreamTimeout,
    UpstreamUnavailable,
    UpstreamBadResponse,
    UpstreamOverloaded,
    DeadlineExceeded,
)
# What the same call would meet again: who waited for it need not ask himself.
COMMON = (UpstreamTimeout, UpstreamUnavailable)
REFRESH_MS = 5_000
REFRESH_PAUSE_S = 1.0

log = logger(__name__)


def stale_of(loader: Asking, shelf: Shelf | None, keys: Sequence[Any]) -> list[Stale[Any] | None]:
    """The last good answers that may stand in place of a failure, without any call."""
    if shelf is None or (shelf.of_viewer and loader.caller.viewer is None):
        return [None] * len(keys)
    return _Load(loader, shelf).last_good(keys)


async def through_cache(loader: Asking, shelf: Shelf, keys: Sequence[Any]) -> list[Any]:
    """One answer a key, in order: a record, None, or the FieldError of that key. Raises a
    FieldError that is every key's."""
    return await _Load(loader, shelf).answers(keys)


class Flight(Asked[Any, Any]):
    """One call others may wait for. `spoilt` are keys a write made old while it was under way."""

    __slots__ = ("spoilt",)

    def __init__(self, keys: Sequence[Any]) -> None:
        super().__init__(keys)
        self.spoilt: set[Any] = set()

    def has(self, key: Any) -> bool:
        return key not in self.spoilt and super().has(key)


class _Load:
    """One load of one exchange."""

    __slots__ = ("_cache", "_failures", "_found", "_loader", "_now", "_shelf", "_whose")

    def __init__(self, loader: Asking, shelf: Shelf) -> None:
        self._loader = loader
        self._shelf = shelf
        self._cache = shelf.cache
        self._whose = whose(loader, shelf)
        self._now = self._cache.clock()
        self._found: dict[Any, Any] = {}
        # What stands behind a last good answer: each request finds its own.
        self._failures: dict[Any, FieldError] = {}

    async def answers(self, keys: Sequence[Any]) -> list[Any]:
        missing = self._look_up(keys)
        found = self._found
        if not missing:
            return list(found.values())
        if self._shelf.may_wait:
            await self._asked_once(missing)
        else:
            await self._ask(missing)
        answers = [found[key] for key in keys]
        failed = answers[0]
        if isinstance(failed, FieldError) and all(one is failed for one in answers):
            raise failed
        return answers

    def _look_up(self, keys: Sequence[Any]) -> list[Any]:
        """What is kept goes into `found`; the other keys are returned."""
        now, shelf, whose = self._now, self._shelf, self._whose
        entries, found = shelf.entries, self._found
        missing: list[Any] = []
        ripe: list[Any] = []
        soonest, of = inf, NOTHING_KEPT
        for key in keys:
            entry = entries.get(key if whose is None else (whose, key))
            if entry is None or now >= entry.usable_until:
                missing.append(key)
                continue
            entry.used = True
            found[key] = entry.record
            if now >= entry.fresh_until:
                ripe.append(key)
            if entry.fresh_until < soonest:
                soonest, of = entry.fresh_until, entry.freshness
        tally = self._cache.tally
        if missing and not shelf.is_always_asked:  # what is never given fresh is not missed
            tally.seen("memory", "miss", len(missing))
        if found:
            self._loader.caller.log.cached += len(found)
            self._loader.caller.log.told(of, max(0.0, soonest - now))
            tally.seen("memory", "hit", len(found) - len(ripe))
            tally.seen("memory", "stale", len(ripe))
        if ripe:
            self._refresh(ripe)
        return missing

    # Asking.

    async def _asked_once(self, keys: Sequence[Any]) -> None:
        """Keys that are on their way already are waited for, the others are brought."""
        flights = self._shelf.flights
        own: list[Any] = []
        joined: dict[Flight, list[Any]] = {}
        for key in keys:
            flight = flights.get(self._shelf.place(self._whose, key))
            if flight is None:
                own.append(key)
            else:
                joined.setdefault(flight, []).append(key)
        if own:
            await self._bring(own)
        if joined:
            await self._join(joined)

    async def _bring(self, keys: Sequence[Any]) -> None:
        """Others may wait for these keys from now on, until they are here."""
        flight, found = self._take_off(keys), self._found
        try:
            rest = await self._from_second(keys)
            if rest:
                await self._ask(rest)
            flight.answer([self._failures.get(key, found[key]) for key in keys])
        finally:
            self._land(flight)

    async def _from_second(self, keys: Sequence[Any]) -> list[Any]:
        """Level two, for what is everybody's; the keys it does not have are returned."""
        second, form = self._cache.second, self._shelf.kind.form
        if second is None or form is None or self._shelf.of_viewer:
            return list(keys)
        kept = await second.get(self._shelf, form, None, keys)
        now, caller_log = self._cache.clock(), self._loader.caller.log
        rest = []
        for key in keys:
            entry = kept.get(key)
            # Past its max-age the service is asked: it is waited for here anyway.
            if entry is None or now >= entry.fresh_until:
                rest.append(key)
                continue
            self._found[key] = entry.record
            caller_log.cached += 1
            caller_log.told(entry.freshness, entry.fresh_until - now)
        return rest

    async def _ask(self, keys: Sequence[Any]) -> None:
        """The service, and in place of its failure the last good answer."""
        found = self._found
        try:
            answers = await self._loader.fetch_apart(keys)
        except FieldError as error:
            answers = [error.with_traceback(None)] * len(keys)
        found.update(zip(keys, answers, strict=True))
        failed = [key for key in keys if isinstance(found[key], FAILURES)]
        if failed:
            await self._stand_in(failed)
        if len(failed) < len(keys):
            note_declared(self._shelf, self._loader.caller.log)

    async def _join(self, joined: dict[Flight, list[Any]]) -> None:
        """Waits for others' calls, once: what they do not bring is asked for without waiting
        again."""
        again: list[Any] = []
        for flight, keys in joined.items():
            failure = await self._over(flight)
            for key in keys:
                if failure is not None:
                    self._found[key] = failure
                elif flight.has(key) and _is_everybodys(answer := flight.of(key)):
                    self._found[key] = copy.copy(answer) if _is_error(answer) else answer
                else:
                    again.append(key)
        waited = [key for keys in joined.values() for key in keys]
        self._cache.tally.seen("memory", "joined", len(waited) - len(again))
        if len(again) < len(waited):
            note_declared(self._shelf, self._loader.caller.log)
        failed = [key for key in waited if isinstance(self._found.get(key), FAILURES)]
        if failed:
            await self._stand_in(failed)
        if again:
            self._loader.caller.log.again += 1
            await self._ask(again)

    async def _over(self, flight: Flight) -> FieldError | None:
        """Waits until a call is over; this request's own reason not to, if there is one."""
        caller, service = self._loader.caller, self._loader.method.service
        try:
            left = caller.admit(service)
        except FieldError as error:
            return error.with_traceback(None)
        caller.log.joins += 1
        try:
            async with asyncio.timeout(left):
                await flight.over()
        except TimeoutError:
            return deadline_passed(service)
        return None

    # In place of failures.

    async def _stand_in(self, keys: Sequence[Any]) -> None:
        """Puts last good answers in the places of failures, where there are any."""
        form, second = self._shelf.kind.form, self._cache.second
        if self._shelf.of_viewer and second is not None and form is not None:
            unknown = [key for key in keys if self._entry(key) is None]
            if unknown:
                await second.get(self._shelf, form, self._whose, unknown)
        for key, stale in zip(keys, self.last_good(keys), strict=True):
            if stale is not None:
                self._failures[key] = self._found[key]
                self._found[key] = stale.record

    def last_good(self, keys: Sequence[Any]) -> list[Stale[Any] | None]:
        """Of each key, what may stand in place of a failure; told as stale."""
        now, caller_log = self._cache.clock(), self._loader.caller.log
        found: list[Stale[Any] | None] = []
        for key in keys:
            entry = self._entry(key)
            if entry is None or entry.record is None or now >= entry.error_until:
                found.append(None)
                continue
            entry.used = True
            found.append(Stale(entry.record, now - entry.began))
        ages = [one.age_s for one in found if one is not None]
        if ages:
            caller_log.was_stale(self._loader.method.label, max(ages))
            caller_log.told(NOTHING_KEPT, 0.0)
            self._cache.tally.seen("memory", "stale_if_error", len(ages))
        return found

    def _entry(self, key: Any) -> Entry | None:
        return self._shelf.entries.get(self._shelf.place(self._whose, key))

    # Flights.

    def _take_off(self, keys: Sequence[Any]) -> Flight:
        flight = Flight(keys)
        for key in keys:
            self._shelf.flights[self._shelf.place(self._whose, key)] = flight
        return flight

    def _land(self, flight: Flight) -> None:
        """Whoever waits is told; a call that brought nothing was given up."""
        flights = self._shelf.flights
        for key in flight.keys:
            place = self._shelf.place(self._whose, key)
            if flights.get(place) is flight:
                del flights[place]
        flight.give_up()

    # Behind everybody's back.

    def _refresh(self, ripe: Sequence[Any]) -> None:
        """Asks anew for what is stale, unless that is under way, or failed a moment ago."""
        flights, entries = self._shelf.flights, self._shelf.entries
        due = [
            key for key in ripe if key not in flights and entries[key].asked_again_at <= self._now
        ]
        if not due:
            return
        if not self._cache.background.has_room:
            self._cache.tally.refreshed("not_started")
            return
        caller = self._loader.caller
        until = Deadline.after_ms(REFRESH_MS)
        of_nobody = caller.for_all([(caller, caller.here())], until)
        refresh = _Load(type(self._loader)(of_nobody), self._shelf)  # type: ignore[call-arg]
        self._cache.background.start(refresh.run(refresh._take_off(due)))

    async def run(self, flight: Flight) -> None:
        """One refresh. Failure policy: what is kept stays, and is not asked for again at once."""
        keys, outcome = flight.keys, "failed"
        try:
            answers = await self._loader.fetch_apart(keys)
            flight.answer(answers)
            if not any(map(_is_error, answers)):
                outcome = "ok"
        except FieldError:
            pass
        except Exception:
            log.exception("refresh_broke", method=self._loader.method.name)
        finally:
            if outcome != "ok":
                self._put_off(keys)
            self._land(flight)
            self._cache.tally.refreshed(outcome)

    def _put_off(self, keys: Sequence[Any]) -> None:
        at = self._cache.clock() + REFRESH_PAUSE_S
        for key in keys:
            entry = self._entry(key)
            if entry is not None:
                entry.asked_again_at = at


def _is_error(answer: Any) -> bool:
    return isinstance(answer, FieldError)


def _is_everybodys(answer: Any) -> bool:
    """Whether an answer to one request is one to all that waited for it."""
    return not _is_error(answer) or isinstance(answer, COMMON)
