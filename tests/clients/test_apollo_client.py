"""Apollo Client against the web gateway: what it sent, what came back, what the app was given."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

from persisted_queries.pack import pack, read_documents
from tests.clients.builds import WebBuilds
from tests.clients.node import Node
from tests.clients.recorded import counted_releases
from tests.clients.seen import (
    GRAPHQL_JSON,
    PLAIN_JSON,
    Exchange,
    Seen,
    differences,
    without_typenames,
)

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

NOT_FOUND = {
    "errors": [
        {
            "message": "PersistedQueryNotFound",
            "extensions": {"code": "PERSISTED_QUERY_NOT_FOUND"},
        }
    ]
}


@pytest.fixture(scope="module")
def apollo(node: Node, web_settings: dict[str, str]) -> dict[str, Any]:
    """The results of the script, by scenario."""
    results: dict[str, Any] = node.run_script("apollo_client.mjs", **web_settings)
    return results


def manifest_ids(builds: WebBuilds) -> dict[str, str]:
    operations = json.loads(builds.apollo_manifest.read_bytes())["operations"]
    return {operation["name"]: operation["id"] for operation in operations}


def assert_whole(seen: Seen) -> None:
    """The app was given all of the answer's data and no error."""
    assert seen.delivered["error"] is None
    assert seen.delivered["thrown"] is None
    answered = seen.exchanges[-1].answer
    assert "errors" not in answered
    assert without_typenames(seen.delivered["data"]) == without_typenames(answered["data"])


def assert_missed_then_hit(miss: Seen, hit: Seen, method: str) -> None:
    """Id alone, not found, id and text by POST; a client that knows nothing then needs one
    request."""
    assert miss.lines == [(method, 200), ("POST", 200)]
    first, retry = miss.exchanges
    assert first.answer == NOT_FOUND
    assert first.answer_headers["cache-control"] == "no-store"
    assert not first.has_text
    assert retry.has_text
    text = retry.sent["query"]
    assert retry.persisted["sha256Hash"] == hashlib.sha256(text.encode()).hexdigest()
    assert_whole(miss)
    assert hit.lines == [(method, 200)]
    assert not hit.only.has_text
    assert hit.only.persisted == first.persisted
    assert_whole(hit)
    assert hit.delivered["data"] == miss.delivered["data"]


def test_manifest_tool_agrees_with_ours(web_builds: WebBuilds) -> None:
    """`bff pack` writes for Apollo Client what its own manifest tool writes, to the byte of every
    text and id."""
    own = json.loads(pack(read_documents(web_builds.operations), "apollo-client"))
    assert own == json.loads(web_builds.apollo_manifest.read_bytes())


def test_runtime_documents_match_manifest(apollo: dict[str, Any]) -> None:
    """Apollo's own verification link finds that the app sends exactly what was registered."""
    assert apollo["everyQueryByManifest"]["mismatches"] == []


@pytest.mark.parametrize("name", ["Home", "Profile", "Inbox", "Content", "PublicContent"])
def test_manifest_id_is_answered_whole(
    apollo: dict[str, Any], web_builds: WebBuilds, name: str
) -> None:
    """One POST of the manifest's id alone brings the whole screen under the registered policy."""
    seen = Seen(apollo["everyQueryByManifest"]["results"][name])
    assert seen.lines == [("POST", 200)]
    assert not seen.only.has_text
    assert seen.only.persisted == {"version": 1, "sha256Hash": manifest_ids(web_builds)[name]}
    assert seen.only.sent["extensions"]["clientLibrary"]["name"] == "@apollo/client"
    assert seen.only.answer_headers["content-type"] == GRAPHQL_JSON
    assert_whole(seen)


def test_lists_and_unions_reach_the_cache(apollo: dict[str, Any]) -> None:
    """The feed arrives through Apollo's normalised cache with every edge and its concrete type."""
    seen = Seen(apollo["everyQueryByManifest"]["results"]["Home"])
    edges = seen.delivered["data"]["home"]["feed"]["edges"]
    assert len(edges) == 5
    assert {edge["node"]["__typename"] for edge in edges} <= {"Article", "Video", "Collection"}
    assert all(edge["node"]["author"]["handle"] for edge in edges)


def test_release_is_told_by_awareness_headers(
    apollo: dict[str, Any], web_settings: dict[str, str], web_builds: WebBuilds
) -> None:
    """The gateway counts Apollo Client's requests under the release in its awareness headers."""
    sent = Seen(apollo["everyQueryByManifest"]["results"]["Home"]).only.headers
    assert sent["apollographql-client-name"] == "facet-web-apollo"
    assert sent["apollographql-client-version"] == web_builds.apollo_release
    assert web_builds.apollo_release in counted_releases(web_settings["REGISTERED_URL"])


def test_automatic_id_misses_once(apollo: dict[str, Any]) -> None:
    """In open, an unknown hash is sent again with its text, once and for all clients."""
    results = apollo["automaticIds"]
    assert_missed_then_hit(Seen(results["miss"]), Seen(results["hit"]), "POST")


def test_registered_text_misses_once(apollo: dict[str, Any]) -> None:
    """A registered document whose runtime text has another order of definitions than its manifest
    is found by that text's hash from the second time on."""
    results = apollo["automaticIds"]["ownOrder"]
    assert_missed_then_hit(Seen(results["miss"]), Seen(results["hit"]), "POST")


def test_hashed_query_goes_by_get(apollo: dict[str, Any], web_builds: WebBuilds) -> None:
    """`useGETForHashedQueries`: one GET with the id in `extensions`, answered with an ETag that
    belongs to this viewer alone."""
    seen = Seen(apollo["hashedQueriesByGet"]["known"])
    assert seen.lines == [("GET", 200)]
    assert seen.only.persisted["sha256Hash"] == manifest_ids(web_builds)["Home"]
    assert seen.only.sent["variables"] == {"first": 3}
    assert seen.only.answer_headers["cache-control"].startswith("private")
    assert seen.only.answer_headers["etag"]
    assert_whole(seen)


def test_get_miss_retries_by_post(apollo: dict[str, Any]) -> None:
    """A hash unknown to GET is registered by POST and found by GET afterwards; the miss is not to
    be stored by any cache on the way."""
    results = apollo["hashedQueriesByGet"]
    assert_missed_then_hit(Seen(results["miss"]), Seen(results["hit"]), "GET")


def test_mutation_never_goes_by_get(apollo: dict[str, Any]) -> None:
    """With GET for hashed queries a mutation still is a POST of its id."""
    seen = Seen(apollo["hashedQueriesByGet"]["mutation"])
    assert seen.lines == [("POST", 200)]
    assert not seen.only.has_text
    assert seen.delivered["data"]["saveItem"]["state"] == "SAVED"


def assert_batched(exchange: Exchange, names: list[str]) -> None:
    assert exchange.line == ("POST", 200)
    assert [member["operationName"] for member in exchange.sent] == names
    assert exchange.answer_headers["content-type"] == PLAIN_JSON
    assert exchange.answer_headers["cache-control"] == "no-store"
    assert len(exchange.answer) == len(names)


def test_batch_answers_in_order(apollo: dict[str, Any]) -> None:
    """One JSON array, one answer each in its place; a wrong member costs only itself."""
    seen = Seen(apollo["batches"]["texts"])
    assert_batched(seen.only, ["Home", "ApolloWrong", "PublicContent"])
    home, wrong, content = seen.deliveries
    assert len(home["data"]["home"]["feed"]["edges"]) == 2
    assert home["error"] is content["error"] is None
    assert content["data"]["content"]["item"]["title"]
    assert wrong["data"] is None
    assert [error["code"] for error in wrong["error"]["errors"]] == ["GRAPHQL_VALIDATION_FAILED"]


def test_batch_of_ids_is_answered(apollo: dict[str, Any]) -> None:
    """Members that are ids alone are answered under the registered policy."""
    seen = Seen(apollo["batches"]["ids"])
    assert_batched(seen.only, ["Inbox", "PublicContent"])
    assert not any("query" in member for member in seen.only.sent)
    inbox, content = seen.deliveries
    assert inbox["data"]["inbox"]["notifications"]["unread"] >= 0
    assert content["data"]["content"]["item"]["title"]
    assert inbox["error"] is content["error"] is None


def test_batch_misses_retry_together(apollo: dict[str, Any]) -> None:
    """A member that misses says so in its own place; only what missed is sent again with text."""
    seen = Seen(apollo["batches"]["miss"])
    first, retry = seen.exchanges
    assert_batched(first, ["ApolloFresh", "Home"])
    fresh, known = first.answer
    assert fresh == NOT_FOUND
    assert "errors" not in known
    assert_batched(retry, ["ApolloFresh"])
    assert retry.sent[0]["query"]
    assert [delivery["error"] for delivery in seen.deliveries] == [None, None]
    assert seen.deliveries[0]["data"]["home"]["viewer"]["handle"] == "demo"
    assert len(seen.deliveries[1]["data"]["home"]["feed"]["edges"]) == 2


def test_repeated_key_repeats_the_outcome(apollo: dict[str, Any]) -> None:
    """A write sent again with its idempotency key brings the first outcome and no new effect: what
    was taken back in between stays taken back."""
    writes = apollo["writes"]
    saved, unsaved, again, state = (
        Seen(writes[name]) for name in ("saved", "unsaved", "savedAgain", "state")
    )
    outcome = saved.delivered["data"]["saveItem"]
    assert (outcome["state"], outcome["saved"]) == ("SAVED", True)
    assert outcome["itemId"] == writes["itemId"]
    taken_back = unsaved.delivered["data"]["unsaveItem"]
    assert taken_back["state"] == "UNSAVED"
    assert taken_back["revision"] > outcome["revision"]
    assert again.only.sent["variables"] == saved.only.sent["variables"]
    assert again.delivered["data"]["saveItem"] == outcome
    assert state.delivered["data"]["content"]["viewerState"]["saved"] is False


def test_reused_key_reaches_the_app(apollo: dict[str, Any]) -> None:
    """The same key for another item is refused as a field error beside `data`."""
    seen = Seen(apollo["writes"]["reused"])
    assert seen.lines == [("POST", 200)]
    assert seen.delivered["data"] == {"saveItem": None}
    (error,) = seen.delivered["error"]["errors"]
    assert (error["code"], error["path"]) == ("IDEMPOTENCY_KEY_REUSED", ["saveItem"])


def test_partial_data_reaches_the_app(apollo: dict[str, Any]) -> None:
    """Signed out, the screen's public part arrives together with the coded error and its path."""
    seen = Seen(apollo["failures"]["partial"])
    assert seen.lines == [("POST", 200)]
    assert seen.only.answer_headers["cache-control"].startswith("private")
    (error,) = seen.delivered["error"]["errors"]
    assert (error["code"], error["path"]) == ("UNAUTHENTICATED", ["content", "viewerState"])
    content = seen.delivered["data"]["content"]
    assert content["viewerState"] is None
    assert content["item"]["title"]
    assert content["comments"] is not None
    assert without_typenames(seen.delivered["data"]) == without_typenames(seen.only.answer["data"])


def test_app_may_refuse_partial_data(apollo: dict[str, Any]) -> None:
    """With Apollo's default error policy the same answer is thrown as GraphQL errors, not as a
    network failure."""
    thrown = Seen(apollo["failures"]["partialRefusedByApp"]).delivered["thrown"]
    assert thrown["name"] == "CombinedGraphQLErrors"
    assert [error["code"] for error in thrown["errors"]] == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(
    ("group", "scenario", "status", "code"),
    [
        ("failures", "badToken", 200, "UNAUTHENTICATED"),
        ("failures", "invalid", 400, "GRAPHQL_VALIDATION_FAILED"),
        ("strictPolicy", "unknownId", 200, "DOCUMENT_NOT_REGISTERED"),
        ("strictPolicy", "unregisteredText", 200, "DOCUMENT_TEXT_NOT_REGISTERED"),
    ],
)
def test_refusal_reaches_the_app_at_once(
    apollo: dict[str, Any], group: str, scenario: str, status: int, code: str
) -> None:
    """A refused request is not repeated, and the app reads its code as a GraphQL error."""
    seen = Seen(apollo[group][scenario])
    assert seen.lines == [("POST", status)]
    assert seen.only.codes == [code]
    assert seen.only.answer_headers["cache-control"] == "no-store"
    assert "data" not in seen.only.answer
    assert seen.delivered["data"] is None
    assert seen.delivered["error"]["name"] == "CombinedGraphQLErrors"
    assert [error["code"] for error in seen.delivered["error"]["errors"]] == [code]


def test_registered_text_is_answered(apollo: dict[str, Any]) -> None:
    """Under the registered policy the text of a registered document is answered too, although
    Apollo Client orders its definitions otherwise than its manifest."""
    seen = Seen(apollo["strictPolicy"]["registeredText"])
    assert seen.lines == [("POST", 200)]
    assert seen.only.has_text
    assert_whole(seen)
    assert list(differences(seen.delivered["data"], seen.only.answer["data"])) == []
