"""Answers are told right from wrong."""

from __future__ import annotations

import gzip

import orjson
import pytest

from tests.bench.asking import GZIP, PLAIN, difference
from tests.bench.http1 import Reply

EXPECTED = {"home": {"feed": [{"id": "a"}, {"id": "b"}]}}
HEAD = b"HTTP/1.1 200 OK"
CODED = HEAD + b"\r\nContent-Encoding: gzip"


def reply(value: object, status: int = 200) -> Reply:
    """An uncompressed answer."""
    return Reply(status, HEAD, orjson.dumps(value), 0)


def test_right_answer_has_no_difference() -> None:
    """The same data is right, in either coding, and whatever the order of its keys."""
    assert difference(reply({"data": EXPECTED}), PLAIN, EXPECTED) is None
    coded = Reply(200, CODED, gzip.compress(orjson.dumps({"data": EXPECTED})), 0)
    assert difference(coded, GZIP, EXPECTED) is None


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"data": {"home": {"feed": [{"id": "a"}, {"id": "c"}]}}}, "data.home.feed.1.id: c"),
        ({"data": {"home": {"feed": [{"id": "a"}]}}}, "data.home.feed: "),
        ({"data": {"home": {}}}, "data.home: "),
        ({"data": EXPECTED, "errors": [{"message": "no"}]}, "errors"),
        ({}, "other data"),
    ],
)
def test_other_data_is_named(wrong: object, said: str) -> None:
    """A wrong answer says where it first differs."""
    found = difference(reply(wrong), PLAIN, EXPECTED)
    assert found is not None
    assert said in found


def test_status_and_coding_count() -> None:
    """An error status, and a coding nobody asked for, are wrong."""
    assert "status 500" in str(difference(reply({}, 500), PLAIN, EXPECTED))
    assert "did not come" in str(difference(reply({"data": EXPECTED}), GZIP, EXPECTED))
    assert "came compressed" in str(difference(Reply(200, CODED, b"", 0), PLAIN, EXPECTED))
