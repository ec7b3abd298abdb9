"""The judge of `make chaos` finds what it is there to find."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaos.judge import foreign_parts, is_whole, non_answer, wrong_parts
from tests.chaos.loader import Plan, Run
from tests.chaos.wire import Answer, headers_of, whole_reply

WHOLE = {"home": {"viewer": {"name": "A"}, "feed": [{"author": {"name": "B"}}], "inbox": None}}


def _error(*path: str | int, code: str | None = "UPSTREAM_TIMEOUT", message: str = "x") -> Any:
    extensions = {} if code is None else {"code": code}
    return {"message": message, "path": list(path), "extensions": extensions}


def _answer(data: Any, *errors: Any, status: int = 200, **extensions: Any) -> Answer:
    body: dict[str, Any] = {"data": data, "extensions": extensions}
    if errors:
        body["errors"] = list(errors)
    return Answer(0.1, status, {}, json.dumps(body).encode())


BAD = {
    "a hang": Answer(5.0, failure="hung"),
    "a 500": Answer(0.1, 500, {}, b"{}"),
    "an HTML page": Answer(0.1, 200, {}, b"<html>"),
    "a code nobody knows": _answer(None, _error("home", code="OOPS")),
    "no code": _answer(None, _error("home", code=None)),
    "a 503 that is none": _answer(None, _error("home"), status=503),
    "a traceback": _answer(None, _error("home", message='File "/a/b.py", line 3')),
    "a host": _answer(None, _error("home", message="cannot connect to 127.0.0.1")),
    "a statement": _answer(None, _error("home", message="SELECT id FROM t")),
    "an internal in the extensions": _answer(WHOLE, debug="sqlalchemy.exc"),
}


@pytest.mark.parametrize("name", BAD)
def test_non_answers_are_found(name: str) -> None:
    """Each of these is no answer."""
    assert non_answer(BAD[name]) is not None


def test_answers_pass() -> None:
    """A whole answer, a partial one with its code, and a shed are answers."""
    assert non_answer(_answer(WHOLE)) is None
    assert non_answer(_answer({"home": None}, _error("home"))) is None
    assert non_answer(_answer(None, _error("home", code="OVERLOADED"), status=503)) is None


def test_missing_parts_are_judged() -> None:
    """A null that an error speaks of is right where the spoilt service may have cost it, and is
    another's part elsewhere; without an error, or with another value, it is wrong."""
    lost = {"home": {**WHOLE["home"], "viewer": None}}
    coded = _answer(lost, _error("home", "viewer", "name"))
    assert wrong_parts(coded, WHOLE) == []
    assert foreign_parts(coded, WHOLE, "accounts") == []
    assert foreign_parts(coded, WHOLE, "notifications") != []
    assert wrong_parts(_answer(lost), WHOLE) != []
    other = {"home": {**WHOLE["home"], "feed": [{"author": {"name": "C"}}]}}
    assert wrong_parts(_answer(other), WHOLE) != []
    shorter = {"home": {**WHOLE["home"], "feed": []}}
    assert wrong_parts(_answer(shorter), WHOLE) != []


def test_sections_explain_and_show() -> None:
    """A section that was left out explains its null; an answer with an old one is not whole."""
    lost = {"home": {**WHOLE["home"], "viewer": None}}
    told = _answer(lost, sections={"home.viewer": {"status": "omitted"}})
    assert wrong_parts(told, WHOLE) == []
    assert not is_whole(_answer(WHOLE, sections={"home.viewer": {"status": "stale"}}))
    assert is_whole(_answer(WHOLE, sections={"home.viewer": {"status": "ok"}}))


def test_answers_without_body_are_whole() -> None:
    """A 304 ends with its head."""
    reply = whole_reply(b"HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n")
    assert reply is not None
    assert (reply.status, headers_of(reply.head)) == (304, {"etag": "x"})
    assert whole_reply(b"HTTP/1.1 304 Not Mod") is None


def test_loader_tells_answers_apart() -> None:
    """Whole, partial and shed answers are counted apart; a shed says when to come back."""
    run = Run(Plan(1, ["GET / HTTP/1.1\r\n\r\n"], 1.0, after_shed_s=-1))
    shed = b"HTTP/1.1 503 X\r\nretry-after: 7\r\ncontent-length: 2\r\n\r\n{}"
    bodies = (b'{"data":{}}', b'{"data":{},"errors":[{}]}')
    replies = [b"HTTP/1.1 200 X\r\ncontent-length: %d\r\n\r\n%b" % (len(b), b) for b in bodies]
    pauses = []
    for data in (*replies, shed, shed.replace(b"retry-after: 7\r\n", b"")):
        reply = whole_reply(data)
        assert reply is not None
        pauses.append(run.count(reply, 0.1))
    assert pauses == [0.0, 0.0, 7.0, 1.0]
    found = run.found
    assert (found.good, found.partial, found.sheds) == (1, 1, 2)
    assert found.sheds_with_retry_after == 1
