"""Masking: the words of known errors leave, of everything else nothing but the code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, build_schema, execute, parse
from structlog.testing import capture_logs

from bff.errors import (
    BadUserInput,
    ClientError,
    ConfigError,
    InternalError,
    Unauthenticated,
    UpstreamUnavailable,
)
from bff.fence import NOTHING_WITHHELD, Withheld
from bff.request import ClientIdentity
from bff.response.envelope import Envelope
from bff.response.http_cache import entity_tag
from bff.response.masking import MASKED, field_entries
from bff.response.shape import count, failure, shape
from bff.screens.report import NO_SECTIONS, Report
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import CallLog
from tests.unit.bff.upstreams.fakes import sample

SCHEMA = build_schema("type Query { a: String, b: String!, list: [String] }")


@dataclass(frozen=True)
class Ran:
    """What execution brought."""

    data: dict[str, Any] | None
    errors: Sequence[GraphQLError] = ()
    plan: str = "compiled"
    withheld: Withheld = NOTHING_WITHHELD
    sections: Report = NO_SECTIONS


def raising(error: Exception, text: str = "{\n  a\n}") -> Ran:
    """What graphql-core makes of an exception in a resolver."""

    def resolve(*_: Any) -> str:
        raise error

    result = execute(SCHEMA, parse(text), {"a": resolve, "b": resolve})
    assert isinstance(result, ExecutionResult)
    return Ran(result.data, result.errors or ())


def entry(error: Exception) -> dict[str, Any]:
    (found,) = field_entries(raising(error).errors or (), "request-1")
    return found


PLACE = {"locations": [{"line": 2, "column": 3}], "path": ["a"]}


@pytest.mark.parametrize(
    "error",
    [
        Unauthenticated("Sign in to see this."),
        BadUserInput("Too long.", detail="hunter2", extensions={"fields": [{"field": "bio"}]}),
        UpstreamUnavailable("Try again later.", detail="connection to 10.0.0.7 refused"),
    ],
)
def test_known_errors_keep_their_words(error: ClientError) -> None:
    """A showable error keeps message, extensions, code, path and place; its detail stays."""
    assert entry(error) == {
        "message": error.message,
        **PLACE,
        "extensions": {**error.extensions, "code": error.code},
    }


@pytest.mark.parametrize(
    "error",
    [
        ValueError("hunter2"),
        KeyError("hunter2"),
        RecursionError("hunter2"),
        InternalError("hunter2"),
        ConfigError("hunter2"),
        GraphQLError("hunter2", extensions={"code": "hunter2"}),
        ExceptionGroup("hunter2", [ValueError("hunter2")]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_unknown_errors_are_masked(error: Exception) -> None:
    """Anything unexpected leaves as INTERNAL with its path and place and not a word of its own;
    the log has it under the request id."""
    with capture_logs() as logs:
        found = entry(error)
    assert found == {"message": MASKED, **PLACE, "extensions": {"code": "INTERNAL"}}
    assert [(line["event"], line["request_id"]) for line in logs] == [("field_failed", "request-1")]
    assert logs[0]["exc_info"] is error or logs[0]["exc_info"].message == "hunter2"


def test_faults_of_the_executor_are_masked() -> None:
    """graphql-core's own words on a value that does not fit name types and values: masked."""
    result = execute(SCHEMA, parse("{ list }"), {"list": "hunter2"})
    assert isinstance(result, ExecutionResult)
    with capture_logs():
        (found,) = field_entries(result.errors or (), "request-1")
    assert found["extensions"] == {"code": "INTERNAL"}
    assert found["path"] == ["list"]
    assert "hunter2" not in json.dumps(found)


def test_one_cause_is_logged_once() -> None:
    """An exception that failed two hundred fields is one line in the log and two hundred
    entries in the answer; another exception is another line."""
    cause = ValueError("x")
    errors = [GraphQLError("x", path=["list", n], original_error=cause) for n in range(200)]
    errors.append(GraphQLError("y", path=["a"], original_error=ValueError("y")))
    with capture_logs() as logs:
        found = field_entries(errors, "request-1")
    assert [one["path"][-1] for one in found] == [*range(200), "a"]
    assert len(logs) == 2


def test_known_errors_are_not_logged_again() -> None:
    """What the app is told of in full was counted where it happened."""
    with capture_logs() as logs:
        entry(Unauthenticated("Sign in."))
    assert logs == []


# --- the shape of an executed answer


def test_public_answer_is_public() -> None:
    """An answer proven to be everybody's may be cached for everybody."""
    envelope = shape(Ran({"a": 1}), "request-1", "public", None)
    assert envelope.cache == "public"
    assert envelope.body() == {"data": {"a": 1}}


@pytest.mark.parametrize(
    ("failed", "cache", "outcome"),
    [(False, "private", "partial"), (True, "no-store", "failed_screen")],
)
def test_screen_in_parts_is_never_public(failed: bool, cache: str, outcome: str) -> None:
    """An old or empty section is not kept for everybody, nor under the whole answer's tag; without
    a critical one nobody keeps the answer."""
    told = {"home.feed": {"status": "stale", "ageS": 3}}
    report = Report(told, (("Home.feed", "stale"),), failed)
    envelope = shape(Ran({"a": 1}, sections=report), "request-1", "public", None)
    assert (envelope.cache, envelope.outcome) == (cache, outcome)
    assert envelope.body()["extensions"] == {"sections": told}
    whole = shape(Ran({"a": 1}), "request-1", "public", None)
    assert entity_tag(envelope.entity()) != entity_tag(whole.entity())


@pytest.mark.parametrize("error", [Unauthenticated("x"), ValueError("x")])
def test_failed_answer_is_never_public(error: Exception) -> None:
    """A passing failure is not kept for everybody, whatever was proven."""
    with capture_logs():
        envelope = shape(raising(error), "request-1", "public", None)
    assert (envelope.cache, envelope.outcome) == ("private", "partial")


def test_other_answers_are_private() -> None:
    """Without the proof an answer is the viewer's."""
    assert shape(Ran({"a": 1}), "request-1", "private", None).cache == "private"


def test_lost_data_is_still_executed() -> None:
    """A non-null field that failed at the top leaves `data: null`, not a refusal."""
    envelope = shape(raising(Unauthenticated("x"), "{ b }"), "request-1", "private", None)
    assert (envelope.executed, envelope.data, envelope.code) == (True, None, None)


def test_calls_are_shown_to_developers() -> None:
    """In development the answer says what it cost upstream."""
    calls = CallLog()
    for service in ("content", "accounts", "content"):
        calls.add(service)
    calls.joins, calls.late = 5, 1
    envelope = shape(Ran({"a": 1}), "request-1", "private", calls)
    shown = envelope.body()["extensions"]
    upstream = shown["upstream"]
    assert upstream == {
        "calls": 3,
        "late": 1,
        "joins": 5,
        "cached": 0,
        "byService": {"content": 2, "accounts": 1},
    }
    assert shown["plan"] == "compiled"


def test_fault_of_ours_says_only_internal() -> None:
    """A fault outside the fields refuses the request with the code alone."""
    with capture_logs() as logs:
        envelope = failure(ValueError("hunter2"), "request-1")
    assert envelope.body() == {"errors": [{"message": MASKED, "extensions": {"code": "INTERNAL"}}]}
    assert (envelope.code, envelope.outcome) == ("INTERNAL", "failed")
    assert [(line["event"], line["request_id"]) for line in logs] == [
        ("request_failed", "request-1")
    ]


def test_answers_are_counted_by_outcome() -> None:
    """A whole refusal is an outcome; field errors count one by one."""
    metrics = Metrics("ios")
    with capture_logs():
        partial = shape(raising(Unauthenticated("x")), "r", "private", None)
        broken = failure(ValueError("x"), "r")
    home = SimpleNamespace(screen="home", counted_as="hash")
    used = [
        count(metrics, envelope, home, ClientIdentity(), 0.01)
        for envelope in (partial, partial, broken)
    ]
    assert used == [("hash", True)] * 3
    whole = Envelope(data={}, executed=True)
    assert count(Metrics("ios"), whole, None, ClientIdentity(), 0.01) == ("", False)
    name = "facet_requests_total"
    assert sample(metrics, name, platform="ios", screen="home", outcome="partial") == 2
    assert sample(metrics, name, platform="ios", screen="home", outcome="failed") == 1
    # Refusals are the edge's to count: some never reach the pipeline.
    assert sample(metrics, "facet_refusals_total", platform="ios", code="INTERNAL") == 0
    name = "facet_field_errors_total"
    assert sample(metrics, name, platform="ios", code="UNAUTHENTICATED") == 2


def test_null_for_an_argument_is_the_apps() -> None:
    """A variable's null where none may be is the app's mistake: coded, not logged, not quoted."""
    schema = build_schema("type Query { page(first: Int! = 3): String }")
    document = parse("query ($first: Int = 20) { page(first: $first) }")
    result = execute(schema, document, variable_values={"first": None})
    assert isinstance(result, ExecutionResult)
    with capture_logs() as logs:
        (found,) = field_entries(result.errors or (), "request-1")
    assert found["extensions"] == {"code": "BAD_USER_INPUT"}
    assert "argument" in found["message"]
    assert found["path"] == ["page"]
    assert logs == []
