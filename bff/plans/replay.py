"""Records what the loaders answered in one request, and lets a second execution run on that alone.

A recording keeps who asked, without the token, and the answers. What the second execution
asks beyond them is noted and fails there: no call is ever made for it. Judging is `verdict.py`'s.
"""

from __future__ import annotations

import copy
from asyncio import Future
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol, TypeAlias, TypeVar, cast

from aiodataloader import DataLoader
from msgspec.structs import replace

from bff.context import Context, U
from bff.loaders.base import Loader
from bff.request import Arrival, Deadline, Viewer
from bff.upstreams.calls import Caller

K = TypeVar("K")
R = TypeVar("R")

# Which loader, and which of its keys.
AskedKey: TypeAlias = "tuple[type, Any]"


class NotRecorded(Exception):
    """The request that is replayed never asked for this."""


class _AnyLoader(Protocol):
    def load(self, key: Any) -> Future[Any]: ...
    def load_all(self, keys: Sequence[Any]) -> Awaitable[list[Any]]: ...
    def stale_of(self, keys: Sequence[Any]) -> Sequence[Any]: ...


@dataclass(slots=True)
class Recording:
    """Who asked, with how many seconds `left`, and what the loaders answered. `unfit` says why it
    cannot be replayed, if it cannot. The request's own context is not kept."""

    arrival: Arrival
    viewer: Viewer | None
    left: float
    asked: set[AskedKey] = field(default_factory=set)
    answers: dict[AskedKey, Any] = field(default_factory=dict)
    unfit: str | None = None

    @classmethod
    def of(cls, context: Context) -> Recording:
        """The beginning of a recording: nothing was asked for yet."""
        arrival = replace(context.arrival, authorization=None)  # the token ends here
        return cls(arrival, context.viewer, context.remaining())

    def add(self, kind: type, key: Any, answer: Any) -> None:
        """One key's record, None, or its error. A call that failed may be made again and end
        otherwise: which of the two answers a field was given can then not be told."""
        if isinstance(answer, Exception):
            answer = fresh(answer)
        known = self.answers.setdefault((kind, key), answer)
        if known is not answer and not _alike(known, answer):
            self.unfit = "one key had two answers"


class RecordingContext(Context):
    """A request's own context, whose loaders' answers are noted on their way."""

    __slots__ = ("recording",)

    def __init__(self, context: Context, recording: Recording) -> None:
        super().__init__(context.arrival, context._caller, context._revoke, context._attempt)
        self._loaders = context._loaders  # the operations of a JSON array share them
        self.recording = recording

    def loader(self, kind: type[Loader[K, R]]) -> Loader[K, R]:
        loader = _RecordingLoader(super().loader(kind), kind, self.recording)
        return cast("Loader[K, R]", loader)

    def upstream(self, kind: type[U]) -> U:
        self.recording.unfit = "a service was called directly"
        return super().upstream(kind)

    def epoch_moved(self, account_id: str, epoch: int) -> None:
        self.recording.unfit = "a sign-out"
        super().epoch_moved(account_id, epoch)


class _RecordingLoader:
    """Both ways of a loader; whoever takes a third makes the recording unfit."""

    __slots__ = ("_kind", "_loader", "_recording")

    def __init__(self, loader: _AnyLoader, kind: type, recording: Recording) -> None:
        self._loader = loader
        self._kind = kind
        self._recording = recording

    def load(self, key: Any) -> Future[Any]:
        future = self._loader.load(key)
        self._recording.asked.add((self._kind, key))
        future.add_done_callback(partial(self._answered, key))
        return future

    async def load_all(self, keys: Sequence[Any]) -> list[Any]:
        kind, recording = self._kind, self._recording
        recording.asked.update((kind, key) for key in keys)
        try:
            answers = await self._loader.load_all(keys)
        except Exception as error:
            for key in keys:
                recording.add(kind, key, error)
            raise
        for key, answer in zip(keys, answers, strict=True):
            recording.add(kind, key, answer)
        return answers

    def stale_of(self, keys: Sequence[Any]) -> Sequence[Any]:
        """A last good answer depends on when it is asked for: with one nothing can be replayed."""
        found = self._loader.stale_of(keys)
        if any(one is not None for one in found):
            self._recording.unfit = "an old record was shown"
        return found

    def _answered(self, key: Any, future: Future[Any]) -> None:
        if not future.cancelled():
            self._recording.add(self._kind, key, future.exception() or future.result())

    def __getattr__(self, name: str) -> Any:
        self._recording.unfit = f"a loader's {name}"
        return getattr(self._loader, name)


class ReplayContext(Context):
    """The context of the second execution: the same viewer with as much time as the first had, and
    the recorded answers. `missing` are keys without one; `unfit` as in a recording."""

    __slots__ = ("answers", "asked", "missing", "unfit")

    def __init__(self, recording: Recording) -> None:
        deadline = Deadline.after_ms(recording.left * 1000)
        nobody = cast("Caller", _NoCaller(recording.viewer, self._give_up))
        super().__init__(replace(recording.arrival, deadline=deadline), nobody, self._signed_out)
        self.answers = recording.answers
        self.asked: set[AskedKey] = set()
        self.missing: set[AskedKey] = set()
        self.unfit: str | None = None

    def loader(self, kind: type[Loader[K, R]]) -> Loader[K, R]:
        found = self._loaders.get(kind)
        if found is None:
            found = self._loaders[kind] = cast("Loader[Any, Any]", _ReplayLoader(kind, self))
        return found

    def load(self, kind: type[Loader[K, R]], key: K) -> Future[R | None]:
        return _unheard(super().load(kind, key))

    def answer(self, kind: type, key: Any) -> Any:
        """What was recorded; an error in an instance of its own, for raising it leaves traces."""
        asked = (kind, key)
        if asked not in self.answers:
            self.missing.add(asked)
            return NotRecorded(f"{kind.__name__} was not asked for this key")
        found = self.answers[asked]
        return fresh(found) if isinstance(found, Exception) else found

    def _give_up(self, reason: str) -> None:
        self.unfit = reason

    def _signed_out(self, _account_id: str, _epoch: int) -> None:
        self.unfit = "a sign-out"


class _ReplayLoader(DataLoader[Any, Any]):
    """Batches, waiters and refused keys as in every loader; only the call is the recording's."""

    def __init__(self, kind: type, replay: ReplayContext) -> None:
        super().__init__()
        self._kind = kind
        self._replay = replay

    def load(self, key: Any) -> Future[Any]:
        future: Future[Any] = super().load(key)
        self._replay.asked.add((self._kind, key))
        return _unheard(future)

    async def batch_load_fn(self, keys: list[Any]) -> list[Any]:
        return [self._replay.answer(self._kind, key) for key in keys]

    async def load_all(self, keys: Sequence[Any]) -> list[Any]:
        self._replay.asked.update((self._kind, key) for key in keys)
        return await self.batch_load_fn(list(keys))

    def stale_of(self, keys: Sequence[Any]) -> list[None]:
        return [None] * len(keys)


class _NoCaller:
    """Stands where calls would be made: knows the viewer, and gives the replay up otherwise."""

    def __init__(self, viewer: Viewer | None, give_up: Any) -> None:
        self.viewer = viewer
        self._give_up = give_up

    def __getattr__(self, name: str) -> Any:
        self._give_up(f"a caller's {name}")
        raise NotRecorded(f"a replay makes no calls: {name}")


def _unheard(future: Future[R]) -> Future[R]:
    """Whoever waits may be gone when it ends: an error nobody hears is no news for the log."""
    future.add_done_callback(lambda done: done.cancelled() or done.exception())
    return future


def fresh(error: Exception) -> Exception:
    """The same error without where it was raised, which would keep a request's frames alive."""
    try:
        return copy.copy(error)
    except Exception:
        return error  # it cannot be made anew from what it was made of


def _alike(one: Any, other: Any) -> bool:
    if isinstance(one, Exception):
        return type(one) is type(other) and vars(one) == vars(other) and one.args == other.args
    return bool(one == other)
