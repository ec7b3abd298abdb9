"""Requests as Apollo Kotlin writes them, answered so that Apollo Kotlin can read them."""

from __future__ import annotations

import hashlib
import json
import uuid
from urllib.parse import parse_qs, urlsplit

import pytest

from persisted_queries.manifest import ManifestOperation
from tests.clients import apollo_kotlin as kotlin
from tests.clients.gateways import Gateways
from tests.clients.raw_http import send
from tests.clients.recorded import Recording, ResponseCodeError, counted_releases, released

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

HOME_PAGE = {"pageSize": 4, "density": "XXHDPI"}
RECORDINGS = {
    "5 by id": (kotlin.BY_ID, kotlin.NEWEST, HOME_PAGE),
    "5 by id, no variables": (kotlin.BY_ID_NO_VARIABLES, kotlin.NEWEST, None),
    "5 by id, null query": (kotlin.BY_ID_NULL_QUERY, kotlin.NEWEST, HOME_PAGE),
    "5 by id, onError": (kotlin.BY_ID_ON_ERROR, kotlin.NEWEST, HOME_PAGE),
    "5 retry with text": (kotlin.RETRY, kotlin.NEWEST, HOME_PAGE),
    "5 text alone": (kotlin.TEXT_ALONE, kotlin.NEWEST, HOME_PAGE),
    "5 GET by id": (kotlin.GET_BY_ID, kotlin.NEWEST, HOME_PAGE),
    "5 GET by id, no variables": (kotlin.GET_BY_ID_NO_VARIABLES, kotlin.NEWEST, None),
    "4 by id": (kotlin.V4_BY_ID, kotlin.OLDER, {"pageSize": 4}),
    "4 retry with text": (kotlin.V4_RETRY, kotlin.OLDER, {"pageSize": 4}),
}


def unregistered(selection: str = "viewer { handle }") -> ManifestOperation:
    """An operation no release has, named by chance so that no other test has sent it."""
    name = f"Kotlin{uuid.uuid4().hex[:12]}"
    text = f"query {name} {{ home {{ {selection} }} }}"
    return ManifestOperation(hashlib.sha256(text.encode()).hexdigest(), name, "query", text, "")


@pytest.fixture
def registered_url(mobile_gateways: Gateways) -> str:
    return mobile_gateways.url("android", "registered")


@pytest.fixture
def open_url(mobile_gateways: Gateways) -> str:
    return mobile_gateways.url("android", "open")


@pytest.mark.parametrize("name", RECORDINGS)
def test_home_is_answered_whole(registered_url: str, token: str, name: str) -> None:
    """Every way Apollo Kotlin has asked for a registered screen is answered with all of it, in one
    JSON piece although multipart is what it lists first."""
    recording, release, variables = RECORDINGS[name]
    home = released("android", release, "Home")
    result = kotlin.read(send(registered_url, recording.fill(home, variables, token)))
    assert result.errors == ()
    assert len(result.data["home"]["feed"]["items"]) == (variables or {"pageSize": 10})["pageSize"]
    assert result.data["home"]["viewer"]["handle"] == "demo"


def test_recordings_are_valid_requests() -> None:
    """The table itself: JSON and percent-encoding that decode to what was meant."""
    home = released("android", kotlin.NEWEST, "Home")
    for recording, _, variables in RECORDINGS.values():
        request = recording.fill(home, variables, "token")
        if request.body is not None:
            assert json.loads(request.body)["operationName"] == "Home"
        else:
            parameters = parse_qs(urlsplit(request.line.split(" ")[1]).query, strict_parsing=True)
            sent = json.loads(parameters["extensions"][0])
            assert sent["persistedQuery"] == {"version": 1, "sha256Hash": home.id}


@pytest.mark.parametrize(
    ("ask", "retry"),
    [
        pytest.param(kotlin.GET_BY_ID, kotlin.RETRY, id="5"),
        pytest.param(kotlin.V4_BY_ID, kotlin.V4_RETRY, id="4"),
    ],
)
def test_unknown_id_makes_it_send_text(
    open_url: str, token: str, ask: Recording, retry: Recording
) -> None:
    """In open, the GET of an unknown id misses without being cached, the POST with the text is
    answered, and the next GET is a hit."""
    operation = unregistered()
    request = ask.fill(operation, {}, token)
    missed = send(open_url, request)
    assert kotlin.sends_text_next(kotlin.read(missed))
    assert missed.headers["cache-control"] == "no-store"
    told = kotlin.read(send(open_url, retry.fill(operation, {}, token)))
    assert told.errors == ()
    again = kotlin.read(send(open_url, request))
    assert (again.data, again.errors) == ({"home": {"viewer": {"handle": "demo"}}}, ())
    assert told.data == again.data


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        pytest.param(kotlin.GET_BY_ID, "DOCUMENT_NOT_REGISTERED", id="GET id"),
        pytest.param(kotlin.BY_ID, "DOCUMENT_NOT_REGISTERED", id="id"),
        pytest.param(kotlin.TEXT_ALONE, "DOCUMENT_TEXT_NOT_REGISTERED", id="text"),
    ],
)
def test_strict_refusal_is_readable(
    registered_url: str, token: str, recording: Recording, code: str
) -> None:
    """Under the registered policy a refusal is read with its code and never asks for the text."""
    answer = send(registered_url, recording.fill(unregistered(), {}, token))
    result = kotlin.read(answer)
    assert answer.status == 200
    assert result.codes == [code]
    assert not kotlin.sends_text_next(result)


def test_invalid_document_is_readable(open_url: str, token: str) -> None:
    """A 400 in the GraphQL media type is one of the few errors Kotlin reads the body of."""
    operation = unregistered("viewer { nothingOfTheKind }")
    answer = send(open_url, kotlin.TEXT_ALONE.fill(operation, {}, token))
    assert answer.status == 400
    assert kotlin.read(answer).codes == ["GRAPHQL_VALIDATION_FAILED"]


def test_known_answer_is_not_sent_again(mobile_gateways: Gateways, token: str) -> None:
    """OkHttp's conditional GET is answered 304 without a body, but never for another viewer; in
    production, where no count of upstream calls makes two equal answers differ."""
    production = mobile_gateways.url(
        "android", "registered", BFF_ENV="production", BFF__EDGE__LAME_DUCK_S="0"
    )
    home = released("android", kotlin.NEWEST, "Home")
    request = kotlin.GET_BY_ID.fill(home, HOME_PAGE, token)
    first = send(production, request)
    assert kotlin.read(first).errors == ()
    condition = f"If-None-Match: {first.headers['etag']}"
    again = send(production, request.plus(condition))
    assert (again.status, again.body) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    nobody = send(production, request.without("Authorization").plus(condition))
    assert nobody.status == 200
    assert set(kotlin.read(nobody).codes) == {"UNAUTHENTICATED"}


def test_mutation_by_id_is_answered(registered_url: str, token: str) -> None:
    """A write is a POST of its id even where queries go by GET; its key may be repeated."""
    home = released("android", kotlin.NEWEST, "Home")
    feed = kotlin.read(send(registered_url, kotlin.GET_BY_ID.fill(home, HOME_PAGE, token)))
    item = feed.data["home"]["feed"]["items"][0]["item"]["id"]
    save = released("android", kotlin.NEWEST, "SaveItem")
    variables = {"input": {"idempotencyKey": str(uuid.uuid4()), "itemId": item}}
    request = kotlin.BY_ID.fill(save, variables, token)
    outcomes = [kotlin.read(send(registered_url, request)) for _ in range(2)]
    assert outcomes[0].errors == ()
    assert outcomes[0].data["saveItem"]["saved"] is True
    assert outcomes[0] == outcomes[1]


def test_mutation_by_get_is_refused(registered_url: str, token: str) -> None:
    """A write that came by GET is a 405 that says which method to use."""
    out = released("android", kotlin.NEWEST, "SignOut")
    variables = {"input": {"idempotencyKey": str(uuid.uuid4())}}
    answer = send(registered_url, kotlin.GET_BY_ID.fill(out, variables, token))
    assert (answer.status, answer.headers["allow"]) == (405, "POST")
    assert kotlin.read(answer).codes == ["METHOD_NOT_ALLOWED"]


def test_chunked_batch_keeps_count_and_order(registered_url: str, token: str) -> None:
    """Ten members without Content-Length, one of them unknown: as many answers, each in its place,
    the wrong one wrong alone."""
    home = released("android", kotlin.NEWEST, "Home")
    sizes = [3, 1, 5, 2, 4, 6, 9, 7, 8]
    members = [kotlin.BY_ID.fill(home, {"pageSize": size}, token) for size in sizes]
    members.insert(4, kotlin.BY_ID.fill(unregistered(), {}, token))
    answer = send(registered_url, kotlin.batched(members))
    assert answer.media_type == "application/json"
    results = kotlin.read_batch(answer, len(members))
    refused = results.pop(4)
    assert refused.codes == ["DOCUMENT_NOT_REGISTERED"]
    assert [result.errors for result in results] == [()] * len(sizes)
    assert [len(result.data["home"]["feed"]["items"]) for result in results] == sizes


def test_batch_may_miss_and_retry(open_url: str, token: str) -> None:
    """Ids in a batch miss each on its own; the retry with texts is a batch as well."""
    operations = [unregistered(), unregistered("inbox { unread }")]
    asked = kotlin.batched([kotlin.BY_ID.fill(one, {}, token) for one in operations])
    missed = kotlin.read_batch(send(open_url, asked), 2)
    assert [kotlin.sends_text_next(result) for result in missed] == [True, True]
    retry = kotlin.batched([kotlin.RETRY.fill(one, {}, token) for one in operations])
    told = kotlin.read_batch(send(open_url, retry), 2)
    again = kotlin.read_batch(send(open_url, asked), 2)
    assert again == told
    assert told[0].data == {"home": {"viewer": {"handle": "demo"}}}
    assert told[1].data["home"]["inbox"]["unread"] >= 0


def test_batch_loses_headers_that_differ(registered_url: str, token: str) -> None:
    """Two viewers in one batch leave no Authorization: both are answered as nobody, which the
    answers say, and neither gets the other's data."""
    home = released("android", kotlin.NEWEST, "Home")
    members = [kotlin.BY_ID.fill(home, HOME_PAGE, one) for one in (token, "another.viewers.token")]
    request = kotlin.batched(members)
    assert not any(line.startswith("Authorization") for line in request.headers)
    results = kotlin.read_batch(send(registered_url, request), 2)
    for result in results:
        assert set(result.codes) == {"UNAUTHENTICATED"}
        assert result.data == {"home": {"viewer": None, "feed": None, "inbox": None}}


def test_too_large_batch_is_refused_whole(registered_url: str, token: str) -> None:
    """One member more than Kotlin's default of ten is refused by status, as Kotlin expects."""
    inbox = released("android", kotlin.NEWEST, "Inbox")
    answer = send(registered_url, kotlin.batched([kotlin.BY_ID.fill(inbox, {}, token)] * 11))
    assert (answer.status, answer.headers["cache-control"]) == (400, "no-store")
    with pytest.raises(ResponseCodeError):
        kotlin.read_batch(answer, 11)


def test_release_is_told_by_build_header(registered_url: str, token: str) -> None:
    """`x-app-build` beside the plain client version tells the release of both app versions; a build
    that was never shipped is counted as such."""
    inbox = released("android", kotlin.NEWEST, "Inbox")
    newest = kotlin.BY_ID.fill(inbox, {}, token)
    older = kotlin.V4_BY_ID.fill(released("android", kotlin.OLDER, "Inbox"), {}, token)
    for request in (newest, older):
        send(registered_url, request)
    assert {kotlin.NEWEST, kotlin.OLDER} <= counted_releases(registered_url)
    assert "other" not in counted_releases(registered_url)
    send(registered_url, newest.instead("x-app-build: 2310", "x-app-build: 9999"))
    assert "other" in counted_releases(registered_url)
