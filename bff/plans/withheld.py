"""Takes what a fence withholds out of a finished answer, in one way for both paths of execution.

While an operation is executed, a mark stands for each value that is not to be sent: to all others
it is a value like any other, so that errors and their order are those of an execution without a
fence. Once everything is there each mark still in the answer becomes its enum's fallback, or null,
or takes the item of a list with it; errors of what is no longer there go as well. The order in
which values came does not matter.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphql import GraphQLError

from bff.fence import NOTHING_WITHHELD, Withheld

Where: TypeAlias = "tuple[str | int, ...]"


class _Mark:
    """Stands where a value is withheld, until the answer is finished."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "WITHHELD"


WITHHELD = _Mark()


class Note(NamedTuple):
    """That a mark was left at a `place`. `path` makes a path of that; `nullable` tells of each part
    of the path, the last one first, whether null may stand there. `instead` is the member that is
    sent in place of the mark, if one is."""

    place: Any
    path: Callable[[Any], list[str | int]]
    nullable: Callable[[Any], Iterable[bool]]
    instead: str | None


def settled(
    data: dict[str, Any] | None, errors: Sequence[GraphQLError], notes: Sequence[Note]
) -> tuple[dict[str, Any] | None, Sequence[GraphQLError], Withheld]:
    """The answer without marks, the errors that still belong to it, with the places they have in
    it, and what was withheld. `data` is changed."""
    if data is None or not notes:
        return data, errors, NOTHING_WITHHELD
    return _Settling(data, notes).done(errors)


@dataclass(slots=True)
class _Settling:
    data: dict[str, Any]
    notes: Sequence[Note]
    replaced: dict[Where, str] = field(default_factory=dict)
    nulled: set[Where] = field(default_factory=set)
    dropped: set[Where] = field(default_factory=set)

    def done(
        self, errors: Sequence[GraphQLError]
    ) -> tuple[dict[str, Any] | None, Sequence[GraphQLError], Withheld]:
        for note in self.notes:
            self._take_down(note)
        self._leave_the_highest()
        counts = Withheld(len(self.replaced), len(self.nulled), len(self.dropped))
        if () in self.nulled:
            return None, [], counts
        gone, lists = self.nulled | self.dropped, self._change()
        told = (_moved(one, gone, lists) for one in errors)
        return self.data, [one for one in told if one is not None], counts

    def _take_down(self, note: Note) -> None:
        """What becomes of one mark, if an error has not taken it out of the answer."""
        where = tuple(note.path(note.place))
        above = _container(self.data, where)
        if above is None or above[where[-1]] is not WITHHELD:
            return
        if note.instead is not None:
            self.replaced[where] = note.instead
            return
        for nullable in note.nullable(note.place):
            if nullable:
                break
            if isinstance(where[-1], int):
                self.dropped.add(where)
                return
            where = where[:-1]
        self.nulled.add(where)

    def _leave_the_highest(self) -> None:
        """Of a place below another that goes nothing is seen."""
        gone = self.nulled | self.dropped
        self.nulled = {one for one in self.nulled if not _is_below(one, gone)}
        self.dropped = {one for one in self.dropped if not _is_below(one, gone)}
        if gone:
            kept = [one for one in self.replaced if not _is_below(one, gone)]
            self.replaced = {one: self.replaced[one] for one in kept}

    def _change(self) -> dict[Where, list[int]]:
        """Changes the data; returns the indexes that were dropped from each list."""
        for where, member in self.replaced.items():
            _container(self.data, where)[where[-1]] = member
        for where in self.nulled:
            _container(self.data, where)[where[-1]] = None
        lists: dict[Where, list[int]] = {}
        for where in sorted(self.dropped, key=lambda one: one[-1]):
            lists.setdefault(where[:-1], []).append(int(where[-1]))
        # All are found before any changes: paths are those from before.
        found = [(_container(self.data, (*where, 0)), set(lists[where])) for where in lists]
        for items, indexes in found:
            items[:] = [one for index, one in enumerate(items) if index not in indexes]
        return lists


def _container(data: Any, where: Where) -> Any:
    """The object or list that holds the value at a path; None where that is gone."""
    for key in where[:-1]:
        if data is None:
            return None
        data = data[key]
    return data


def _is_below(where: Where, gone: Iterable[Where]) -> bool:
    return any(where[:length] in gone for length in range(len(where)))


def _moved(
    error: GraphQLError, gone: set[Where], lists: Mapping[Where, list[int]]
) -> GraphQLError | None:
    """An error with its path in the answer that is sent; None where that path is gone."""
    path = tuple(error.path or ())
    if path in gone or _is_below(path, gone):
        return None
    now = tuple(
        key - bisect_left(lists.get(path[:depth], ()), key) if isinstance(key, int) else key
        for depth, key in enumerate(path)
    )
    if now == path:
        return error
    # Another error: the one raised may stand in other places, or in other answers, too.
    return GraphQLError(
        error.message,
        error.nodes,
        error.source,
        error.positions,
        list(now),
        error.original_error,
        error.extensions,
    )
