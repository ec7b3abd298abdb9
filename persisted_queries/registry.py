"""Reads one platform's registry: follows its log, hands out verified objects, remembers the last
good state. Writing is `publish.py`.

A registry that fails costs what is new in it, never what is known: the last good state stays, and
`problems` say why it is not newer. An older history than was seen once is refused (the head that
was reached is remembered, beyond a restart where there is a cache).
"""

from __future__ import annotations

import threading
from pathlib import Path

from persisted_queries.cache import Cache, Head
from persisted_queries.catalogue import Catalogue
from persisted_queries.log import entry_path, follow
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import RegistryState
from persisted_queries.objects import Objects, hash_of
from persisted_queries.problem import ForkedError, Problem, RegistryError
from persisted_queries.signing import PublicKeys
from persisted_queries.store import Store

READ_AHEAD = 64
# So many refreshes that found nothing new pass between two looks at whether the log still ends
# where it did; one that found it wrong looks each time.
LOOK_BACK_EVERY = 10


class Registry:
    """One platform's registry as this process knows it. `refresh` may run in a thread beside
    readers of `state`; it must not run twice at once with `manifest` and `document`."""

    def __init__(self, store: Store, platform: str, keys: PublicKeys, cache: Cache) -> None:
        self.store = store
        self.platform = platform
        self.state = self._tip = RegistryState(platform)
        self.objects = Objects(store, cache)
        self.catalogue = Catalogue(self.objects)
        self.passed_over = 0  # entries of the log that were not understood
        self.failure: RegistryError | None = None
        self._where = ""
        self._keys = keys
        self._cache = cache
        self._remembered = cache.head(platform) or Head(0, "")
        self._quiet = 0
        self._lock = threading.Lock()

    @classmethod
    def open(
        cls,
        url: str | Path | Store,
        platform: str,
        keys: PublicKeys,
        cache_dir: Path | None = None,
    ) -> Registry:
        """The registry at `url` (a folder's path, file://, s3://, gs:// or az://) as it is now, or,
        with a store that is gone, as the cache has it. `keys`: `signing.read_public_keys`.

        Raises StoreUrlError; nothing for a store that fails (see `problems`).
        """
        store = url if isinstance(url, Store) else Store.of(url)
        found = cls(store, platform, keys, Cache(cache_dir))
        found._recall()
        found.refresh()
        return found

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Why the log is not followed to its end at the moment."""
        failure = self.failure
        if failure is None:
            return ()
        return (Problem(failure.kind, self._where, str(failure)),)

    def refresh(self) -> bool:
        """Follow the log; whether the state changed. Never raises: see `problems`."""
        with self._lock:
            before = self.state
            try:
                self._follow()
                self.failure = None
            except RegistryError as error:
                self.failure = error
            return self.state is not before

    def must_be_current(self) -> None:
        """For writers, who may not build on what is old. Raises RegistryError."""
        if self.failure is not None:
            raise self.failure

    def manifest(self, hashed: str) -> tuple[ManifestOperation, ...]:
        """Every operation of a manifest, with its text. Raises RegistryError."""
        found = list(self.catalogue.read(self.catalogue.sent_by(hashed)))
        for _, one in found:
            if isinstance(one, RegistryError):
                raise one
        return tuple(one for _, one in sorted(found, key=_place) if not isinstance(one, Exception))

    def document(self, hashed: str) -> str:
        """The text of a document. Raises RegistryError."""
        return self.objects.get("documents", hashed).decode()

    def schema(self, hashed: str) -> str:
        """The text of a schema. Raises RegistryError."""
        return self.objects.get("schemas", hashed).decode()

    def _recall(self) -> None:
        """What the cache holds of the log, verified anew, as far as it goes."""
        while (raw := self._cache.get(self._path(self.state.number + 1))) is not None:
            try:
                self.state = self._after(self.state, raw)
            except RegistryError:
                return  # the store may have it whole

    def _follow(self) -> None:
        """On the way to the head that was seen before nothing is believed yet: the store may have
        been put back, or may tell another history."""
        tip, believed, ahead = self.state, self.state, 1
        unbelieved: list[tuple[str, bytes]] = []
        while True:
            wanted = map(self._path, range(tip.number + 1, tip.number + 1 + ahead))
            for path, raw in self.store.get_many(wanted):
                self._where = path
                if isinstance(raw, RegistryError):
                    raise raw
                if raw is None:
                    self._look_back(tip, changed=tip is not believed)
                    return
                tip = self._after(tip, raw)
                unbelieved.append((path, raw))
                if tip.number >= self._remembered.number:
                    self._believe(tip, unbelieved)
            ahead = min(2 * ahead, READ_AHEAD)

    def _after(self, tip: RegistryState, raw: bytes) -> RegistryState:
        followed = follow(tip, raw, self._keys)
        head = Head(followed.state.number, followed.state.head)
        if head.number == self._remembered.number and head != self._remembered:
            raise self._older(tip, f"entry {head.number} is another one now")
        self.passed_over += followed.passed_over is not None
        return followed.state

    def _believe(self, tip: RegistryState, entries: list[tuple[str, bytes]]) -> None:
        for path, raw in entries:
            self._cache.put(path, raw)
        entries.clear()
        head = Head(tip.number, tip.head)
        if head.number > self._remembered.number:
            self._cache.remember(self.platform, head)
            self._remembered = head
        self.state = tip

    def _look_back(self, tip: RegistryState, *, changed: bool) -> None:
        """The log has no further entry. That may be because the store was put back to an older
        one, or was emptied."""
        if tip.number < self._remembered.number:
            raise self._older(tip, f"ends with entry {tip.number}")
        self._quiet = 0 if changed else self._quiet + 1
        if tip.number == 0 or (self.failure is None and self._quiet % LOOK_BACK_EVERY != 1):
            return
        self._where = self._path(tip.number)
        raw = self.store.get(self._where)
        if raw is None:
            raise self._older(tip, f"entry {tip.number} is gone")
        if hash_of(raw) != tip.head:
            raise self._older(tip, f"entry {tip.number} is another one now")

    def _older(self, tip: RegistryState, what: str) -> ForkedError:
        return ForkedError(
            f"{self.store.name}: the log of {self.platform}: {what}, but it was seen up to entry "
            f"{max(tip.number, self._remembered.number)}; restore the longer log. What was seen "
            "goes on being served"
        )

    def _path(self, number: int) -> str:
        return entry_path(self.platform, number)


def _place(found: tuple[int, object]) -> int:
    return found[0]
