"""Ends what is awaited where the time is up, and puts old records where a section shows them.

A call is not cancelled: others may wait for it, and what it brings may be kept. A write goes on,
too; other coroutines are cancelled, and nobody waits for their end.
"""

from __future__ import annotations

from asyncio import Future, iscoroutine, isfuture
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from bff.plans.places import Place, section_at
from bff.plans.run import Pending, Run
from bff.plans.waves import OpenWave, Slot
from bff.screens.parked import park
from bff.screens.showing import Showing, is_unavailable
from bff.screens.stale import stale_of

# A key, where its record was to go, and why it does not.
Failure: TypeAlias = "tuple[Any, Slot, Exception]"


class Call:
    """A wave's call that is under way, and the slots its answer goes to."""

    __slots__ = ("keys", "wave")

    def __init__(self, wave: OpenWave, keys: dict[Any, list[Slot]]) -> None:
        self.wave = wave
        self.keys = keys

    def failures(self, answers: Sequence[Any]) -> list[Failure]:
        """The slots whose keys' answers are errors."""
        return [
            (key, slot, answer)
            for (key, slots), answer in zip(self.keys.items(), answers, strict=True)
            if isinstance(answer, Exception)
            for slot in slots
        ]


class Ending:
    """Gives up what belongs to sections that have ended, or everything. `flying` are the driver's
    futures, whose ends `landed` hears of."""

    def __init__(
        self,
        run: Run,
        showing: Showing,
        waves: Sequence[OpenWave],
        flying: dict[Future[Any], list[Pending] | Call],
        landed: Callable[[Future[Any]], object],
    ) -> None:
        self._run = run
        self._showing = showing
        self._waves = waves
        self._flying = flying
        self._landed = landed

    def end(self) -> None:
        """Nothing that is late is awaited any more when this returns. Raises RootNulled."""
        again = True
        while again:  # an old record may ask for others
            again = self._end_pending()
            again = self._end_keys() or again

    def _is_late(self, place: Place) -> bool:
        return self._showing.is_over or self._showing.has_ended(section_at(place))

    # Values of resolvers.

    def _end_pending(self) -> bool:
        run = self._run
        late = [one for one in run.pending if self._is_late(one.place)]
        ended = set(late)
        run.pending = [one for one in run.pending if one not in ended]
        for one in late:
            if iscoroutine(one.awaitable):
                one.awaitable.close()
            elif isfuture(one.awaitable):
                park(one.awaitable)
        for future, waiting in list(self._flying.items()):
            if isinstance(waiting, Call):
                continue
            gone = {one: None for one in waiting if self._is_late(one.place)}
            late += gone
            if len(gone) == len(waiting):
                self._let_go(future, waiting)
            elif gone:
                self._flying[future] = [one for one in waiting if one not in gone]
        for one in late:
            run.release(one)
            self._lose(one.place, self._showing.late(), one)
        return bool(late)

    def _let_go(self, future: Future[Any], waiting: list[Pending]) -> None:
        del self._flying[future]
        future.remove_done_callback(self._landed)
        foreign = any(one.awaitable is future for one in waiting)
        if not foreign and not (self._run.writes and is_write(waiting)):
            future.cancel()
        park(future)

    def _lose(self, place: Place, error: Exception, origin: Pending) -> None:
        run = self._run
        if not (run.nulled and run.is_nulled(place)):
            run.bubble(place, error, origin)

    # Keys of loaders.

    def _end_keys(self) -> bool:
        found = False
        for wave in self._waves:
            late = self._late(wave.keys)
            for key in [key for key, slots in wave.keys.items() if not slots]:
                del wave.keys[key]
            for future, call in list(self._flying.items()):
                if isinstance(call, Call) and call.wave is wave:
                    late += self._late(call.keys)
                    self._leave(future, call)
            if late:
                found = True
                stand_in(self._run, wave.plan.loader, late)
        return found

    def _leave(self, future: Future[Any], call: Call) -> None:
        """A call that nobody here waits for any more."""
        if any(call.keys.values()):
            return
        del self._flying[future]
        future.remove_done_callback(self._landed)
        call.wave.in_flight -= 1
        park(future)

    def _late(self, keys: dict[Any, list[Slot]]) -> list[Failure]:
        """Takes the late slots out; a call's keys stay, as its answers do."""
        late: list[Failure] = []
        for key, slots in keys.items():
            gone = [slot for slot in slots if self._is_late(slot[3])]
            if gone:
                slots[:] = [slot for slot in slots if not self._is_late(slot[3])]
                late += [(key, slot, self._showing.late()) for slot in gone]
        return late


def is_write(waiting: list[Pending]) -> bool:
    """Whether a root field of a mutation waits: what it began must come to its own end."""
    return any(one.place[0] is None for one in waiting)


def stand_in(run: Run, loader: type, failures: Sequence[Failure]) -> None:
    """What becomes of slots whose record does not come: an old record where the section shows one,
    else the error. Raises RootNulled."""
    old = _old_records(run, loader, failures)
    for key, (container, slot, settle, place), error in failures:
        if run.nulled and run.is_nulled(place):
            continue
        found = old.get(key)
        section = section_at(place) if found is not None else None
        if found is None or section is None or not section.is_stale:
            run.bubble(place, error)
            continue
        run.showing.was_stale(section, found.age_s, error)  # type: ignore[union-attr]
        try:
            value = container[slot] = settle(found.record, place, run)
            if type(value) is Pending:
                value.container, value.key = container, slot
        except Exception as failed:
            run.bubble(place, failed)


def _old_records(run: Run, loader: type, failures: Sequence[Failure]) -> dict[Any, Any]:
    """By key, what the loader still has of those that sections show old records of."""
    if run.showing is None or not run.showing.contract.sections:
        return {}
    keys = [key for key, slot, error in failures if is_unavailable(error) and _shows_old(slot[3])]
    return stale_of(run.context, loader, list(dict.fromkeys(keys))) if keys else {}


def _shows_old(place: Place) -> bool:
    section = section_at(place)
    return section is not None and section.is_stale
