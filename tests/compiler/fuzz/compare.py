"""When two answers are the same, and which one difference between errors is allowed.

Data is always equal, to the type of every value and the order of keys. Where nothing is awaited the
errors are equal too, in order. Where something is, failures race, and this may differ:

An error belongs to the *place* that is null in the data because of it: the shortest part of its
path at which the data is null. At each place both executors tell errors, and they tell the same
ones, or, where several failures met at the place or below it, each may tell a part of them. No
more than one of them is the place's own. Their order is free. Where the compiled plan tells one
that graphql-core does not, the fuzz asks whether it is among all failures there are: those that
graphql-core tells of the same operation when errors null nothing but their own field.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from enum import Enum
from typing import Any

from tests.compiler.answers import Answer, Path, Told

# Of errors that a resolver raised with a path of its own.
ELSEWHERE: Path = ("elsewhere",)


class Verdict(Enum):
    """`EQUAL` up to the last word; the next four are allowed where something was awaited."""

    EQUAL = "equal"
    ORDER = "errors in another order"
    FEWER = "fewer of several errors that null one place"
    MORE = "more of several errors that null one place"
    OTHER = "another of several errors that null one place"
    DATA = "DIFFERENT DATA"
    ERRORS = "DIFFERENT ERRORS"
    MANNER = "awaited, or failed as a whole, unlike graphql-core"

    @property
    def allowed(self) -> bool:
        return self not in (Verdict.DATA, Verdict.ERRORS, Verdict.MANNER)

    @property
    def is_to_be_proven(self) -> bool:
        """Whether the compiled plan told an error that graphql-core did not."""
        return self in (Verdict.MORE, Verdict.OTHER)


def compare(core: Answer, compiled: Answer) -> Verdict:
    """Judge an answer by graphql-core's to the same."""
    if (core.raised, core.waited) != (compiled.raised, compiled.waited):
        return Verdict.MANNER
    if core.typed != compiled.typed:
        return Verdict.DATA
    if core.errors == compiled.errors:
        return Verdict.EQUAL
    if not core.waited:
        return Verdict.ERRORS
    return _compare_places(core, compiled)


def _compare_places(core: Answer, compiled: Answer) -> Verdict:
    expected, found = _by_place(core), _by_place(compiled)
    if expected.keys() != found.keys():
        return Verdict.ERRORS
    verdicts = {_compare_errors(place, expected[place], found[place]) for place in expected}
    for verdict in (Verdict.ERRORS, Verdict.OTHER, Verdict.MORE, Verdict.FEWER):
        if verdict in verdicts:
            return verdict
    return Verdict.ORDER


def _compare_errors(place: Path, expected: Counter[Told], found: Counter[Told]) -> Verdict:
    if expected == found:
        return Verdict.ORDER
    if not (expected and found) and place != ELSEWHERE:
        return Verdict.ERRORS
    if max(_own(place, expected), _own(place, found)) > 1:
        return Verdict.ERRORS
    if found < expected:
        return Verdict.FEWER
    return Verdict.MORE if expected < found else Verdict.OTHER


def _own(place: Path, errors: Counter[Told]) -> int:
    """How many errors are those of the place itself, and not of something below it."""
    return sum(times for error, times in errors.items() if len(error.path) == len(place))


def _by_place(answer: Answer) -> dict[Path, Counter[Told]]:
    places = defaultdict[Path, Counter[Told]](Counter, {ELSEWHERE: Counter()})
    for error in answer.errors:
        places[_nulled(answer.data, error.path)][error] += 1
    return dict(places)


def _nulled(data: Any, path: Path) -> Path:
    """The shortest part of a path at which the data is null."""
    for length, key in enumerate(_and_end(path)):
        if data is None:
            return path[:length]
        if key is None:
            break
        if isinstance(data, dict) and key not in data:
            return ELSEWHERE
        data = data[key]
    raise AssertionError(f"the error at {path} nulls nothing")


def _and_end(path: Path) -> Iterable[str | int | None]:
    yield from path
    yield None
