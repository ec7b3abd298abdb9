"""The comparison of two answers: what is equal, what time may change, and what is a difference."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from graphql import GraphQLError

from bff.errors import NotFound
from bff.plans.replay import NotRecorded
from bff.plans.verdict import Entry, Path, Side, Verdict, differences, entries, judge


def entry(*path: str | int, message: str = "failed", cause: str = "NotFound") -> Entry:
    return Entry(message, path, ((1, 1),), "{}", "NOT_FOUND", cause)


def side(data: Any, *errors: Entry, asked: str = "ab", missing: str = "") -> Side:
    return Side(
        data,
        errors,
        frozenset((object, key) for key in asked),
        frozenset((object, key) for key in missing),
    )


NULLED = {"a": None, "b": 1}
UNRECORDED = NotRecorded.__name__


@pytest.mark.parametrize(
    ("compiled", "generic", "expected"),
    [
        (side({"a": 1}), side({"a": 1}), Verdict("equal")),
        (side({"a": 1}), side({"a": 1.0}), Verdict("differs", "data", (("a",),))),
        (side({"a": 1}), side({"a": True}), Verdict("differs", "data", (("a",),))),
        (side({"a": 1, "b": 2}), side({"b": 2, "a": 1}), Verdict("differs", "data", ((),))),
        (side({"a": [1]}), side({"a": [1, 2]}), Verdict("differs", "data", (("a",),))),
        (side(None), side({"a": 1}), Verdict("differs", "data", ((),))),
        (side({"a": {1, 2}}), side({"a": {1, 2}}), Verdict("equal")),
        # Errors: in any order, but all of them.
        (
            side(NULLED, entry("a"), entry("b")),
            side(NULLED, entry("b"), entry("a")),
            Verdict("equal"),
        ),
        (side(NULLED), side(NULLED, entry("a")), Verdict("differs", "errors", (("a",),))),
        (side(NULLED, entry("a")), side(NULLED), Verdict("differs", "errors", (("a",),))),
        (
            side(NULLED, entry("a"), entry("a")),
            side(NULLED, entry("a")),
            Verdict("differs", "errors", (("a",),)),
        ),
        (
            side(NULLED, entry("a", message="other")),
            side(NULLED, entry("a")),
            Verdict("differs", "errors", (("a",), ("a",))),
        ),
        # What time may change below a place that an error nulled.
        (
            side(NULLED, entry("a", "x"), entry("a", "y")),
            side(NULLED, entry("a", "y")),
            Verdict("errors_cut"),
        ),
        (
            side(NULLED, entry("a", 0, "y")),
            side(NULLED, entry("a", "x"), entry("a", 0, "y")),
            Verdict("errors_cut"),
        ),
        (side(None, entry("a")), side(None, entry("a"), entry("b")), Verdict("errors_cut")),
        (
            side(NULLED, entry("a", "x")),
            side(NULLED, entry("a", "y")),
            Verdict("inconclusive", "other errors of a nulled subtree"),
        ),
        # And what it may not.
        (
            side(NULLED, entry("a", "x"), entry("b", "y")),
            side(NULLED, entry("a", "x")),
            Verdict("differs", "errors", (("b", "y"),)),
        ),
        (
            side(NULLED, entry("a")),
            side(NULLED, entry("a", "x")),
            Verdict("differs", "errors", (("a",), ("a", "x"))),
        ),
        (
            side(NULLED, entry("a", "x", message="other")),
            side(NULLED, entry("a", "x")),
            Verdict("differs", "errors", (("a", "x"), ("a", "x"))),
        ),
        # Keys.
        (side({}), side({}, asked="a"), Verdict("differs", "asked for less")),
        (side(NULLED, entry("a")), side(NULLED, entry("a"), asked="a"), Verdict("equal")),
        # An error that a fence took out of the answer may have cut something short, too.
        (replace(side({}), hidden=True), side({}, asked="a"), Verdict("equal")),
        (
            replace(side({}), hidden=True),
            side({}, asked="abc", missing="c"),
            Verdict("inconclusive", "keys without an answer"),
        ),
        (
            side(NULLED),
            side(NULLED, entry("a", cause=UNRECORDED), asked="abc", missing="c"),
            Verdict("differs", "asked for more", (("a",),)),
        ),
        (
            side(NULLED, entry("a", "x")),
            side(NULLED, entry("a", "y", cause=UNRECORDED), asked="abc", missing="c"),
            Verdict("inconclusive", "keys without an answer"),
        ),
        (side({}), side({}, asked="abc", missing="c"), Verdict("differs", "asked for more")),
        (
            side({}, asked="ab"),
            side({}, asked="ab", missing="b"),
            Verdict("inconclusive", "keys without an answer"),
        ),
        (
            side(NULLED, entry("a", "x")),
            side({"a": None, "b": None}, entry("b", cause=UNRECORDED), missing="c"),
            Verdict("differs", "asked for more", (("b",),)),
        ),
        (
            side({"a": None, "b": None}, entry("a", "x")),
            side({"a": None, "b": None}, entry("b", cause=UNRECORDED), missing="c"),
            Verdict("differs", "asked for more", (("b",),)),
        ),
        (
            side({"a": None, "other": 1}, entry("a", "x")),
            side({"a": None, "b": None}, entry("b", cause=UNRECORDED), missing="c"),
            Verdict("differs", "asked for more", (("b",),)),
        ),
    ],
)
def test_verdict_follows_the_rules(compiled: Side, generic: Side, expected: Verdict) -> None:
    """Each rule of the module, and the cases right beside it."""
    assert judge(compiled, generic) == expected


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ({"a": [{"b": 1}, {"b": 2}]}, {"a": [{"b": 1}, {"b": 3}]}, [("a", 1, "b")]),
        ({"a": 1, "b": [1]}, {"a": "1", "b": None}, [("a",), ("b",)]),
        ({"a": 1}, {"b": 1}, [()]),
        ([1, 2], [1], [()]),
        ({"a": 1}, {"a": 1}, []),
    ],
)
def test_differences_are_told_by_path(one: Any, other: Any, expected: list[Path]) -> None:
    """Each place that differs, and no other."""
    assert list(differences(one, other)) == expected


def test_entries_hold_what_errors_say() -> None:
    """Words, path, code and class of the cause; no address in memory, and no exception."""
    cause = NotFound("gone at <object at 0x7f01ab>", extensions={"fields": ["x"]})
    error = GraphQLError(str(cause), path=["a", 0], original_error=cause)
    (found,) = entries([error])
    assert found == Entry(
        "gone at <object at 0x>", ("a", 0), (), "{'fields': ['x']}", "NOT_FOUND", "NotFound"
    )
