"""One upstream call of several requests, and what each of them waits for.

Kept apart here: time (each leaves at its own deadline), errors (each gets its own), counts, and the
way out (who leaves takes nobody along). Which requests share a call is decided in `coalesce.py`.
"""

from __future__ import annotations

import asyncio
import copy
from asyncio import Future, TimerHandle
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol, cast

from bff.errors import (
    BadUserInput,
    Conflict,
    FieldError,
    Forbidden,
    NotFound,
    UpstreamBadResponse,
)
from bff.request import Deadline
from bff.telemetry.logs import logger
from bff.upstreams.call_log import CallLog
from bff.upstreams.method import Method
from bff.upstreams.refusals import deadline_passed

log = logger(__name__)

# Refusals that one request's keys can bring about: the others must not bear them.
BLAMES_KEYS = (BadUserInput, NotFound, Forbidden, Conflict, UpstreamBadResponse)


class Asker(Protocol):
    """What is needed of a request's caller."""

    log: CallLog

    @property
    def deadline(self) -> Deadline: ...

    def admit(self, service: str) -> float:
        """Raises the FieldError of a call this request may not make any more."""

    def here(self) -> Any:
        """The span a call made now would stand under."""

    def for_all(self, askers: Sequence[Any]) -> Any:
        """A caller of nobody's for what these (caller, span) ask together."""


class Fetching(Protocol):
    """A loader: fetches any keys of its kind and group in one call."""

    def fetch(self, keys: Any) -> Awaitable[Sequence[Any]]: ...


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A loader class, as far as it concerns us; `make` gives one that calls as `caller`."""

    method: Method[Any]
    max_batch_size: int
    make: Callable[[Any], Fetching]


class SharedLoad:
    """What one request waits for. It has an `outcome` once others may settle it; one of None tells
    it to call by itself."""

    __slots__ = ("call", "caller", "counted", "keys", "outcome", "span")

    def __init__(self, caller: Asker, keys: Sequence[Any]) -> None:
        self.caller = caller
        self.keys = keys
        self.span: Any = None
        self.outcome: Future[Any] | None = None
        self.call: SharedCall | None = None
        self.counted = False

    @property
    def is_waiting(self) -> bool:
        return self.outcome is None or not self.outcome.done()

    def wait(self) -> None:
        """To be settled by others from now on."""
        if self.outcome is None:
            self.span = self.caller.here()
            self.outcome = asyncio.get_running_loop().create_future()

    async def answer(self, outcome: Future[Any]) -> Sequence[Any] | None:
        """What it was settled with. Raises it if it is an error."""
        try:
            found = await outcome
        except asyncio.CancelledError:
            if self.call is not None:
                self.call.drop_if_deserted()
            raise
        if isinstance(found, Exception):
            raise found
        return cast("Sequence[Any] | None", found)

    def is_admitted(self, service: str) -> bool:
        """Whether the request may ask for more; counted as a join at once, for its next load to
        be held against."""
        try:
            self.caller.admit(service)
        except FieldError as error:
            self.settle(error)
            return False
        self.caller.log.joins += 1
        self.counted = True
        return True

    def start(self, service: str) -> None:
        """The call counts as this request's own."""
        self.caller.log.joins -= 1
        self.caller.log.add(service)

    def go_alone(self) -> None:
        """Nothing was asked with others: its own call is the first."""
        if self.counted:
            self.caller.log.joins -= 1
            self.counted = False
        self.settle(None)

    def ask_again(self) -> None:
        """What was asked with others came to nothing: its own call is the second, and held against
        the request's bound as if it were the first."""
        if self.counted and self.is_waiting:
            self.caller.log.again += 1
            self.counted = False
        self.settle(None)

    def settle(self, outcome: Sequence[Any] | FieldError | None) -> None:
        """Whoever left in the meantime is not told."""
        if self.outcome is not None and not self.outcome.done():
            self.outcome.set_result(outcome)

    def stop(self) -> None:
        """Ends the waiting of a load that was never settled."""
        if self.outcome is not None:
            self.outcome.cancel()


class SharedCall:
    """One upstream call of several requests, until the longest of their deadlines."""

    __slots__ = ("_kind", "_loads", "_task", "_timers")

    def __init__(self, kind: Kind, loads: Sequence[SharedLoad]) -> None:
        self._kind = kind
        self._loads = loads
        self._timers: list[TimerHandle] = []
        self._task: asyncio.Task[None] | None = None

    def bound(self, task: asyncio.Task[None]) -> None:
        """Every request leaves at its own deadline; the call itself ends with the last."""
        self._task = task
        loop = task.get_loop()
        longest = max(load.caller.deadline.at for load in self._loads)
        for load in self._loads:
            load.call = self
            if load.caller.deadline.at < longest:
                left = load.caller.deadline.remaining()
                self._timers.append(loop.call_later(left, self._deadline_passed, load))

    def drop_if_deserted(self) -> None:
        """A call nobody waits for any more is given up; until then nobody can end it."""
        if self._task is not None and not any(load.is_waiting for load in self._loads):
            self._task.cancel()

    async def run(self) -> None:
        """Settles every load that is still waiting, whatever happens."""
        try:
            found = await self._fetch()
        except BLAMES_KEYS:
            self._spoilt()
        except FieldError as error:
            for load in self._loads:
                load.settle(copy.copy(error))
        except Exception:
            # A fault of ours, perhaps over one request's keys: each meets it alone, or does not.
            log.exception("shared_call_broke", method=self._kind.method.name)
            self._spoilt()
        else:
            self._hand_out(found)
        finally:
            self._end()

    async def _fetch(self) -> dict[Any, Any]:
        loads = self._loads
        keys = list(dict.fromkeys(chain.from_iterable(load.keys for load in loads)))
        caller = loads[0].caller.for_all([(load.caller, load.span) for load in loads])
        return dict(zip(keys, await self._kind.make(caller).fetch(keys), strict=True))

    def _spoilt(self) -> None:
        for load in self._loads:
            load.ask_again()

    def _end(self) -> None:
        """Nobody waits any more, were it that we were stopped; and no circle of references."""
        for timer in self._timers:
            timer.cancel()
        for load in self._loads:
            load.stop()
            load.call = None

    def _hand_out(self, found: dict[Any, Any]) -> None:
        """The records themselves, which are frozen, and errors of each one's own."""
        failed = any(isinstance(answer, FieldError) for answer in found.values())
        for load in self._loads:
            answers = [found[key] for key in load.keys]
            load.settle([_own(answer) for answer in answers] if failed else answers)

    def _deadline_passed(self, load: SharedLoad) -> None:
        load.settle(deadline_passed(self._kind.method.service))
        self.drop_if_deserted()


def _own(answer: Any) -> Any:
    """An error as one request's own: a raised one gathers tracebacks, and with them everything its
    frames hold."""
    return copy.copy(answer) if isinstance(answer, FieldError) else answer
