"""Compares what is said of a thing without changing it: its description and its deprecation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from persisted_queries.changes.model import Change, Kind, Verdict


class Described(Protocol):
    """Anything with a description."""

    @property
    def description(self) -> str | None: ...


class Deprecable(Described, Protocol):
    """What may be deprecated too: a field, an argument, an input field, an enum member."""

    @property
    def deprecation_reason(self) -> str | None: ...


def described(coordinate: str, old: Described, new: Described) -> Iterator[Change]:
    """A change of the description, if there is one. An empty one is none."""
    before, after = old.description or "", new.description or ""
    if before == after:
        return
    what = "was added" if not before else "was removed" if not after else "changed"
    told = f"description of {coordinate} {what}"
    yield Change(Kind.DESCRIPTION_CHANGED, coordinate, told, Verdict.SAFE)


def notes(coordinate: str, old: Deprecable, new: Deprecable) -> Iterator[Change]:
    """Changes of description and deprecation."""
    yield from described(coordinate, old, new)
    before, after = old.deprecation_reason, new.deprecation_reason
    if before == after:
        return
    if before is None:
        kind, told = Kind.DEPRECATED, f"{coordinate} is deprecated: {after}"
    elif after is None:
        kind, told = Kind.UNDEPRECATED, f"{coordinate} is no longer deprecated"
    else:
        kind, told = Kind.DEPRECATION_REASON_CHANGED, f"{coordinate} is deprecated now for: {after}"
    yield Change(kind, coordinate, told, Verdict.SAFE)
