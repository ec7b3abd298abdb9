"""The envelope and its bytes."""

from __future__ import annotations

import json
from typing import Any

from bff.errors import BadVariables, NotFound, ParseFailed, PersistedQueryNotFound
from bff.response.envelope import Envelope, refusal


def test_refusal_has_no_data() -> None:
    """Execution never began: there is no `data` entry, not even null."""
    envelope = refusal(PersistedQueryNotFound())
    assert json.loads(envelope.encode()) == {
        "errors": [
            {
                "message": "PersistedQueryNotFound",
                "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"},
            }
        ]
    }
    assert (envelope.code, envelope.cache) == ("PERSISTED_QUERY_NOT_FOUND", "no-store")


def test_refusal_keeps_every_error() -> None:
    """Several errors of a document each keep message and place, and get the code."""
    errors: list[dict[str, Any]] = [
        {"message": "first", "locations": [{"line": 1, "column": 2}]},
        {"message": "second", "extensions": {"hint": "x"}},
    ]
    envelope = refusal(BadVariables("all", errors=errors))
    assert envelope.body()["errors"] == [
        {**errors[0], "extensions": {"code": "BAD_USER_INPUT"}},
        {"message": "second", "extensions": {"hint": "x", "code": "BAD_USER_INPUT"}},
    ]


def test_detail_never_leaves() -> None:
    """What is for the log is not in the answer; extensions are, and cannot change the code."""
    error = NotFound("gone", detail="row 7", extensions={"fields": [], "code": "OK"})
    assert refusal(error).body() == {
        "errors": [{"message": "gone", "extensions": {"fields": [], "code": "NOT_FOUND"}}]
    }


def test_executed_null_is_written() -> None:
    """An operation that ran and lost everything says `data: null`."""
    assert Envelope(data=None, errors=[{"message": "x"}], executed=True).body() == {
        "errors": [{"message": "x"}],
        "data": None,
    }


def test_empty_parts_are_left_out() -> None:
    """No errors and no extensions are no keys."""
    assert Envelope(data={"a": "ü"}, executed=True).encode() == '{"data":{"a":"ü"}}'.encode()


def test_outcome_names_what_happened() -> None:
    """The four outcomes of metrics."""
    assert Envelope(data={}, executed=True).outcome == "ok"
    assert Envelope(data={}, errors=[{}], executed=True).outcome == "partial"
    assert refusal(ParseFailed("x")).outcome == "refused"
    assert Envelope(code="INTERNAL").outcome == "failed"
