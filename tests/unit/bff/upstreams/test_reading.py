"""What a service may send in place of an answer, and what becomes of it."""

from __future__ import annotations

import gzip
import json
import zlib
from typing import Any

import orjson
import pytest
from structlog.testing import capture_logs

from bff.contract import Scope
from bff.errors import UpstreamBadResponse
from bff.telemetry.metrics import Metrics
from bff.upstreams.guard import Verdict
from bff.upstreams.method import Answer, Method, Record
from bff.upstreams.reading import read
from bff.upstreams.refusals import Failure
from bff.upstreams.transport import Incoming


class Item(Record, frozen=True):
    id: str
    count: int
    share: float = 0.0


class Items(Answer, frozen=True):
    items: list[Item]


ITEMS = Method("content", "items", "POST", "/v1/items/batch", Scope.SHARED, Items)
GOOD = b'{"items":[{"id":"1","count":1,"more":%s}]}'
DEEP = 100_000


def told(body: bytes, status: int = 200, kind: str = "application/json") -> Any:
    with capture_logs():
        return read(ITEMS, Incoming(status, kind, body), Metrics("ios"))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b'{"items":',
        b'{"items":[]}x',
        b'{"items":[{"id":"\xff","count":1}]}',
        b'{"items":[{"id":"\\ud800","count":1}]}',
        b'\xef\xbb\xbf{"items":[]}',
        '{"items":[]}'.encode("utf-16"),
        GOOD % b"NaN",
        GOOD % b"Infinity",
        GOOD % (b"[" * DEEP + b"]" * DEEP),
        b"[" * DEEP,
        b'{"items":' * DEEP,
        gzip.compress(b'{"items":[]}'),
        zlib.compress(b'{"items":[]}'),
    ],
    ids=lambda body: repr(body[:24]),
)
def test_no_json_is_bad(body: bytes) -> None:
    """What is no JSON, not UTF-8, nested without end or compressed is a bad answer, and counts
    against the service; it is never a fault of ours."""
    failed = told(body)
    assert isinstance(failed, Failure)
    assert isinstance(failed.error, UpstreamBadResponse)
    assert failed.verdict is Verdict.BAD


@pytest.mark.parametrize("number", ["1e999", "-1e999", "9" * 5000, "1.5"])
def test_number_no_record_holds(number: str) -> None:
    """A member with a number out of range is left out like any other that does not fit."""
    good = {"id": "2", "count": 2}
    body = f'{{"items":[{{"id":"1","count":{number}}},{json.dumps(good)}]}}'
    found = told(body.encode())
    assert isinstance(found, Items) or isinstance(found.error, UpstreamBadResponse)
    if isinstance(found, Items):
        assert found.items == [Item("2", 2)]
        orjson.dumps([one.count for one in found.items])


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirect_is_bad(status: int) -> None:
    """A redirect is no answer of a service that is well."""
    failed = told(b"", status, "")
    assert isinstance(failed.error, UpstreamBadResponse)
    assert failed.verdict is Verdict.BAD


@pytest.mark.parametrize(
    ("status", "verdict"),
    [(400, Verdict.GOOD), (404, Verdict.GOOD), (429, Verdict.GOOD), (500, Verdict.BAD)],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * DEEP, b'{"code":"\xff"}', b'{"code":1}'])
def test_refusals_may_say_anything(status: int, verdict: Verdict, body: bytes) -> None:
    """Whatever a refusal's body is, its status decides what it says of the service."""
    failed = told(body, status, "application/problem+json")
    assert isinstance(failed, Failure)
    assert failed.verdict is verdict


def test_compressed_answer_is_named() -> None:
    """The log says what to correct: the service must not compress."""
    assert told(gzip.compress(b"{}")).error.detail == "compressed, though nobody asked for it"


def test_unknown_fields_cost_nothing() -> None:
    """Fields we do not use may hold anything that is JSON."""
    found = told(GOOD % b'{"a":[1e99999,"\\u0000",{"b":null}]}')
    assert found.items == [Item("1", 1)]
