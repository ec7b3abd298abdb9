"""Compares an answer by a compiled plan with graphql-core's own over the same upstream answers.

Only compares: data byte for byte, errors as a set, and which keys were asked for. Under an error
the two may differ in what they no longer finish; these are the rules for that:

    equal         the same bytes, the same errors; without errors, the same keys too
    errors_cut    the same bytes; one lists errors the other does not, each strictly below a place
                  that is null on both sides for an error both know of: who fails first in a nulled
                  subtree is a matter of time, and the others may or may not be heard
    inconclusive  nothing can be said: both list errors of that sort that the other does not; or
                  graphql-core asked for a key that has no answer, where the compiled side is null
                  for an error it lists (it may have ended before that key was asked for, or while
                  it was waited for)
    differs       everything else. Without an error on the compiled side, be it one that a fence
                  took out of the answer, nothing was cut short, so that every key more, and every
                  key less, is a difference of its own
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import orjson
from graphql import GraphQLError

from bff.plans.replay import AskedKey, NotRecorded

Outcome = Literal["equal", "errors_cut", "differs", "inconclusive", "dropped", "failed"]
Path: TypeAlias = "tuple[str | int, ...]"

MAX_PATHS = 10
_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """One error as it is compared; `cause` is the class of what was raised."""

    message: str
    path: Path
    locations: tuple[tuple[int, int], ...]
    extensions: str
    code: str | None
    cause: str

    @classmethod
    def of(cls, error: GraphQLError) -> Entry:
        """Memory addresses in words of foreign exceptions differ each time and are left out."""
        cause = error.original_error or error
        code = getattr(cause, "code", None)
        return cls(
            message=_ADDRESS.sub("0x", error.message),
            path=tuple(error.path or ()),
            locations=tuple((at.line, at.column) for at in error.locations or ()),
            extensions=_ADDRESS.sub("0x", repr(error.extensions)),
            code=code if isinstance(code, str) else None,
            cause=type(cause).__name__,
        )


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the two answered, and the keys it asked for. `hidden`: a fence took errors out of
    the answer together with their places."""

    data: Any
    errors: tuple[Entry, ...]
    asked: frozenset[AskedKey]
    missing: frozenset[AskedKey] = frozenset()
    hidden: bool = False

    @property
    def failed(self) -> bool:
        """Whether there was any error: then something may have been cut short."""
        return bool(self.errors) or self.hidden


@dataclass(frozen=True, slots=True)
class Verdict:
    """`reason` tells of what sort a difference is, or why nothing can be said; `paths` where the
    first differences are."""

    outcome: Outcome
    reason: str = ""
    paths: tuple[Path, ...] = ()


def entries(errors: Sequence[GraphQLError]) -> tuple[Entry, ...]:
    return tuple(map(Entry.of, errors))


def judge(compiled: Side, generic: Side) -> Verdict:
    """By the rules above."""
    if generic.missing:
        return _judge_missing(compiled, generic)
    if encoded(compiled.data) != encoded(generic.data):
        return Verdict("differs", "data", _first(differences(compiled.data, generic.data)))
    more, less = _beyond(compiled, generic), _beyond(generic, compiled)
    if more or less:
        return _judge_errors(compiled, generic, more, less)
    if not compiled.failed and compiled.asked != generic.asked:
        return Verdict("differs", "asked for less")
    return Verdict("equal")


def _judge_missing(compiled: Side, generic: Side) -> Verdict:
    unrecorded = [one.path for one in generic.errors if one.cause == NotRecorded.__name__]
    unexplained = [path for path in unrecorded if nulled_by(compiled, path) is None]
    more = generic.missing - compiled.asked
    if unexplained or (more and not compiled.failed):
        return Verdict("differs", "asked for more", _first(unexplained or unrecorded))
    return Verdict("inconclusive", "keys without an answer")


def _judge_errors(compiled: Side, generic: Side, more: list[Entry], less: list[Entry]) -> Verdict:
    if not (_is_cut(more, generic) and _is_cut(less, compiled)):
        return Verdict("differs", "errors", _first(one.path for one in (*more, *less)))
    if more and less:
        return Verdict("inconclusive", "other errors of a nulled subtree")
    return Verdict("errors_cut")


def _beyond(one: Side, other: Side) -> list[Entry]:
    """The errors one lists and the other does not."""
    return list((Counter(one.errors) - Counter(other.errors)).elements())


def _is_cut(extra: Sequence[Entry], other: Side) -> bool:
    """Whether the other side may well not have heard of these errors."""
    heard = {error.path for error in other.errors}
    for error in extra:
        place = nulled_by(other, error.path)
        if place is None or len(place) >= len(error.path) or error.path in heard:
            return False
    return True


def nulled_by(side: Side, path: Path) -> Path | None:
    """The place at or above a path that is null in the answer for an error it lists, if any."""
    place = _first_null(side.data, path)
    if place is None or not any(one.path[: len(place)] == place for one in side.errors):
        return None
    return place


def _first_null(data: Any, path: Path) -> Path | None:
    value = data
    for depth, key in enumerate(path):
        if value is None:
            return path[:depth]
        try:
            value = value[key]
        except (LookupError, TypeError):
            return None
    return path if value is None else None


def encoded(data: Any) -> bytes:
    """The bytes of `data` as an answer has them; of what cannot leave, the reason."""
    try:
        return orjson.dumps(data)
    except TypeError as error:
        return f"not encodable: {error}".encode()


def differences(one: Any, other: Any, path: Path = ()) -> Iterator[Path]:
    """The places where two trees differ, their values' types and their keys' order included."""
    if type(one) is not type(other):
        yield path
    elif isinstance(one, dict):
        if list(one) != list(other):
            yield path
        for key in one:
            if key in other:
                yield from differences(one[key], other[key], (*path, key))
    elif isinstance(one, list):
        if len(one) != len(other):
            yield path
        for index, (left, right) in enumerate(zip(one, other, strict=False)):
            yield from differences(left, right, (*path, index))
    elif encoded(one) != encoded(other):
        yield path


def _first(paths: Any) -> tuple[Path, ...]:
    return tuple(path for path, _ in zip(paths, range(MAX_PATHS), strict=False))
