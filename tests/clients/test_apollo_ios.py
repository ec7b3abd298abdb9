"""Requests as Apollo iOS writes them, answered so that Apollo iOS can read them."""

from __future__ import annotations

import hashlib
import json
import uuid
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from persisted_queries.manifest import ManifestOperation
from tests.clients import apollo_ios as ios
from tests.clients.gateways import Gateways
from tests.clients.raw_http import send
from tests.clients.recorded import Recording, counted_releases, released

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

HOME_PAGE = {"first": 4, "latest": 2}
RECORDINGS = {
    "2.x by id": (ios.BY_ID, ios.NEWEST, HOME_PAGE),
    "2.x by id, no variables": (ios.BY_ID_NO_VARIABLES, ios.NEWEST, None),
    "2.x retry with text": (ios.RETRY, ios.NEWEST, HOME_PAGE),
    "2.x text alone": (ios.TEXT_ALONE, ios.NEWEST, HOME_PAGE),
    "2.x GET by id": (ios.GET_BY_ID, ios.NEWEST, HOME_PAGE),
    "2.x GET retry with text": (ios.GET_RETRY, ios.NEWEST, HOME_PAGE),
    "1.24 by id": (ios.V1_BY_ID, ios.OLDER, {"first": 4}),
    "1.x by id": (ios.V1_BEFORE_CLIENT_LIBRARY, ios.OLDER, {"first": 4}),
    "1.x GET by id": (ios.V1_GET_BY_ID, ios.OLDER, {"first": 4}),
}


def unregistered(selection: str) -> ManifestOperation:
    """An operation no release has, named by chance so that no other test has sent it."""
    name = f"Ios{uuid.uuid4().hex[:12]}"
    text = f"query {name} {{ home {{ __typename {selection} }} }}"
    return ManifestOperation(hashlib.sha256(text.encode()).hexdigest(), name, "query", text, "")


def objects_without_typename(value: Any, path: str = "") -> list[str]:
    """Apollo iOS asks every object for its `__typename` and decodes none without it."""
    if isinstance(value, list):
        return [found for one in value for found in objects_without_typename(one, path)]
    if not isinstance(value, dict):
        return []
    own = [] if "__typename" in value or path == "" else [path]
    below = [objects_without_typename(one, f"{path}.{name}") for name, one in value.items()]
    return own + [found for some in below for found in some]


@pytest.mark.parametrize("name", RECORDINGS)
def test_home_is_answered_whole(mobile_gateways: Gateways, token: str, name: str) -> None:
    """Every way Apollo iOS has asked for a registered screen is answered with all of it, in a form
    that its interceptors let through, under the registered policy."""
    recording, release, variables = RECORDINGS[name]
    home = released("ios", release, "Home")
    answer = send(mobile_gateways.url("ios", "registered"), recording.fill(home, variables, token))
    result = ios.read(answer)
    assert result.errors == ()
    entries = result.data["home"]["feed"]["entries"]
    assert len(entries) == (variables or {"first": 12})["first"]
    assert result.data["home"]["viewer"]["handle"] == "demo"
    assert objects_without_typename(result.data) == []


def test_recordings_are_valid_requests() -> None:
    """The table itself: sorted keys in bodies, sorted parameters in URLs, JSON throughout."""
    home = released("ios", ios.NEWEST, "Home")
    for recording, _, variables in RECORDINGS.values():
        request = recording.fill(home, variables, "token")
        if request.body is not None:
            body = json.loads(request.body)
            assert ios.escape(body).encode() == request.body
        else:
            parameters = parse_qs(urlsplit(request.line.split(" ")[1]).query, strict_parsing=True)
            assert list(parameters) == sorted(parameters)
            assert json.loads(parameters["extensions"][0])["persistedQuery"]["version"] == 1


@pytest.mark.parametrize(
    ("ask", "retry"),
    [
        pytest.param(ios.BY_ID, ios.RETRY, id="POST"),
        pytest.param(ios.GET_BY_ID, ios.RETRY, id="GET then POST"),
        pytest.param(ios.GET_BY_ID, ios.GET_RETRY, id="GET"),
    ],
)
def test_unknown_id_makes_it_send_text(
    mobile_gateways: Gateways, token: str, ask: Recording, retry: Recording
) -> None:
    """In open, a miss is a 200 with the very message Apollo iOS compares; after the text was sent
    once, the id alone is answered."""
    url = mobile_gateways.url("ios", "open")
    operation = unregistered("viewer { __typename handle }")
    request = ask.fill(operation, {}, token)
    missed = send(url, request)
    result = ios.read(missed)
    assert ios.sends_text_next(result)
    assert missed.headers["cache-control"] == "no-store"
    told = ios.read(send(url, retry.fill(operation, {}, token)))
    assert told.errors == ()
    again = ios.read(send(url, request))
    assert (again.data, again.errors) == (told.data, ())
    assert again.data["home"]["viewer"]["handle"] == "demo"


@pytest.mark.parametrize(
    ("recording", "code"),
    [
        pytest.param(ios.BY_ID, "DOCUMENT_NOT_REGISTERED", id="id"),
        pytest.param(ios.GET_BY_ID, "DOCUMENT_NOT_REGISTERED", id="GET id"),
        pytest.param(ios.TEXT_ALONE, "DOCUMENT_TEXT_NOT_REGISTERED", id="text"),
    ],
)
def test_strict_refusal_is_readable(
    mobile_gateways: Gateways, token: str, recording: Recording, code: str
) -> None:
    """Under the registered policy a refusal is a 200 whose message never makes the phone send the
    whole text again."""
    operation = unregistered("viewer { __typename handle }")
    url = mobile_gateways.url("ios", "registered")
    result = ios.read(send(url, recording.fill(operation, {}, token)))
    assert result.codes == [code]
    assert not ios.sends_text_next(result)
    assert result.data is None


def test_dead_token_is_readable(mobile_gateways: Gateways) -> None:
    """A refused token is a 200 with a code, so that the app can sign in again."""
    home = released("ios", ios.NEWEST, "Home")
    url = mobile_gateways.url("ios", "registered")
    result = ios.read(send(url, ios.BY_ID.fill(home, HOME_PAGE, "not.a.token")))
    assert result.codes == ["UNAUTHENTICATED"]


def test_signed_out_gets_the_public_part(mobile_gateways: Gateways, token: str) -> None:
    """Without a token the content screen comes with its public part and one coded field error."""
    url = mobile_gateways.url("ios", "registered")
    home = ios.read(send(url, ios.BY_ID.fill(released("ios", ios.NEWEST, "Home"), {}, token)))
    item = {"id": home.data["home"]["feed"]["entries"][0]["item"]["id"]}
    content = released("ios", ios.NEWEST, "Content")
    request = ios.BY_ID.fill(content, item, token).without("Authorization")
    result = ios.read(send(url, request))
    assert result.codes == ["UNAUTHENTICATED"]
    assert result.errors[0]["path"] == ["content", "viewerState"]
    assert result.data["content"]["item"]["title"]
    assert result.data["content"]["viewerState"] is None


def test_mutation_keeps_every_character(mobile_gateways: Gateways, token: str) -> None:
    """Escaped slashes, quotes and characters beyond the first plane arrive as they were typed."""
    bio = 'Zoë liest "alles" / часто \\ 日本語 🙂'
    edit = released("ios", ios.NEWEST, "EditProfile")
    variables = {"input": {"idempotencyKey": str(uuid.uuid4()), "bio": bio}}
    request = ios.BY_ID.fill(edit, variables, token)
    assert b"\\/" in (request.body or b"")
    result = ios.read(send(mobile_gateways.url("ios", "registered"), request))
    assert result.errors == ()
    assert result.data["editProfile"]["profile"]["bio"] == bio


@pytest.mark.parametrize(
    ("recording", "release", "proof"),
    [
        pytest.param(ios.GET_BY_ID, ios.NEWEST, "Apollo-Require-Preflight", id="2.x"),
        pytest.param(ios.V1_GET_BY_ID, ios.OLDER, "X-APOLLO-OPERATION-NAME", id="1.x"),
    ],
)
def test_get_passes_the_csrf_rule(
    mobile_gateways: Gateways, token: str, recording: Recording, release: str, proof: str
) -> None:
    """Where the credential is a cookie, the header each version adds to a GET lets it through, and
    without that header it is blocked."""
    url = mobile_gateways.url("ios", "registered", BFF__EDGE__COOKIE_CREDENTIAL="true")
    request = recording.fill(released("ios", release, "Home"), {"first": 4}, token)
    assert ios.read(send(url, request)).errors == ()
    blocked = send(url, request.without(proof))
    assert blocked.status == 403
    assert blocked.json["errors"][0]["extensions"]["code"] == "CSRF_BLOCKED"


def test_release_is_told_by_client_version(mobile_gateways: Gateways, token: str) -> None:
    """The default client version `<short>+<build>` tells the release of both app versions; a build
    that was never shipped is counted as such."""
    url = mobile_gateways.url("ios", "registered")
    newest = ios.BY_ID.fill(released("ios", ios.NEWEST, "Inbox"), {}, token)
    older = ios.V1_BY_ID.fill(released("ios", ios.OLDER, "Inbox"), {}, token)
    for request in (newest, older):
        send(url, request)
    assert {ios.NEWEST, ios.OLDER} <= counted_releases(url)
    assert "other" not in counted_releases(url)
    name = "apollographql-client-version"
    send(url, newest.instead(f"{name}: {ios.NEWEST}", f"{name}: 7.3.0+9999"))
    assert "other" in counted_releases(url)
