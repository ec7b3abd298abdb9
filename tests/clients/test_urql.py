"""urql with its persisted exchange against the web gateway."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.clients.node import Node
from tests.clients.seen import Seen

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

PREFLIGHT = ("apollo-require-preflight", "graphql-require-preflight", "x-requested-with")


@pytest.fixture(scope="module")
def urql(node: Node, web_settings: dict[str, str]) -> dict[str, Any]:
    """The results of the script, by scenario."""
    results: dict[str, Any] = node.run_script("urql.mjs", **web_settings)
    return results


def assert_whole(seen: Seen) -> None:
    assert seen.delivered["error"] is None
    assert seen.delivered["data"] == seen.exchanges[-1].answer["data"]


def test_plain_query_goes_by_get(urql: dict[str, Any]) -> None:
    """urql's default, a GET with the text and without any CSRF header, is answered in one JSON
    piece although event streams are among what it accepts."""
    seen = Seen(urql["plainText"])
    assert seen.lines == [("GET", 200)]
    assert seen.only.has_text
    assert not any(name in seen.only.headers for name in PREFLIGHT)
    assert "text/event-stream" in seen.only.headers["accept"]
    assert seen.only.answer_headers["content-type"].startswith("application/graphql-response+json")
    assert_whole(seen)


@pytest.mark.parametrize(("way", "method"), [("defaults", "GET"), ("post", "POST"), ("get", "GET")])
def test_persisted_exchange_misses_once(urql: dict[str, Any], way: str, method: str) -> None:
    """Each way to send an id: not found, sent again with the text and `miss: true` (by GET where
    urql prefers it), and known to the next client."""
    miss, hit = Seen(urql[way]["miss"]), Seen(urql[way]["hit"])
    assert miss.lines == [(method, 200), (method, 200)]
    first, retry = miss.exchanges
    assert first.codes == ["PERSISTED_QUERY_NOT_FOUND"]
    assert first.answer_headers["cache-control"] == "no-store"
    assert not first.has_text
    assert "miss" not in first.persisted
    text = retry.sent["query"]
    assert retry.persisted == {
        "version": 1,
        "sha256Hash": hashlib.sha256(text.encode()).hexdigest(),
        "miss": True,
    }
    assert_whole(miss)
    assert hit.lines == [(method, 200)]
    assert not hit.only.has_text
    assert_whole(hit)


def test_manifest_id_is_answered(urql: dict[str, Any]) -> None:
    """Ids of a manifest, given by `generateHash`, are answered under the registered policy."""
    seen = Seen(urql["manifest"])
    assert seen.lines == [("GET", 200)]
    assert not seen.only.has_text
    assert len(seen.delivered["data"]["home"]["feed"]["edges"]) == 3
    assert_whole(seen)


def test_partial_data_reaches_the_app(urql: dict[str, Any]) -> None:
    """Signed out, urql gives the app the public part of the screen and the coded error."""
    seen = Seen(urql["partial"])
    assert seen.lines == [("GET", 200)]
    error = seen.delivered["error"]
    assert error["network"] is None
    assert [(one["code"], one["path"]) for one in error["errors"]] == [
        ("UNAUTHENTICATED", ["content", "viewerState"])
    ]
    assert seen.delivered["data"]["content"]["item"]["title"]
    assert seen.delivered["data"] == seen.only.answer["data"]


def test_unregistered_id_is_not_retried(urql: dict[str, Any]) -> None:
    """Under the registered policy an unknown id is refused once; the text is never sent."""
    seen = Seen(urql["unknownId"])
    assert seen.lines == [("GET", 200)]
    assert not seen.only.has_text
    assert seen.delivered["data"] is None
    assert [one["code"] for one in seen.delivered["error"]["errors"]] == ["DOCUMENT_NOT_REGISTERED"]


def test_enforced_exchange_hands_the_miss_on(urql: dict[str, Any]) -> None:
    """With `enforcePersistedQueries` the miss itself reaches the app as a readable error."""
    seen = Seen(urql["enforced"])
    assert seen.lines == [("GET", 200)]
    messages = [one["message"] for one in seen.delivered["error"]["errors"]]
    assert messages == ["PersistedQueryNotFound"]
    assert seen.delivered["error"]["network"] is None


def test_mutation_goes_by_post(urql: dict[str, Any]) -> None:
    """A registered mutation is a POST of its id, whatever queries prefer."""
    seen = Seen(urql["saved"])
    assert seen.lines == [("POST", 200)]
    assert not seen.only.has_text
    assert seen.delivered["data"]["saveItem"]["saved"] is True
    assert_whole(seen)
