"""Keys of several requests that leave in one upstream call, for answers that are everybody's.

Keys of one kind asked for within a turn of the loop go together; nothing waits for a call that has
left, so an answer is never older than the question. What must not cross from one request to
another is kept apart in `shared_call.py`. Only `shared` methods may come here.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Hashable, Sequence
from typing import Any

from bff.telemetry.logs import logger
from bff.upstreams.shared_call import Asker, Kind, SharedCall, SharedLoad

log = logger(__name__)

# How many turns of the loop the first keys wait for others. An idle process turns in
# microseconds; a busy one takes in many answers a turn, and with them the next keys: measured with
# 32 requests in flight, one turn shares as much as eight (2.2 calls a home screen instead of 4).
TURNS = 1


class Coalescer:
    """This process's gatherings. `joined` counts loads that went along in another's call."""

    def __init__(self, joined: Callable[[str, str, int], None]) -> None:
        self._joined = joined
        self._gathering: dict[tuple[Kind, Hashable], list[SharedLoad]] = {}
        # The process's own: what a request's context holds must not reach another's call.
        self._context = contextvars.copy_context()
        self._running: set[asyncio.Task[None]] = set()

    async def share(
        self, kind: Kind, group: Hashable, caller: Asker, keys: Sequence[Any]
    ) -> Sequence[Any] | None:
        """The answers of the keys, from a call made with others; None when there are no others, or
        one of them may have spoilt it: then the caller is to call by itself.

        Raises a FieldError of the caller's own: no two requests get the same object.
        """
        place = (kind, group)
        load = SharedLoad(caller, keys)
        gathering = self._gathering.get(place)
        if gathering is None:
            self._gathering[place] = [load]
            await self._gather(place, load)
        else:
            load.wait()
            gathering.append(load)
        return None if load.outcome is None else await load.answer(load.outcome)

    async def _gather(self, place: tuple[Kind, Hashable], first: SharedLoad) -> None:
        """The first of a call waits for the others in its own task, so that one who stays alone
        pays for a turn of the loop and nothing else."""
        try:
            for _ in range(TURNS):
                await asyncio.sleep(0)
        except BaseException:
            self._depart(place, without=first)
            raise
        self._depart(place)

    def _depart(self, place: tuple[Kind, Hashable], without: SharedLoad | None = None) -> None:
        """Failure policy: a fault of ours here costs the sharing; every request still waiting
        calls by itself, which its bound does not feel."""
        kind, _ = place
        gathered = self._gathering.pop(place)
        if len(gathered) < 2:
            return
        try:
            staying = [load for load in gathered if load is not without and load.is_waiting]
            for loads in _packed(staying, kind.max_batch_size):
                self._leave(kind, loads)
        except Exception:
            for load in gathered:
                load.ask_again()
            log.exception("shared_call_not_sent", method=kind.method.name)

    def _leave(self, kind: Kind, loads: list[SharedLoad]) -> None:
        """One call for these loads, counted with the first of them; one alone goes by itself."""
        service = kind.method.service
        for load in loads:
            load.wait()
        admitted = [load for load in loads if len(loads) == 1 or load.is_admitted(service)]
        if len(admitted) < 2:
            for load in admitted:
                load.go_alone()
            return
        admitted[0].start(service)
        self._joined(service, kind.method.name, len(admitted) - 1)
        call = SharedCall(kind, admitted)
        task = asyncio.get_running_loop().create_task(call.run(), context=self._context.copy())
        # The loop itself would not keep it from being collected.
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        call.bound(task)


def _packed(loads: Sequence[SharedLoad], size: int) -> list[list[SharedLoad]]:
    """Loads in calls of at most `size` keys; the keys of one load stay together."""
    calls: list[list[SharedLoad]] = []
    keys: set[Any] = set()
    for load in loads:
        keys.update(load.keys)
        if calls and len(keys) <= size:
            calls[-1].append(load)
        else:
            calls.append([load])
            keys = set(load.keys)
    return calls
