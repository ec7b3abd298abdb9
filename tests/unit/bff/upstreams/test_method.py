"""Salvage: what no record can hold is left out of lists, and only there."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from bff.contract import Scope
from bff.upstreams.method import Answer, Method, Record, salvage


class Cat(Record, frozen=True, tag_field="kind", tag="cat"):
    name: str


class Dog(Record, frozen=True, tag_field="kind", tag="dog"):
    name: str


class Shelf(Record, frozen=True):
    label: str
    pets: list[Cat | Dog]


class PetsAnswer(Answer, frozen=True):
    pets: list[Cat | Dog]
    total: int


class ShelvesAnswer(Answer, frozen=True):
    shelves: list[Shelf]


class OneAnswer(Answer, frozen=True):
    pet: Cat | Dog


PETS = Method("zoo", "pets", "GET", "/pets", Scope.SHARED, PetsAnswer)
SHELVES = Method("zoo", "shelves", "GET", "/shelves", Scope.SHARED, ShelvesAnswer)
ONE = Method("zoo", "one", "GET", "/one", Scope.SHARED, OneAnswer)

CAT, DOG, CROW = ({"kind": kind, "name": kind} for kind in ("cat", "dog", "crow"))


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def test_unknown_kind_is_left_out() -> None:
    """A kind this gateway does not know costs its own place, in order, and is counted."""
    body = encoded({"pets": [DOG, CROW, CAT, CROW], "total": 4})
    answer, dropped = salvage(PETS, body)
    assert (answer.pets, dropped) == ([Dog("dog"), Cat("cat")], 2)
    assert answer.total == 4


@pytest.mark.parametrize("broken", [{"kind": "cat"}, {"name": "x"}, 5, None, {"kind": 1}, []])
def test_broken_member_is_left_out(broken: Any) -> None:
    """A member with a field missing, or of another shape, is left out like an unknown kind."""
    answer, dropped = salvage(PETS, encoded({"pets": [CAT, broken], "total": 2}))
    assert (answer.pets, dropped) == ([Cat("cat")], 1)


def test_deepest_list_loses_the_member() -> None:
    """A list inside a member loses its unknown entry; the member itself stays."""
    shelves = [{"label": "a", "pets": [CROW, CAT]}, {"label": "b", "pets": []}]
    answer, dropped = salvage(SHELVES, encoded({"shelves": shelves}))
    assert answer.shelves == [Shelf("a", [Cat("cat")]), Shelf("b", [])]
    assert dropped == 1


def test_unfit_parent_takes_its_members_along() -> None:
    """A member that does not fit for its own reasons counts once, whatever it holds."""
    shelves = [{"pets": [CROW, CAT]}, {"label": "b", "pets": [CROW]}]
    answer, dropped = salvage(SHELVES, encoded({"shelves": shelves}))
    assert answer.shelves == [Shelf("b", [])]
    assert dropped == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"pets": [CAT]},
        {"pets": [CAT], "total": "many"},
        {"pets": {"0": CAT}, "total": 1},
        {"pets": None, "total": 1},
        [CAT],
        None,
        "pets",
    ],
)
def test_wrong_top_level_is_refused(wrong: Any) -> None:
    """Only lists are mended: a wrong field beside them makes the whole answer unreadable."""
    with pytest.raises(msgspec.ValidationError):
        salvage(PETS, encoded(wrong))


def test_single_value_is_not_left_out() -> None:
    """An unknown kind outside a list leaves nothing to serve."""
    with pytest.raises(msgspec.ValidationError):
        salvage(ONE, encoded({"pet": CROW}))


@pytest.mark.parametrize("body", [b"", b"{", b"<html>", b'{"pets": [\xff]}'])
def test_no_json_is_refused(body: bytes) -> None:
    """What is not JSON raises what callers catch."""
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        salvage(PETS, body)
