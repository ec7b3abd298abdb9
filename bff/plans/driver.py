"""Waits for what a run still needs, in the request's own task: one wake-up a loop turn.

Every answer that is there is put in its place before anything new is started, so that all keys one
turn brings leave together. When a place is given up only tasks made here are cancelled: others'
futures are shared. What is given up because its time is up is `ending.py`'s.
"""

from __future__ import annotations

import asyncio
from asyncio import AbstractEventLoop, Future, TimerHandle
from collections.abc import Coroutine, Sequence
from typing import Any, Protocol

from bff.plans.ending import Call, Ending, is_write, stand_in
from bff.plans.places import Place, is_under
from bff.plans.run import Pending, Run
from bff.plans.waves import OpenWave, close_finished, join_budget
from bff.screens.parked import park

# What is cancelled is waited for so long; a resolver may refuse to end.
LAST_WORDS_S = 0.1


class ListLoader(Protocol):
    """What a wave needs of a loader."""

    def load_all(self, keys: Sequence[Any]) -> Coroutine[Any, Any, list[Any]]:
        """One answer a key, in order: a record, None, or the error of that key."""


class WaveContext(Protocol):
    """What waves need of a request's context."""

    def loader(self, kind: Any) -> ListLoader: ...

    def remaining(self) -> float:
        """Seconds left to the request's deadline."""

    def call_was_late(self) -> None: ...


class Driver:
    """Drives one group of a run to its end, or to that of its time."""

    __slots__ = ("_flying", "_limit", "_loop", "_ready", "_ringing", "_run", "_waker", "_waves")

    def __init__(self, run: Run, group: int) -> None:
        self._run = run
        self._waves = [wave for wave in run.waves if wave.plan.group == group]
        self._loop: AbstractEventLoop = asyncio.get_running_loop()
        # What is awaited, with who waits for it: values of resolvers, or the slots of a wave.
        self._flying: dict[Future[Any], list[Pending] | Call] = {}
        self._ready: list[Future[Any]] = []
        self._waker: Future[None] | None = None
        self._limit: TimerHandle | None = None
        self._ringing = False
        run.cancel_under = self._cancel_under

    async def finish(self) -> None:
        """Everything of this group is in the answer when this returns. Raises RootNulled."""
        try:
            await self._begin()
            while self._flying:
                # Only the loop calls `_landed` and `_join_is_over`: nothing came in the meantime.
                self._waker = self._loop.create_future()
                await self._waker
                ready, self._ready = self._ready, []
                for future in ready:
                    self._settle(future)
                if self._ringing:
                    self._end_what_is_late()
                self._launch()
        except BaseException:
            await self._abandon()
            raise
        finally:
            # Run and driver know each other: whatever they hold would wait for the collector.
            self._run.cancel_under = None
            if self._limit is not None:
                self._limit.cancel()
            for wave in self._waves:
                wave.stop_timer()

    async def _begin(self) -> None:
        """Everything that can leave at once does; from then on time is limited, if it is."""
        showing = self._run.showing
        if showing is None:
            await self._lone()
        elif showing.is_over:  # the field of a mutation before took it all
            self._end_what_is_late()
        self._launch()
        if showing is not None and self._flying:
            self._limit = self._loop.call_later(showing.to_next(), self._ring)

    async def _lone(self) -> None:
        """A single awaited value needs no task, as long as no wave is open beside it."""
        run = self._run
        while len(run.pending) == 1 and not any(wave.keys for wave in self._waves):
            pending = run.pending.pop()
            try:
                value = await pending.awaitable
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if isinstance(error, asyncio.CancelledError) and task and task.cancelling():
                    raise  # it is we who are cancelled, not what we wait for
                run.bubble(pending.place, _shown(error), pending)
            else:
                self._put(pending, value)
            run.release(pending)

    def _wake(self) -> None:
        waker = self._waker
        if waker is not None and not waker.done():
            waker.set_result(None)

    def _landed(self, future: Future[Any]) -> None:
        self._ready.append(future)
        self._wake()

    def _ring(self) -> None:
        self._ringing = True
        self._wake()

    def _end_what_is_late(self) -> None:
        """What came in the same moment is in its place already."""
        showing = self._run.showing
        self._ringing = False
        if showing is None:
            return
        if showing.is_over or showing.look():
            Ending(self._run, showing, self._waves, self._flying, self._landed).end()
        if not showing.is_over:
            self._limit = self._loop.call_later(showing.to_next(), self._ring)

    # What leaves.

    def _launch(self) -> None:
        run = self._run
        while run.pending:
            pending, run.pending = run.pending, []
            for one in pending:
                self._await(one)
        close_finished(self._waves, run.waves)
        for wave in self._waves:
            if not wave.keys:
                continue
            if wave.overdue or not wave.waiting:  # all keys are there that can come
                self._send(wave)
            elif wave.timer is None:
                self._patience(wave)
        if not self._flying:
            self._send_the_rest()

    def _await(self, pending: Pending) -> None:
        """One task a coroutine; a future somebody shares is waited for once."""
        future = asyncio.ensure_future(pending.awaitable, loop=self._loop)
        waiting = self._flying.get(future)
        if isinstance(waiting, list):
            waiting.append(pending)
            return
        self._flying[future] = [pending]
        future.add_done_callback(self._landed)

    def _send_the_rest(self) -> None:
        """Nothing is under way that could bring a key: whatever was counted, none may be lost."""
        for wave in self._waves:
            if wave.keys:
                self._send(wave)

    def _patience(self, wave: OpenWave) -> None:
        """The first key is there and feeders are not: wait for them, but not too long."""
        showing = self._run.showing
        if showing is None:
            left = self._run.context.remaining()
        else:
            left = showing.left(wave.plan.budget_s)
        budget = join_budget(left, wave.plan.calls_left)
        wave.timer = self._loop.call_later(budget, self._join_is_over, wave)

    def _join_is_over(self, wave: OpenWave) -> None:
        wave.timer = None
        wave.overdue = True
        self._wake()

    def _send(self, wave: OpenWave) -> None:
        keys, late = wave.take()
        context: WaveContext = self._run.context
        if late:
            context.call_was_late()
        load: Future[list[Any]]
        try:
            loader = context.loader(wave.plan.loader)
            load = self._loop.create_task(loader.load_all(list(keys)))
        except Exception as error:  # a loader that cannot be made costs its own fields
            load = self._loop.create_future()
            load.set_exception(error)
        self._flying[load] = Call(wave, keys)
        load.add_done_callback(self._landed)

    # What comes back.

    def _settle(self, future: Future[Any]) -> None:
        waiting = self._flying.pop(future, None)
        if waiting is None:
            return  # given up in the meantime
        if isinstance(waiting, Call):
            waiting.wave.in_flight -= 1
            self._fill(waiting, future)
            return
        for pending in waiting:
            try:
                value = future.result()
            except (Exception, asyncio.CancelledError) as error:
                self._run.bubble(pending.place, _shown(error), pending)
            else:
                self._put(pending, value)
            self._run.release(pending)

    def _put(self, pending: Pending, value: Any) -> None:
        run = self._run
        try:
            if pending.settle is not None:
                value = pending.settle(value, pending.place, run)
            pending.container[pending.key] = value
            if type(value) is Pending:
                value.container, value.key = pending.container, pending.key
        except Exception as error:
            run.bubble(pending.place, error, pending)

    def _fill(self, call: Call, future: Future[Any]) -> None:
        """Every slot gets the value of its key's record, or that key's error, or what its section
        has in place of that."""
        run = self._run
        try:
            answers = future.result()
        except (Exception, asyncio.CancelledError) as error:
            answers = [_shown(error)] * len(call.keys)
        nulled, failed = run.nulled, False
        for slots, answer in zip(call.keys.values(), answers, strict=True):
            if isinstance(answer, Exception):
                failed = True
                continue
            for container, slot, settle, place in slots:
                if nulled and run.is_nulled(place):
                    continue
                try:
                    value = container[slot] = settle(answer, place, run)
                    if type(value) is Pending:
                        value.container, value.key = container, slot
                except Exception as error:
                    run.bubble(place, error)
        if failed:
            stand_in(run, call.wave.plan.loader, call.failures(answers))

    # What is given up.

    def _cancel_under(self, place: Place) -> None:
        for future, waiting in list(self._flying.items()):
            if isinstance(waiting, Call):
                continue  # its answer finds its places gone
            kept = [one for one in waiting if not is_under(one.place, place)]
            if len(kept) == len(waiting):
                continue
            stays = set(kept)
            for one in waiting:
                if one not in stays:
                    self._run.release(one)
            if kept:
                self._flying[future] = kept
                continue
            del self._flying[future]
            future.remove_done_callback(self._landed)
            if all(one.awaitable is not future for one in waiting):
                self._drop(future, waiting)

    async def _abandon(self) -> None:
        """The run ends early: nothing of ours may go on alone."""
        mine = []
        for future, waiting in self._flying.items():
            future.remove_done_callback(self._landed)
            foreign = not isinstance(waiting, Call) and any(
                one.awaitable is future for one in waiting
            )
            if not foreign and self._drop(future, waiting):
                mine.append(future)
        self._flying.clear()
        if mine:
            await asyncio.wait(mine, timeout=LAST_WORDS_S)
            for future in mine:
                park(future)

    def _drop(self, future: Future[Any], waiting: list[Pending] | Call) -> bool:
        """Ends a task made here, unless it writes; whether that takes time. One that failed already
        is read, or asyncio would log its error as never retrieved."""
        if self._run.writes and not isinstance(waiting, Call) and is_write(waiting):
            park(future)
        elif not future.done():
            return future.cancel()
        elif not future.cancelled():
            future.exception()
        return False


def _shown(error: BaseException) -> Exception:
    """A load that was cancelled by others is a failure of that load only."""
    if isinstance(error, Exception):
        return error
    return RuntimeError("the load was cancelled")
