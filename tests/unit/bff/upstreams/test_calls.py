"""One upstream call: what is sent, what it may cost, and what each answer means."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from joserfc import jwt
from structlog.testing import capture_logs

from bff.config import ServiceConfig, TelemetryConfig
from bff.contract import Scope
from bff.errors import (
    BadUserInput,
    Conflict,
    DeadlineExceeded,
    FieldError,
    FieldRateLimited,
    Forbidden,
    IdempotencyInProgress,
    IdempotencyKeyReused,
    NotFound,
    Unauthenticated,
    UpstreamBadResponse,
    UpstreamOverloaded,
    UpstreamTimeout,
    UpstreamUnavailable,
)
from bff.request import Deadline
from bff.upstreams.calls import Caller, CallLog
from bff.upstreams.method import Answer, Method, Record
from bff.upstreams.transport import (
    AnswerTooLarge,
    Incoming,
    Outgoing,
    TransportFailure,
    TransportTimeout,
)
from tests.unit.bff.upstreams.fakes import (
    KEY,
    VIEWER,
    FakeTransport,
    answer,
    arrival,
    caller,
    problem,
    sample,
    services,
)


class Article(Record, frozen=True, tag_field="kind", tag="article"):
    id: str


class Video(Record, frozen=True, tag_field="kind", tag="video"):
    id: str


class Items(Answer, frozen=True):
    items: list[Article | Video]


ITEMS = Method("content", "items", "POST", "/v1/items/batch", Scope.SHARED, Items)
FEED = Method("content", "feed", "GET", "/v1/feed", Scope.VIEWER, Items)
SAVE = Method("content", "save", "PUT", "/v1/saved/{item_id}", Scope.VIEWER, Items, effect=True)
EXACT = Method("content", "exact", "GET", "/v1/exact", Scope.SHARED, Items, exact=True)

GOOD = answer({"items": [{"kind": "article", "id": "1"}]})
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def answering(given: Incoming | Exception) -> FakeTransport:
    def send(_: Outgoing) -> Incoming:
        if isinstance(given, Exception):
            raise given
        return given

    return FakeTransport(send)


async def refused(given: Incoming | Exception, **options: Any) -> FieldError:
    """The error a call ends with."""
    with pytest.raises(FieldError) as raised, capture_logs():
        await caller(answering(given), **options).call(ITEMS)
    return raised.value


async def test_answer_becomes_a_record() -> None:
    """A good answer is decoded to the method's record, other status 2xx included."""
    for status in (200, 201):
        found = await caller(answering(answer({"items": []}, status))).call(ITEMS)
        assert found == Items([])


async def test_unknown_fields_are_ignored() -> None:
    """A newer service may send more than is read."""
    more = answer({"items": [{"kind": "video", "id": "1", "hdr": True}], "next": None})
    assert (await caller(answering(more)).call(ITEMS)).items == [Video("1")]


@pytest.mark.parametrize("written", ["application/json; charset=utf-8", "Application/JSON"])
async def test_content_type_is_read_as_http(written: str) -> None:
    """Parameters and case of a media type do not matter (RFC 9110 section 8.3.1)."""
    given = Incoming(200, written, GOOD.body)
    assert (await caller(answering(given)).call(ITEMS)).items == [Article("1")]


# --- what is sent


async def test_shared_call_names_no_viewer() -> None:
    """A shared call carries the gateway's credential and the request's id, and nobody's name."""
    transport = answering(GOOD)
    await caller(transport).call(ITEMS, body={"ids": ["1"]})
    (call,) = transport.calls
    assert (call.verb, call.url) == ("POST", "http://content.test/v1/items/batch")
    credential = call.headers["authorization"].removeprefix("Bearer ")
    assert jwt.decode(credential, KEY).claims["aud"] == "content"
    assert call.headers["x-request-id"] == "request-1"
    assert call.headers["accept"] == "application/json"
    assert call.headers["content-type"] == "application/json"
    assert json.loads(call.body or b"") == {"ids": ["1"]}
    assert not {"x-viewer", "idempotency-key", "traceparent"} & set(call.headers)


async def test_viewer_call_carries_the_assertion() -> None:
    """A viewer's call says for whom, signed; without a viewer it says nothing."""
    transport = answering(GOOD)
    await caller(transport).call(FEED)
    await caller(transport, viewer=None).call(FEED)
    assert jwt.decode(transport.calls[0].headers["x-viewer"], KEY).claims["sub"] == "account-1"
    assert "x-viewer" not in transport.calls[1].headers


async def test_call_without_body_has_no_type() -> None:
    """GET sends neither body nor content type."""
    transport = answering(GOOD)
    await caller(transport).call(FEED, query={"first": 12, "after": None})
    (call,) = transport.calls
    assert call.body is None
    assert "content-type" not in call.headers


async def test_query_leaves_out_what_is_unset() -> None:
    """None is not sent; everything else is escaped."""
    transport = answering(GOOD)
    await caller(transport).call(FEED, query={"first": 12, "after": "a/b&c=ü", "kind": None})
    assert transport.calls[0].url == "http://content.test/v1/feed?first=12&after=a%2Fb%26c%3D%C3%BC"


async def test_idempotency_key_is_sent_on() -> None:
    """A write carries the app's own key."""
    transport = answering(GOOD)
    await caller(transport).call(SAVE, path={"item_id": "7"}, idempotency_key="key-1")
    assert transport.calls[0].headers["idempotency-key"] == "key-1"
    assert transport.calls[0].url == "http://content.test/v1/saved/7"


async def test_path_parts_are_escaped() -> None:
    """An id with slashes, percent signs or question marks stays one part of the path."""
    transport = answering(GOOD)
    await caller(transport).call(SAVE, path={"item_id": "../a?b=%2e#ü"})
    assert transport.calls[0].url == "http://content.test/v1/saved/..%2Fa%3Fb%3D%252e%23%C3%BC"


@pytest.mark.parametrize("item_id", ["", ".", ".."])
async def test_path_parts_cannot_leave_the_path(item_id: str) -> None:
    """An id that would make the path another one is not found, without a call: dot segments are
    resolved by HTTP clients even when escaped."""
    transport = answering(GOOD)
    with pytest.raises(NotFound):
        await caller(transport).call(SAVE, path={"item_id": item_id})
    assert transport.calls == []


async def test_remaining_time_is_sent() -> None:
    """Services are told the milliseconds left, fewer on every call."""
    transport = answering(GOOD)
    asking = caller(transport, milliseconds=900)
    for _ in range(3):
        await asking.call(ITEMS)
        await asyncio.sleep(0.005)
    told = [int(call.headers["x-deadline-ms"]) for call in transport.calls]
    assert 0 < told[2] < told[1] < told[0] <= 900


async def test_trace_goes_on(tmp_path: Path) -> None:
    """With tracing on, the call's own span is the parent the service sees."""
    transport = answering(GOOD)
    made = services(transport, TelemetryConfig(traces_file=tmp_path / "t.jsonl", sample_ratio=1))
    begun = made.tracing.begin("POST /graphql", {"traceparent": TRACEPARENT})
    await Caller(made, arrival(), CallLog()).call(ITEMS, keys=3)
    made.tracing.finish(begun)
    made.tracing.close()
    spans = [json.loads(line) for line in (tmp_path / "t.jsonl").read_text().splitlines()]
    span = next(span for span in spans if span["name"] == "content.items")
    sent = transport.calls[0].headers["traceparent"].split("-")
    assert sent[1] == TRACEPARENT.split("-")[1]
    assert sent[2] == span["context"]["span_id"].removeprefix("0x")
    assert span["attributes"] == {
        "facet.upstream.service": "content",
        "facet.upstream.method": "items",
        "facet.upstream.scope": "shared",
        "facet.upstream.keys": 3,
        "http.response.status_code": 200,
        "http.response.body.size": len(GOOD.body),
    }


async def test_trace_passes_through_untraced() -> None:
    """With tracing off here, the app's own trace still reaches the services."""
    transport = answering(GOOD)
    made = services(transport)
    begun = made.tracing.begin("POST /graphql", {"traceparent": TRACEPARENT})
    await Caller(made, arrival(), CallLog()).call(ITEMS)
    made.tracing.finish(begun)
    await Caller(made, arrival(), CallLog()).call(ITEMS)
    assert transport.calls[0].headers["traceparent"] == TRACEPARENT
    assert "traceparent" not in transport.calls[1].headers


# --- time


@pytest.mark.parametrize("milliseconds", [0, 4, -100])
async def test_no_call_without_time(milliseconds: float) -> None:
    """With no useful time left nothing is sent, and the field says so."""
    transport = answering(GOOD)
    asking = caller(transport, milliseconds=milliseconds)
    with pytest.raises(DeadlineExceeded):
        await asking.call(ITEMS)
    assert (transport.calls, asking.log.total) == ([], 0)


@pytest.mark.parametrize(
    ("left_ms", "service_ms", "expected"),
    [(1500, 1000, 1.0), (60_000, 1001, 1.001), (400, 1000, 0.4)],
)
async def test_call_gets_the_shorter_time(left_ms: float, service_ms: int, expected: float) -> None:
    """A call may take the service's time or what is left of the request's, whichever ends first."""
    transport = answering(GOOD)
    made = services(transport)
    config = ServiceConfig(url="http://content.test", timeout_ms=service_ms)
    made = type(made)({"content": config}, transport, made.signer, made.metrics, made.tracing)
    await Caller(made, arrival(left_ms), CallLog()).call(ITEMS)
    assert transport.calls[0].timeout <= expected
    assert transport.calls[0].timeout == pytest.approx(expected, abs=0.2)


@pytest.mark.parametrize("service_ms", [10, 33, 1000, 1001, 1003, 59_999])
async def test_timeout_of_the_service(service_ms: int) -> None:
    """A service that used up its own time is UPSTREAM_TIMEOUT, whatever its number of
    milliseconds does in floating point."""
    transport = answering(TransportTimeout("timed out"))
    made = services(transport)
    config = ServiceConfig(url="http://content.test", timeout_ms=service_ms)
    made = type(made)({"content": config}, transport, made.signer, made.metrics, made.tracing)
    with pytest.raises(UpstreamTimeout), capture_logs():
        await Caller(made, arrival(100_000), CallLog()).call(ITEMS)


async def test_timeout_of_the_request() -> None:
    """A call cut short by the request's deadline is DEADLINE_EXCEEDED."""
    error = await refused(TransportTimeout("timed out"), milliseconds=900)
    assert isinstance(error, DeadlineExceeded)


# --- what answers mean


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (problem(422, "BAD_INPUT"), BadUserInput),
        (problem(422, "BAD_CURSOR"), BadUserInput),
        (problem(401, "INVALID_CREDENTIALS"), BadUserInput),
        (problem(404, "NOT_FOUND"), NotFound),
        (problem(403, "FORBIDDEN"), Forbidden),
        (problem(409, "CONFLICT"), Conflict),
        (problem(409, "TOO_MANY_ADDRESSES"), Conflict),
        (problem(400, "IDEMPOTENCY_KEY_REQUIRED"), BadUserInput),
        (problem(422, "IDEMPOTENCY_KEY_REUSED"), IdempotencyKeyReused),
        (problem(409, "IDEMPOTENCY_IN_PROGRESS"), IdempotencyInProgress),
        (problem(504, "DEADLINE_SPENT"), DeadlineExceeded),
        (problem(401, "VIEWER_REQUIRED"), Unauthenticated),
        (problem(401, "VIEWER_INVALID"), UpstreamBadResponse),
        (problem(401, "CALLER_UNKNOWN"), UpstreamBadResponse),
        (problem(400, "BAD_REQUEST"), UpstreamBadResponse),
        (problem(405, "METHOD_NOT_ALLOWED"), UpstreamBadResponse),
        (problem(413, "REQUEST_TOO_LARGE"), UpstreamBadResponse),
        (problem(500, "INTERNAL"), UpstreamUnavailable),
        (problem(503, "DATABASE_UNAVAILABLE"), UpstreamOverloaded),
        (problem(429, "RATE_LIMITED"), FieldRateLimited),
        (problem(429, "SLOW_DOWN"), UpstreamOverloaded),
        (problem(504, "GATEWAY_TIMEOUT"), UpstreamTimeout),
        (Incoming(502, "text/html", b"<html>"), UpstreamUnavailable),
        (Incoming(503, "", b""), UpstreamOverloaded),
        (Incoming(404, "text/html", b"<html>"), UpstreamBadResponse),
        (Incoming(307, "", b""), UpstreamBadResponse),
        (Incoming(500, "application/problem+json", b'{"code":5}'), UpstreamUnavailable),
        (Incoming(422, "application/problem+json", b'{"code":\xff'), UpstreamBadResponse),
        (TransportFailure("refused"), UpstreamUnavailable),
        (AnswerTooLarge("too long"), UpstreamBadResponse),
    ],
)
async def test_refusals_get_their_code(
    given: Incoming | Exception, expected: type[FieldError]
) -> None:
    """Every way a service can refuse, or fail to, has one code of ours."""
    assert type(await refused(given)) is expected


async def test_input_refusals_are_shown() -> None:
    """Of a refused input the app sees the fields at fault by its own names; a service's names of
    types and its words about patterns stay inside."""
    fields = [
        {"field": "MarkIds.ids.2", "code": "too_long", "message": "should match '^[^\\x00]*$'"},
        {"field": "display_name", "code": "missing", "message": "Field required"},
    ]
    error = await refused(problem(422, "BAD_INPUT", "Correct the fields.", errors=fields))
    assert error.message == "Correct the fields."
    assert error.extensions == {
        "fields": [
            {"field": "ids.2", "code": "too_long"},
            {"field": "displayName", "code": "missing"},
        ]
    }


async def test_calls_of_a_request_are_bounded() -> None:
    """A request that has made its calls is refused more, without asking the service."""
    transport = answering(GOOD)
    made = replace(services(transport), max_calls=2)
    asking = Caller(made, arrival(), CallLog())
    for _ in range(2):
        await asking.call(ITEMS, body={"ids": ["1"]})
    with pytest.raises(UpstreamOverloaded):
        await asking.call(ITEMS, body={"ids": ["1"]})
    assert len(transport.calls) == 2


@pytest.mark.parametrize("status", [400, 401, 500, 503, 504])
async def test_other_words_stay_inside(status: int) -> None:
    """Words of a service about itself are for our log, never for the app."""
    error = await refused(problem(status, "ANYTHING", "table account_17 is locked"))
    assert "account_17" not in error.message
    assert "account_17" in (error.detail or "")
    assert "content" in error.message


@pytest.mark.parametrize(
    "given",
    [
        Incoming(200, "text/html", b"<html>"),
        Incoming(200, "", b"{}"),
        Incoming(200, "application/jsonp", b"{}"),
        Incoming(200, "application/json", b""),
        Incoming(200, "application/json", b"<html>"),
        Incoming(200, "application/json", b'{"items":[\xff]}'),
        answer({"items": "none"}),
        answer({}),
        answer([]),
        answer(None),
    ],
)
async def test_unreadable_answer_is_bad(given: Incoming) -> None:
    """200 with anything but the promised record is UPSTREAM_BAD_RESPONSE."""
    assert type(await refused(given)) is UpstreamBadResponse


async def test_unknown_kind_is_left_out() -> None:
    """The rest of a list is served when a newer service sends a kind we do not know; it is
    counted and logged by number, not by content."""
    given = answer({"items": [{"kind": "podcast", "id": "secret"}, {"kind": "video", "id": "2"}]})
    transport = answering(given)
    made = services(transport)
    with capture_logs() as logs:
        found = await Caller(made, arrival(), CallLog()).call(ITEMS)
    assert found.items == [Video("2")]
    name = "facet_upstream_values_dropped_total"
    assert sample(made.metrics, name, service="content", method="items") == 1
    assert [line["event"] for line in logs] == ["upstream_values_dropped"]
    assert "secret" not in str(logs)


async def test_exact_method_leaves_nothing_out() -> None:
    """Where a missing member would be dangerous the whole answer is bad instead."""
    given = answer({"items": [{"kind": "podcast", "id": "1"}]})
    with pytest.raises(UpstreamBadResponse), capture_logs():
        await caller(answering(given)).call(EXACT)


async def test_unset_service_is_unavailable() -> None:
    """A service missing from the settings costs its fields and names the setting in the log."""
    transport = answering(GOOD)
    method = Method("media", "items", "GET", "/v1/items", Scope.SHARED, Items)
    with pytest.raises(UpstreamUnavailable) as raised:
        await caller(transport).call(method)
    assert raised.value.detail == "upstreams.services.media is not set"
    assert transport.calls == []


# --- what is counted and logged

CALLS = "facet_upstream_calls_total"


@pytest.mark.parametrize(
    ("given", "outcome"),
    [
        (GOOD, "ok"),
        (TransportFailure("refused"), "UPSTREAM_UNAVAILABLE"),
        (problem(404, "NOT_FOUND"), "NOT_FOUND"),
        (answer([]), "UPSTREAM_BAD_RESPONSE"),
        (KeyError("a fault of ours"), "INTERNAL"),
    ],
)
async def test_every_call_is_counted(given: Incoming | Exception, outcome: str) -> None:
    """Each call counts once, by the code it ended with."""
    made = services(answering(given))
    asking = Caller(made, arrival(), CallLog())
    with capture_logs():
        await asyncio.gather(asking.call(ITEMS), return_exceptions=True)
    labels = {"service": "content", "method": "items"}
    assert sample(made.metrics, CALLS, **labels, outcome=outcome) == 1
    assert sample(made.metrics, "facet_upstream_seconds_count", **labels) == 1
    assert asking.log.by_service == {"content": 1}


async def test_given_up_call_is_not_ok() -> None:
    """A call cancelled under way is counted as such, not as a success."""

    class Silent(FakeTransport):
        async def send(self, call: Outgoing) -> Incoming:
            self.calls.append(call)
            await asyncio.Event().wait()
            raise AssertionError

    transport = Silent(lambda _: GOOD)
    made = services(transport)
    task = asyncio.create_task(Caller(made, arrival(), CallLog()).call(ITEMS))
    while not transport.calls:
        await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    labels = {"service": "content", "method": "items"}
    assert sample(made.metrics, CALLS, **labels, outcome="CANCELLED") == 1
    assert sample(made.metrics, CALLS, **labels, outcome="ok") == 0


async def test_log_lines_hold_no_secret() -> None:
    """A failed call is logged by service, method, code and request id, without token, viewer,
    key, query or body."""
    asking = caller(answering(TransportFailure("connection refused")))
    with capture_logs() as logs, pytest.raises(UpstreamUnavailable):
        await asking.call(
            SAVE,
            path={"item_id": "item-9"},
            query={"after": "cursor-9"},
            body={"email": "me@example.org"},
            idempotency_key="key-9",
        )
    (line,) = logs
    assert line == {
        "event": "upstream_failed",
        "log_level": "warning",
        "upstream": "content",
        "method": "save",
        "code": "UPSTREAM_UNAVAILABLE",
        "detail": "connection refused",
        "request_id": "request-1",
    }
    for secret in ("item-9", "cursor-9", "me@example.org", "key-9", VIEWER.account_id, "eyJ"):
        assert secret not in str(logs)


async def test_input_is_not_logged() -> None:
    """The service's words on a refused input may repeat it: they go to the app alone."""
    refusal = problem(422, "BAD_INPUT", "The handle rosa is taken.")
    with capture_logs() as logs, pytest.raises(BadUserInput):
        await caller(answering(refusal)).call(ITEMS)
    assert "rosa" not in str(logs)
    assert logs[0]["code"] == "BAD_USER_INPUT"


def test_deadline_never_goes_below_zero() -> None:
    """A deadline long past has no time left, not a negative one."""
    assert Deadline.after_ms(-5000).remaining() == 0.0
