"""What content refuses: with a 422 that names the field, and never with a 5xx."""

import base64
from typing import Any

import orjson
import pytest

from core_services.content.store import COMMENTS_AFTER
from core_services.content.viewer_store import FEED_AFTER, SAVED_AFTER
from tests.unit.core_services.content.seeded import Seeded

DEMO = "acc_00001"
_HUGE = "9" * 60
_LATEST = 2**63 - 1


@pytest.mark.parametrize("path", ["/feed", "/saved"])
@pytest.mark.parametrize("first", ["0", "51", "-1", "x", "", "1.5", _HUGE, "NaN", "1e1", "٣"])
async def test_page_size_is_never_shrunk(content: Seeded, path: str, first: str) -> None:
    """A page size out of 1 to 50, or not a whole number, is refused with its name."""
    answer = await content.call("GET", path, DEMO, params={"first": first})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT")
    assert answer.json()["errors"][0]["field"] == "first"


@pytest.mark.parametrize("first", ["0", "21", _HUGE])
async def test_continue_takes_at_most_twenty(content: Seeded, first: str) -> None:
    """Continue takes 1 to 20 and refuses the rest."""
    answer = await content.call("GET", "/continue", DEMO, params={"first": first})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT")


def _cursor(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


_BAD_CURSORS = [
    "",
    "x",
    "🙂",
    "%00",
    "bnVsbA",
    "W10",
    SAVED_AFTER.encode(1, "itm_00001"),
    COMMENTS_AFTER.encode(1, "itm_00001"),
    FEED_AFTER.encode(1, "itm_00001")[:-3],
    # Well-formed names of this very list, with parts no row can have.
    *(_cursor(f'["feed",{at},"itm_00001"]') for at in (2**63, -(2**63) - 1, 10**100, "1.5")),
    _cursor('["feed",true,"itm_00001"]'),
    _cursor('{"feed":1}'),
    _cursor("[" * 300),
    FEED_AFTER.encode(1, "\0"),
    FEED_AFTER.encode(1, "a" * 200),
]


@pytest.mark.parametrize("cursor", _BAD_CURSORS)
async def test_feed_refuses_foreign_cursors(content: Seeded, cursor: str) -> None:
    """A made-up cursor, or one of another list, is BAD_CURSOR."""
    answer = await content.call("GET", "/feed", DEMO, params={"after": cursor})
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_CURSOR"), answer.text


@pytest.mark.parametrize("cursor", ["", "x", FEED_AFTER.encode(1, "itm_00001"), "AA=="])
async def test_comments_refuse_foreign_cursors(content: Seeded, cursor: str) -> None:
    """One bad cursor refuses the whole batch of threads."""
    threads = [{"item_id": "itm_00001"}, {"item_id": "itm_00002", "after": cursor}]
    body = {"threads": threads, "first": 3}
    answer = await content.call("POST", "/comments/batch", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_CURSOR")


@pytest.mark.parametrize("at", [-_LATEST - 1, -1, 0, _LATEST])
async def test_extreme_cursors_are_places(content: Seeded, at: int) -> None:
    """A cursor at the ends of time is a place like any other: an answer, not an overflow."""
    cursor = FEED_AFTER.encode(at, "itm_99999")
    answer = await content.call("GET", "/feed", DEMO, params={"after": cursor})
    assert answer.status_code == 200
    assert bool(answer.json()["entries"]) == (at == _LATEST)


_BATCHES = [
    "/items/batch",
    "/stats/batch",
    "/related/batch",
    "/viewer-states/batch",
]
_BAD_IDS: list[Any] = [
    [],
    ["a"] * 201,
    ["a" * 65],
    ["a\0b"],
    [1],
    [None],
    "itm_00001",
    None,
    {"0": "itm_00001"},
    [["itm_00001"]],
]


@pytest.mark.parametrize("path", _BATCHES)
@pytest.mark.parametrize("ids", _BAD_IDS)
async def test_batches_refuse_bad_ids(content: Seeded, path: str, ids: Any) -> None:
    """None, too many, too long, NUL and other JSON types are refused with the field's name."""
    body = {"ids": ids} | ({"first": 3} if "related" in path else {})
    answer = await content.call("POST", path, DEMO, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT")
    assert answer.json()["errors"][0]["field"].startswith("ids")


@pytest.mark.parametrize(
    "body",
    [
        b'{"ids": ["\\ud800"]}',
        b'{"ids": ["a"], "more": 1}',
        b"[]",
        b"null",
        b'"ids"',
        b"{}",
    ],
)
async def test_items_refuse_odd_bodies(content: Seeded, body: bytes) -> None:
    """Lone surrogates, unknown keys and bodies of another shape are 422."""
    headers = {"content-type": "application/json"}
    answer = await content.call("POST", "/items/batch", content=body, headers=headers)
    assert answer.status_code == 422, answer.text


@pytest.mark.parametrize("first", [0, 51, 10**30, "3", 3.5, None, True])
async def test_comments_refuse_bad_first(content: Seeded, first: Any) -> None:
    """A number of comments out of 1 to 50, or no whole number, is refused."""
    body = orjson.dumps({"threads": [{"item_id": "itm_00001"}], "first": 0})
    raw = body.replace(b'"first":0', f'"first":{_json(first)}'.encode())
    headers = {"content-type": "application/json"}
    answer = await content.call("POST", "/comments/batch", content=raw, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT"), answer.text


def _json(value: Any) -> str:
    return str(value) if type(value) is int else orjson.dumps(value).decode()


async def test_too_many_threads_are_refused(content: Seeded) -> None:
    """Fifty-one threads are refused, not cut to fifty."""
    body = {"threads": [{"item_id": f"itm_{number}"} for number in range(51)], "first": 1}
    answer = await content.call("POST", "/comments/batch", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "BAD_INPUT")


@pytest.mark.parametrize("item", ["%00", "a%00b", "x" * 65, "%ff", "%F0%9F%99%82", "..%2f", "%20"])
@pytest.mark.parametrize("method", ["PUT", "DELETE"])
async def test_odd_item_paths_are_refused(content: Seeded, method: str, item: str) -> None:
    """An item id that cannot exist is a 4xx problem, never a database error."""
    answer = await content.call(method, f"/saved/{item}", DEMO, f"odd-{method}")
    assert answer.status_code in {404, 405, 422}, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/feed", "/saved", "/continue"])
async def test_viewer_operations_need_viewer(content: Seeded, path: str) -> None:
    """A caller that asserts no viewer gets VIEWER_REQUIRED."""
    answer = await content.call("GET", path)
    assert (answer.status_code, answer.json()["code"]) == (401, "VIEWER_REQUIRED")


async def test_strangers_are_refused(content: Seeded) -> None:
    """Without a caller's credential nothing of content is readable."""
    answer = await content.client.post("/v1/stats/batch", json={"ids": ["itm_00001"]})
    assert (answer.status_code, answer.json()["code"]) == (401, "CALLER_UNKNOWN")
