"""One loader's kept answers, what is under way for it, and what it learned of its service."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from bff.store.freshness import Freshness
from bff.store.sealed import Form

if TYPE_CHECKING:
    from bff.store.records import RecordCache

R = TypeVar("R")

ABSENT_S = 5.0
"""How long at most "there is none" is kept: it may come to be, and has no tag to drop it by."""


NEVER = float("-inf")
MOST_KINDS = 256
"""Of tags, told apart; a service with more has its answers taken for old by any tag."""


class Stale(NamedTuple, Generic[R]):
    """A last good answer that may stand in place of a failure, and how old it is."""

    record: R
    age_s: float


class Tags:
    """The tags of one call's answers. One that names a key of the call (`kind:key`) is that key's
    alone; one that names a kind alone stands for each of its keys; any other is everybody's."""

    __slots__ = ("_all", "_by_key", "_kinds", "kinds")

    def __init__(self, tags: Iterable[str], keys: Sequence[Hashable]) -> None:
        ids = {id_of(key) for key in keys} - {None}
        self._all: list[str] = []
        self._kinds: list[str] = []
        self._by_key: dict[str, list[str]] = {}
        self.kinds: set[str] = set()
        for tag in tags:
            kind, colon, named = tag.partition(":")
            self.kinds.add(kind)
            if colon and named in ids:
                self._by_key.setdefault(named, []).append(tag)
            elif colon or not ids:
                self._all.append(tag)
            else:
                self._kinds.append(kind)

    def of(self, key: Hashable) -> list[str]:
        """The tags of one key's answer."""
        named = id_of(key)
        if named is None:
            return [*self._all, *self._kinds]
        if not self._all and not self._kinds:
            return self._by_key.get(named, [])
        kinds = [tag for kind in self._kinds for tag in (kind, f"{kind}:{named}")]
        return [*self._all, *kinds, *self._by_key.get(named, ())]


def kind_of(tag: str) -> str:
    """What a tag is about, without which one of them."""
    return tag.partition(":")[0]


def id_of(key: Hashable) -> str | None:
    """The id a key asks by, if it asks by one."""
    found = key if isinstance(key, str) else getattr(key, "item_id", None)
    return found if isinstance(found, str) else None


class Brought(NamedTuple):
    """What one call brought: an answer a key, what its service declared, when it began (the
    cache's clock), and how many bytes it was."""

    keys: Sequence[Hashable]
    answers: Sequence[Any]
    freshness: Freshness
    tags: Tags
    began: float
    size: int


class Entry:
    """One kept answer, None if there is none. It is fresh until `fresh_until`; `usable_until` a
    load is answered from it (while it is asked for anew); `error_until` it may stand in place of a
    failure. `asked_again_at`: not asked for anew before that."""

    __slots__ = (
        "asked_again_at",
        "began",
        "error_until",
        "fresh_until",
        "freshness",
        "key",
        "place",
        "record",
        "shared_at",
        "shelf",
        "size",
        "tags",
        "usable_until",
        "used",
    )

    def __init__(
        self,
        shelf: Shelf,
        key: Hashable,
        record: Any,
        freshness: Freshness,
        began: float,
        fresh_until: float,
    ) -> None:
        self.shelf = shelf
        self.key = key
        self.place: Hashable = key
        self.record = record
        self.freshness = freshness
        self.began = began
        self.fresh_until = fresh_until
        # For a viewer nothing is asked behind his back: his answers have no such time.
        while_revalidate = 0 if shelf.of_viewer else freshness.while_revalidate
        self.usable_until = fresh_until + while_revalidate
        self.error_until = began + freshness.max_age + freshness.if_error
        self.tags: tuple[str, ...] = ()
        self.size = 0
        self.used = False
        self.asked_again_at = 0.0
        # When level two got it; what it had before counts on.
        self.shared_at = NEVER

    @property
    def gone_at(self) -> float:
        """From then on it is of no use."""
        return max(self.usable_until, self.error_until)


@dataclass(frozen=True, eq=False)
class ShelfKind:
    """What is kept on one shelf: the answers of one loader. `record` is their type, as far as it is
    known: only then can they leave this process."""

    name: str
    of_viewer: bool
    record: Any = None

    @cached_property
    def form(self) -> Form | None:
        """How they are written for level two; None for what cannot be."""
        try:
            return Form(self.name, self.record) if self.record is not None else None
        except TypeError:  # no type that could be read back
            return None


class Shelf:
    """`flights` are the calls under way by the places they bring. `declared` is what its service
    last said of an answer: None until it did, False for one that says nothing. `keeps`: whether
    anything is kept at all; `idle`: there is nothing to look up. `tag_kinds` are the stored forms
    of the kinds of tags its answers bore so far."""

    __slots__ = (
        "cache",
        "declared",
        "entries",
        "flights",
        "idle",
        "keeps",
        "kind",
        "of_viewer",
        "tag_kinds",
    )

    def __init__(self, kind: ShelfKind, cache: RecordCache) -> None:
        self.kind = kind
        self.of_viewer = kind.of_viewer
        self.cache = cache
        self.keeps = cache.keeps
        self.entries: dict[Hashable, Entry] = {}
        self.flights: dict[Hashable, Any] = {}
        self.declared: Freshness | bool | None = None
        self.idle = not self.keeps
        self.tag_kinds: set[str] = set()

    def place(self, whose: Hashable, key: Hashable) -> Hashable:
        """Where the answer of a key is kept: a viewer's under who he is, and never elsewhere."""
        if not self.of_viewer:
            return key
        if whose is None:
            raise ValueError("a viewer's answer has no place without the viewer")
        return whose, key

    def learn(self, declared: Freshness | bool) -> None:
        """What its service said of an answer just now. One answer that says nothing takes nothing
        from those that may stand in place of a failure still."""
        self.declared = declared
        self.idle = not self.keeps or (declared is False and not self.entries)

    def may_bear(self, kinds: Collection[str]) -> bool:
        """Whether what is under way may bring an answer with a tag of these kinds (stored forms);
        nobody knows until its service has told of some."""
        return (
            not isinstance(self.declared, Freshness)
            or len(self.tag_kinds) > MOST_KINDS
            or not self.tag_kinds.isdisjoint(kinds)
        )

    @property
    def is_always_asked(self) -> bool:
        """Whether no answer is ever given fresh: each is kept for a bad day alone."""
        declared = self.declared
        if not isinstance(declared, Freshness) or declared.max_age:
            return False
        return self.of_viewer or not declared.while_revalidate

    @property
    def may_wait(self) -> bool:
        """Whether to wait for a call that is under way: its answer will do for some time yet, or
        nobody knows. Where every answer must be new, nobody waits for an older one (DESIGN D2).
        A viewer's own is not waited for on a guess: it might be from before his last write."""
        declared = self.declared
        if isinstance(declared, Freshness):
            return declared.max_age > 0
        return declared is None and not self.of_viewer
