"""The trees of registered documents: as many as a bound in bytes allows, others are parsed anew.

A tree takes twenty times the memory of its text, and only compiling and the generic path read it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from cachetools import LRUCache
from graphql import DocumentNode, parse

from bff.documents.memory import lighten

Read = Callable[[], DocumentNode]


class _Kept(NamedTuple):
    tree: DocumentNode
    held: int


def _held(kept: _Kept) -> int:
    return kept.held


class Trees:
    """The trees read last, at most `max_bytes` of them; one object a platform."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: LRUCache[str, _Kept] = LRUCache(max_bytes, getsizeof=_held)
        self._newest: tuple[str, DocumentNode] | None = None

    @property
    def held(self) -> int:
        """Bytes taken, rather too many than too few; never more than the bound."""
        return int(self._kept.currsize)

    def add(self, hashed: str, text: str, tree: DocumentNode) -> Read:
        """Take the tree of a valid text, whose tokens are gone then; returns how it is read.

        Nobody asked for it yet, so it takes only room that is free. Without room it can be read
        until the next tree comes: whoever is told of the document may want it at once.
        """
        kept = _Kept(tree, lighten(tree))
        self._newest = (hashed, tree)
        if self._kept.currsize + kept.held <= self._kept.maxsize:
            self._kept[hashed] = kept
        return partial(self._read, hashed, text)

    def _read(self, hashed: str, text: str) -> DocumentNode:
        kept = self._kept.get(hashed)
        if kept is not None:
            return kept.tree
        if self._newest is not None and self._newest[0] == hashed:
            return self._newest[1]
        tree = parse(text)
        kept = _Kept(tree, lighten(tree))
        if kept.held <= self._kept.maxsize:
            self._kept[hashed] = kept
        return tree
