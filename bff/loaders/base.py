"""The base of the loaders: keys asked for together become one upstream call.

Two ways in, one call below: `load` takes keys one by one and gathers them within a loop turn (the
batching is aiodataloader's), `load_all` takes the list a plan has collected already. A loader lives
as long as one exchange, so nothing crosses viewers; what one way has asked for, the other knows.
"""

from __future__ import annotations

import asyncio
from asyncio import Future
from collections.abc import Awaitable, Hashable, Iterable, Sequence
from typing import Any, ClassVar, Generic, TypeVar, cast, get_args, get_origin

from aiodataloader import DataLoader, dispatch_queue
from aiodataloader import Loader as Waiting

from bff.contract import Scope
from bff.errors import FieldError, Unauthenticated
from bff.loaders.asked import Asked
from bff.loaders.cached import stale_of, through_cache
from bff.loaders.ids import all_askable, is_askable
from bff.loaders.keeping import Keeping, fetch_and_keep, note_declared
from bff.store.shelf import ShelfKind, Stale
from bff.upstreams.calls import Caller
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.method import Method
from bff.upstreams.shared_call import Kind

K = TypeVar("K")
R = TypeVar("R")

PATIENCE_TURNS = 6


class Loader(DataLoader[K, R | None], Generic[K, R]):
    """`method` is the one upstream method it calls; `scope` follows from it.

    Subclasses write `fetch(keys)`: unique keys in, as many records (None for not found) out, in
    the same order. A FieldError raised there becomes the error of every key of the batch, one
    returned in a record's place that of its key.
    """

    method: ClassVar[Method[Any]]
    scope: ClassVar[Scope]
    kind: ClassVar[Kind]
    kept_as: ClassVar[ShelfKind]
    max_batch_size = 200

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if hasattr(cls, "method"):
            cls.scope = cls.method.scope
            cls.kind = Kind(cls.method, cls.max_batch_size, cls._for_others)
            named = f"{cls.__module__}.{cls.__qualname__}"
            cls.kept_as = ShelfKind(named, cls.scope is Scope.VIEWER, _record_of(cls))

    def __init__(self, caller: Caller) -> None:
        # What aiodataloader's constructor would make: its look at our own `batch_load_fn` takes
        # longer than all the rest of a loader, four times a home screen.
        self.loop = asyncio.get_running_loop()
        self._cache = {}
        self._queue = []
        self.caller = caller
        self._asked: dict[K, Asked[K, R]] = {}
        cache = caller.cache
        self._shelf = None if cache is None else cache.shelf(self.kept_as)

    def get_cache_key(self, key: K) -> K:
        """aiodataloader's name for it: a key is known by itself."""
        return key

    async def load_all(self, keys: Sequence[K]) -> list[R | Exception | None]:
        """One answer a key, in order: its record, None when there is none, or its FieldError.

        `keys` are unique; neither they nor the list returned may be changed afterwards. A key this
        exchange asked for before, in either way, is answered from there and costs no call.
        Failures of upstreams never raise, UNAUTHENTICATED included; faults of ours do.
        """
        if not keys:
            return []
        if not self._asked and not self._cache:
            return await self._ask(keys)
        return await self._join(keys)

    def load(self, key: K) -> Future[R | None]:
        """One key; keys of one loop turn leave together. Raises its FieldError when awaited."""
        asked = self._asked.get(key)
        if asked is None or key in self._cache:
            return super().load(key)
        future: Future[R | None] = self.loop.create_future()
        self._cache[key] = future
        asked.then(lambda: self._pass_on(asked, key, future))
        return future

    def do_resolve_reject(self, key: K, future: Future[R | None]) -> None:
        """Queue one key; the first of a batch starts the wait for the others.

        Answers that arrive in one turn of the loop reach their resolvers a few turns apart, as
        deep as each is awaited. aiodataloader waits two turns, which splits such a batch.
        """
        self._queue.append(Waiting(key=key, future=future))
        if len(self._queue) == 1:
            self._wait(PATIENCE_TURNS)

    def _wait(self, turns: int) -> None:
        if turns:
            self.loop.call_soon(self._wait, turns - 1)
        else:
            dispatch_queue(self)

    def stale_of(self, keys: Sequence[K]) -> list[Stale[R] | None]:
        """Of each key, the last good answer if its service lets it stand in place of a failure
        still, and how old it is; no call is made. What is given is told as stale."""
        return stale_of(self, self._shelf, keys)

    async def batch_load_fn(self, keys: Sequence[K]) -> list[R | None]:
        """One batch, however its keys were gathered. No call for a viewer's data leaves without a
        viewer, and nothing kept is given. Raises a FieldError of all keys; holds, against its type,
        those of single ones."""
        if self.scope is Scope.VIEWER and self.caller.viewer is None:
            raise Unauthenticated("Sign in to see this.")
        if all_askable(keys):
            return cast("list[R | None]", await self._answers(keys))
        askable = [key for key in keys if is_askable(key)]
        answers = await self._answers(askable) if askable else ()
        found = dict(zip(askable, answers, strict=True))
        return [cast("R | None", found.get(key)) for key in keys]

    def _answers(self, keys: Sequence[K]) -> Awaitable[Sequence[R | FieldError | None]]:
        shelf = self._shelf
        if shelf is None or shelf.idle:
            return self.fetch_apart(keys)
        return through_cache(self, shelf, keys)

    async def fetch(self, keys: Sequence[K]) -> Sequence[R | FieldError | None]:
        """The answers of keys that `apart` tells alike."""
        raise NotImplementedError

    def apart(self, key: K) -> Hashable:
        """Keys that differ in this cannot go in one call; in one call all others can."""
        return None

    def fetch_apart(self, keys: Sequence[K]) -> Awaitable[Sequence[R | FieldError | None]]:
        """The service's own answers, in as many calls as `apart` makes of them."""
        if type(self).apart is Loader.apart:
            return self._fetch_together(None, keys)
        return self._fetch_groups(keys)

    async def _fetch_groups(self, keys: Sequence[K]) -> Sequence[R | FieldError | None]:
        groups: dict[Hashable, list[K]] = {}
        for key in keys:
            groups.setdefault(self.apart(key), []).append(key)
        answers = await each(self._fetch_together(*group) for group in groups.items())
        found: dict[K, R | FieldError | None] = {}
        for group, answer in zip(groups.values(), answers, strict=True):
            each_ones = [answer] * len(group) if isinstance(answer, FieldError) else answer
            found.update(zip(group, each_ones, strict=True))
        return [found[key] for key in keys]

    def _fetch_together(
        self, group: Hashable, keys: Sequence[K]
    ) -> Awaitable[Sequence[R | FieldError | None]]:
        """One call, with other requests' keys of the kind where the answer is everybody's. A list
        that fills a call has no room for others."""
        coalescer = self.caller.coalescer
        if self.scope is Scope.SHARED and coalescer is not None and len(keys) < self.max_batch_size:
            return self._share(coalescer, group, keys)
        return self._alone(keys)

    async def _share(
        self, coalescer: Coalescer, group: Hashable, keys: Sequence[K]
    ) -> Sequence[R | FieldError | None]:
        shared = await coalescer.share(self.kind, group, self.caller, keys)
        if shared is None:
            return await self._alone(keys)
        if self._shelf is not None and self._shelf.idle:
            note_declared(self._shelf, self.caller.log)
        return shared

    def _alone(self, keys: Sequence[K]) -> Awaitable[Sequence[R | FieldError | None]]:
        shelf = self._shelf
        return self.fetch(keys) if shelf is None else fetch_and_keep(self, shelf, keys)

    @classmethod
    def _for_others(cls, caller: Caller) -> Keeping:
        """What a call made for several requests fetches with."""
        made = cls(caller)
        return Keeping(made, made._shelf)

    async def _ask(self, keys: Sequence[K]) -> list[R | Exception | None]:
        """Keys nobody asked for yet, in as many calls at once as they need. All are known as asked
        for before anybody else runs: nobody asks for them beside us."""
        size = self.max_batch_size
        if len(keys) <= size:
            return await self._ask_batch(self._noted(keys))
        batches = [self._noted(keys[at : at + size]) for at in range(0, len(keys), size)]
        try:
            parts = await asyncio.gather(*map(self._ask_batch, batches))
        except asyncio.CancelledError:
            # A task cancelled before it began could not give up its batch itself.
            for asked in batches:
                self._give_up(asked)
            raise
        return [answer for part in parts for answer in part]

    def _noted(self, keys: Sequence[K]) -> Asked[K, R]:
        asked: Asked[K, R] = Asked(keys)
        self._asked.update(dict.fromkeys(keys, asked))
        return asked

    async def _ask_batch(self, asked: Asked[K, R]) -> list[R | Exception | None]:
        """As aiodataloader keeps them: the answers, but no failure of the whole call."""
        keys = asked.keys
        try:
            answers = cast("list[R | Exception | None]", await self.batch_load_fn(keys))
            if len(answers) != len(keys):
                raise TypeError(f"{type(self).__name__}: {len(answers)} of {len(keys)} answers")
        except FieldError as error:
            # An answer now: its traceback would hold this frame, and with it itself.
            answers = [error.with_traceback(None)] * len(keys)
            self._forget(asked)
        except BaseException:
            self._give_up(asked)
            raise
        asked.answer(answers)
        return answers

    def _give_up(self, asked: Asked[K, R]) -> None:
        if not asked.is_over:
            self._forget(asked)
            asked.give_up()

    def _forget(self, asked: Asked[K, R]) -> None:
        """Who comes from now on asks anew; somebody may have already."""
        for key in asked.keys:
            if self._asked.get(key) is asked:
                del self._asked[key]

    async def _join(self, keys: Sequence[K]) -> list[R | Exception | None]:
        """New keys leave at once; the others wait for the call that carries them already. What
        was given up by whoever asked is asked for again."""
        found: dict[K, R | Exception | None] = {}
        wanted = keys
        while wanted:
            new, calls, loads = self._parted(wanted)
            # One after the other takes no longer: what others asked for is under way.
            if new:
                found.update(zip(new, await self._ask(new), strict=True))
            await self._earlier(calls, loads, found)
            wanted = [key for key in wanted if key not in found]
        return [found[key] for key in keys]

    def _parted(
        self, keys: Sequence[K]
    ) -> tuple[list[K], dict[K, Asked[K, R]], dict[K, Future[R | None]]]:
        """Keys nobody asked for yet, and what carries the others: not looked up later, for what
        fails in the meantime is forgotten."""
        new: list[K] = []
        calls: dict[K, Asked[K, R]] = {}
        loads: dict[K, Future[R | None]] = {}
        for key in keys:
            if (asked := self._asked.get(key)) is not None:
                calls[key] = asked
            elif (future := self._cache.get(key)) is not None:
                loads[key] = future
            else:
                new.append(key)
        return new, calls, loads

    async def _earlier(
        self,
        calls: dict[K, Asked[K, R]],
        loads: dict[K, Future[R | None]],
        found: dict[K, R | Exception | None],
    ) -> None:
        """Puts into `found` what earlier loads of this exchange answer."""
        for key, asked in calls.items():
            await asked.over()
            if asked.has(key):
                found[key] = asked.of(key)
        if loads:
            # Not awaited one by one: whoever awaits a future takes it along when cancelled.
            await asyncio.wait(loads.values())
        for key, future in loads.items():
            if not future.cancelled():
                found[key] = _answer(future.exception() or future.result())
            elif self._cache.get(key) is future:
                del self._cache[key]

    def _pass_on(self, asked: Asked[K, R], key: K, future: Future[R | None]) -> None:
        """To one who asked in the other way; if the first was given up, the key queues anew."""
        if future.done():
            return
        if not asked.has(key):
            self.do_resolve_reject(key, future)
            return
        answer = asked.of(key)
        if isinstance(answer, Exception):
            self._cache.pop(key, None)
            future.set_exception(answer)
        else:
            future.set_result(answer)


def _record_of(loader: type) -> Any:
    """The record type a loader's class names (`Loader[key, record]`), None if it names none."""
    for base in getattr(loader, "__orig_bases__", ()):
        if issubclass(get_origin(base) or object, Loader):
            record = get_args(base)[1]
            return None if isinstance(record, TypeVar) else record
    return None


async def each(calls: Iterable[Awaitable[R]]) -> list[R | FieldError]:
    """The answers of independent calls, one at least, in their order; one that failed costs its
    own place only. A fault of ours among them is raised."""
    first, *others = calls
    if not others:  # nearly always, and a task for it costs more than all the rest here
        try:
            return [await first]
        except FieldError as error:
            return [error.with_traceback(None)]
    answers = await asyncio.gather(first, *others, return_exceptions=True)
    return [_answer(answer) for answer in answers]


def _answer(answer: R | BaseException) -> R | FieldError:
    if isinstance(answer, BaseException) and not isinstance(answer, FieldError):
        raise answer
    return answer
