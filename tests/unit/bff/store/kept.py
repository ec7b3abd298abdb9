"""A cache under a clock of the test's own, and what calls bring to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from bff.request import Viewer
from bff.store.freshness import Freshness, read_freshness
from bff.store.records import RecordCache
from bff.store.shelf import Brought, Entry, Shelf, ShelfKind, Tags

ITEMS = ShelfKind("items", of_viewer=False, record=str)
OWN = ShelfKind("own", of_viewer=True, record=str)


class Clock:
    """Seconds, moved by hand."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


class Counted:
    """What the cache told its metrics."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def seen(self, level: str, outcome: str, count: int = 1) -> None:
        self.counts[f"{level}.{outcome}"] += count

    def refused(self, reason: str) -> None:
        self.counts[f"refused.{reason}"] += 1

    def refreshed(self, outcome: str) -> None:
        self.counts[f"refreshed.{outcome}"] += 1

    def evicted(self) -> None:
        self.counts["evicted"] += 1

    def dropped(self, count: int) -> None:
        self.counts["dropped"] += count


class World:
    """One process's cache."""

    def __init__(
        self, max_memory: int = 1_000_000, jitter: float = 0.0, dice: Callable[[], float] = float
    ) -> None:
        self.clock = Clock()
        self.counted = Counted()
        self.cache = RecordCache(
            max_memory, self.counted, jitter=jitter, clock=self.clock, dice=dice
        )

    def shelf(self, kind: ShelfKind = ITEMS) -> Shelf:
        return self.cache.shelf(kind)

    def keep(
        self,
        answers: Mapping[str, Any],
        declared: str = "public, max-age=60",
        tags: tuple[str, ...] = (),
        viewer: Viewer | None = None,
        **more: Any,
    ) -> list[Entry]:
        """Keep what a call brought; `began` and `size` may be given."""
        freshness = read_freshness(declared)
        assert isinstance(freshness, Freshness)
        keys = list(answers)
        brought = Brought(
            keys,
            list(answers.values()),
            freshness,
            Tags(tags, keys),
            more.get("began", self.clock.now),
            more.get("size", 10),
        )
        kind = ITEMS if viewer is None else OWN
        return self.cache.keep(self.shelf(kind), viewer, viewer, brought)

    def kept(self, viewer: Viewer | None = None) -> dict[Any, Any]:
        """The records on a shelf by their places, whatever their age."""
        shelf = self.shelf(ITEMS if viewer is None else OWN)
        return {place: entry.record for place, entry in shelf.entries.items()}


def viewer(account: str = "acc_1", epoch: int = 1, session: str = "s1") -> Viewer:
    return Viewer(account, "device-1", session, epoch, ("app",))
