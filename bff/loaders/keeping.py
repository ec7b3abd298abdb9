"""What a loader's own calls bring, and what their services allow to be kept of it."""

from __future__ import annotations

from collections.abc import Awaitable, Hashable, Sequence
from typing import Any, ClassVar, Protocol

from bff.store.freshness import Freshness
from bff.store.shelf import Brought, Shelf, Tags
from bff.upstreams.call_log import CallLog
from bff.upstreams.calls import Caller
from bff.upstreams.hearing import HEARD, Heard, declared, size_of, tags_of
from bff.upstreams.method import Method

UNDECLARED: Heard = [None]


class Asking(Protocol):
    """What is needed of a loader."""

    method: ClassVar[Method[Any]]

    @property
    def caller(self) -> Caller: ...
    def fetch(self, keys: Any) -> Awaitable[Sequence[Any]]: ...
    def fetch_apart(self, keys: Any) -> Awaitable[Sequence[Any]]: ...


class Keeping:
    """A loader that keeps what it fetches for others, as a shared call needs it."""

    __slots__ = ("_loader", "_shelf")

    def __init__(self, loader: Asking, shelf: Shelf | None) -> None:
        self._loader = loader
        self._shelf = shelf

    def fetch(self, keys: Any) -> Awaitable[Sequence[Any]]:
        if self._shelf is None:
            return self._loader.fetch(keys)
        return fetch_and_keep(self._loader, self._shelf, keys)


async def fetch_and_keep(loader: Asking, shelf: Shelf, keys: Sequence[Any]) -> Sequence[Any]:
    """`fetch`, and what the service allows to be kept is kept."""
    heard: Heard = []
    began = shelf.cache.clock()
    HEARD.set(heard)
    try:
        answers = await loader.fetch(keys)
    finally:
        HEARD.set(None)
    if heard == UNDECLARED:  # this way must cost next to nothing
        if not shelf.idle:
            shelf.learn(False)
        loader.caller.log.undeclared = True
    elif heard:
        shelf.learn(declared(heard))
        said = shelf.declared
        if shelf.keeps and isinstance(said, Freshness) and said.longest:
            tags = Tags(tags_of(heard), keys)
            _keep(loader, shelf, Brought(keys, answers, said, tags, began, size_of(heard)))
        if shelf.idle:
            note_declared(shelf, loader.caller.log)
    return answers


def _keep(loader: Asking, shelf: Shelf, brought: Brought) -> None:
    cache = shelf.cache
    kept = cache.keep(shelf, loader.caller.viewer, whose(loader, shelf), brought)
    if kept and cache.second is not None:
        cache.second.keep(kept)


def whose(loader: Asking, shelf: Shelf) -> Hashable:
    """All that a service is told of a viewer, and so all that its answer may depend on: account,
    session, revocation epoch, device, scopes, and the app's release. None for shared answers."""
    caller = loader.caller
    if not shelf.of_viewer or caller.viewer is None:
        return None
    return caller.viewer, caller.client.release


def note_declared(shelf: Shelf, call_log: CallLog) -> None:
    """Tells an exchange how long what a service has just answered stays so."""
    said = shelf.declared
    if isinstance(said, Freshness):
        call_log.told(said, float(said.max_age))
    else:
        call_log.undeclared = True
