"""The version gate as apps meet it: Apollo Client itself, and requests of both mobile clients."""

from __future__ import annotations

import json
import uuid
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest

from persisted_queries.manifest import ManifestOperation, parse_manifest
from persisted_queries.releases import read_releases
from tests.clients import apollo_ios as ios
from tests.clients import apollo_kotlin as kotlin
from tests.clients.builds import WebBuilds
from tests.clients.gateways import Gateways, committed_releases
from tests.clients.governed import MESSAGE, STORE, VERDICTS, Governed, govern, told
from tests.clients.node import Node
from tests.clients.raw_http import Outgoing, send
from tests.clients.recorded import Recording, released
from tests.clients.seen import Seen
from tests.harness.stack import Stack

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

CODES = {"FORCE_UPGRADE": "CLIENT_UPGRADE_REQUIRED", "BLOCKED": "CLIENT_BLOCKED"}
SERVED = [name for name in VERDICTS if name not in CODES]
IOS = {
    "OK": ios.NEWEST,
    "SOFT_UPGRADE": ios.OLDER,
    "BLOCKED": "7.1.0+750",
    "FORCE_UPGRADE": "7.0.0+700",
}
KOTLIN = {
    "OK": kotlin.NEWEST,
    "SOFT_UPGRADE": kotlin.OLDER,
    "BLOCKED": "6.7.0+2190",
    "FORCE_UPGRADE": "6.6.0+2100",
}
WEB = {
    "OK": "99.3.0+4",
    "SOFT_UPGRADE": "99.2.0+3",
    "BLOCKED": "99.1.0+2",
    "FORCE_UPGRADE": "99.0.0+1",
}
# Whoever signs out for good in these tests.
LEAVERS = iter(f"reader{number:05d}" for number in range(40, 60))


def documents(platform: str, builds: dict[str, str]) -> dict[str, tuple[ManifestOperation, ...]]:
    """The committed documents of each build; those of the older committed one for builds that
    were never committed."""
    found = {
        one.name: one.manifest.operations
        for one in read_releases(committed_releases(platform), platform)
    }
    older = found[builds["SOFT_UPGRADE"]]
    return {verdict: found.get(name, older) for verdict, name in builds.items()}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("governed")


@pytest.fixture(scope="module")
def ios_gate(folder: Path) -> Governed:
    return govern(folder, "ios", IOS, documents("ios", IOS))


@pytest.fixture(scope="module")
def kotlin_gate(folder: Path) -> Governed:
    return govern(folder, "android", KOTLIN, documents("android", KOTLIN))


# --- Apollo iOS


def from_ios(recording: Recording, verdict: str, name: str, variables: Any, token: str) -> Outgoing:
    """A request of the build that gets this verdict."""
    release = IOS[verdict] if IOS[verdict] == ios.NEWEST else ios.OLDER
    request = recording.fill(released("ios", release, name), variables, token)
    header = "apollographql-client-version"
    return request.instead(f"{header}:", f"{header}: {IOS[verdict]}")


@pytest.mark.parametrize("recording", [ios.BY_ID, ios.GET_BY_ID], ids=["POST", "GET"])
@pytest.mark.parametrize("verdict", SERVED)
def test_ios_is_served_and_told(
    mobile_gateways: Gateways, ios_gate: Governed, token: str, verdict: str, recording: Recording
) -> None:
    """OK and SOFT_UPGRADE come beside the whole screen."""
    request = from_ios(recording, verdict, "Home", {"first": 4}, token)
    result = ios.read(send(ios_gate.url(mobile_gateways), request))
    assert result.errors == ()
    assert result.data["home"]["viewer"]["handle"] == "demo"
    assert result.extensions["client"] == told(verdict)


@pytest.mark.parametrize("recording", [ios.BY_ID, ios.GET_BY_ID], ids=["POST", "GET"])
@pytest.mark.parametrize("verdict", CODES)
def test_ios_reads_the_refusal(
    mobile_gateways: Gateways, ios_gate: Governed, token: str, verdict: str, recording: Recording
) -> None:
    """FORCE_UPGRADE and BLOCKED are readable: 200, words for the user as the message, no data; and
    nothing makes the phone send its text."""
    request = from_ios(recording, verdict, "Home", {"first": 4}, token)
    answer = send(ios_gate.url(mobile_gateways), request)
    assert (answer.status, answer.headers["cache-control"]) == (200, "no-store")
    result = ios.read(answer)
    assert (result.data, result.codes) == (None, [CODES[verdict]])
    assert result.errors[0]["message"] == MESSAGE
    assert result.extensions["client"] == told(verdict)
    assert not ios.sends_text_next(result)


def test_ios_survives_the_upgrade_status(
    mobile_gateways: Gateways, ios_gate: Governed, token: str
) -> None:
    """Where operators want 426, a phone still reads its refusal, because it accepts the media type
    that has 200; what accepts plain JSON alone gets 426."""
    url = ios_gate.url(mobile_gateways, BFF__CLIENT__UPGRADE_STATUS="426")
    request = from_ios(ios.BY_ID, "BLOCKED", "Home", {}, token)
    assert ios.read(send(url, request)).codes == ["CLIENT_BLOCKED"]
    plain = send(url, request.instead("Accept:", "Accept: application/json"))
    assert (plain.status, plain.json["data"]) == (426, None)


@pytest.mark.parametrize("verdict", CODES)
def test_ios_refused_build_finishes_its_work(
    mobile_gateways: Gateways, ios_gate: Governed, services: Stack, verdict: str
) -> None:
    """While an upgrade is forced, a write that waited in the app and signing out pass, in effect
    too; another write, and a waiting one of a dead session, do not."""
    url, token = ios_gate.url(mobile_gateways), services.token(next(LEAVERS))

    def write(name: str, fields: dict[str, Any]) -> Any:
        variables = {"input": {"idempotencyKey": str(uuid.uuid4()), **fields}}
        return ios.read(send(url, from_ios(ios.BY_ID, verdict, name, variables, token)))

    saved = write("SaveItem", {"itemId": "itm_00003"})
    assert saved.errors == ()
    assert saved.data["saveItem"]["saved"] is True
    assert saved.extensions["client"]["status"] == verdict
    assert write("EditProfile", {"bio": "new"}).codes == [CODES[verdict]]
    assert write("SignOut", {}).data["signOut"]["state"] == "SIGNED_OUT"
    assert write("SaveItem", {"itemId": "itm_00003"}).codes == ["UNAUTHENTICATED"]


def test_ios_reader_of_old_fields_is_warned(
    mobile_gateways: Gateways, ios_gate: Governed, token: str
) -> None:
    """The older build, whose screen reads a deprecated field, is told since when, until when and
    why, in headers and in the answer; the newest build is told nothing."""
    url = ios_gate.url(mobile_gateways, BFF__CLIENT__DEPRECATIONS_URL="https://docs.example/old")
    old = send(url, from_ios(ios.BY_ID, "SOFT_UPGRADE", "Home", {"first": 4}, token))
    assert old.headers["deprecation"].startswith("@")
    recorded = ios_gate.made.reader().state.schemas[0].since
    assert int(old.headers["deprecation"][1:]) == int(recorded.timestamp())
    assert parsedate_to_datetime(old.headers["sunset"]).date().isoformat() == "2027-06-30"
    assert old.headers["link"] == '<https://docs.example/old>; rel="deprecation"; type="text/html"'
    (entry,) = ios.read(old).extensions["deprecations"]
    assert (entry["field"], entry["after"]) == ("Article.readTime", "2027-06-30")
    new = send(url, from_ios(ios.BY_ID, "OK", "Home", {"first": 4}, token))
    assert not {"deprecation", "sunset", "link"} & new.headers.keys()
    assert "deprecations" not in ios.read(new).extensions


# --- Apollo Kotlin


def from_kotlin(
    recording: Recording, verdict: str, name: str, variables: Any, token: str
) -> Outgoing:
    release = KOTLIN[verdict] if KOTLIN[verdict] == kotlin.NEWEST else kotlin.OLDER
    version, _, build = KOTLIN[verdict].partition("+")
    request = recording.fill(released("android", release, name), variables, token)
    header = "apollographql-client-version"
    request = request.instead(f"{header}:", f"{header}: {version}")
    return request.instead("x-app-build:", f"x-app-build: {build}")


@pytest.mark.parametrize("recording", [kotlin.BY_ID, kotlin.GET_BY_ID], ids=["POST", "GET"])
@pytest.mark.parametrize("verdict", VERDICTS)
def test_kotlin_reads_every_verdict(
    mobile_gateways: Gateways,
    kotlin_gate: Governed,
    token: str,
    verdict: str,
    recording: Recording,
) -> None:
    """Each verdict reaches Apollo Kotlin: beside data, or with code and words in its place."""
    request = from_kotlin(recording, verdict, "Home", {"first": 4}, token)
    result = kotlin.read(send(kotlin_gate.url(mobile_gateways), request))
    assert result.extensions["client"] == told(verdict)
    if verdict in CODES:
        assert (result.data, result.codes) == (None, [CODES[verdict]])
        assert result.errors[0]["message"] == MESSAGE
        assert not kotlin.sends_text_next(result)
    else:
        assert result.data["home"]["viewer"]["handle"] == "demo"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_kotlin_batch_tells_each_member(
    mobile_gateways: Gateways, kotlin_gate: Governed, services: Stack, verdict: str
) -> None:
    """In a batch of a screen, a waiting write and a sign-out each member has its own answer and the
    verdict; a refused build's screen alone is refused."""
    token = services.token(next(LEAVERS))

    def key() -> dict[str, str]:
        return {"idempotencyKey": str(uuid.uuid4())}

    members = [
        from_kotlin(kotlin.BY_ID, verdict, "Home", {"first": 2}, token),
        from_kotlin(
            kotlin.BY_ID, verdict, "SaveItem", {"input": {**key(), "itemId": "itm_00002"}}, token
        ),
    ]
    url = kotlin_gate.url(mobile_gateways)
    home, saved = kotlin.read_batch(send(url, kotlin.batched(members)), 2)
    assert home.codes == ([CODES[verdict]] if verdict in CODES else [])
    assert (home.data is None) is (verdict in CODES)
    assert saved.data["saveItem"]["saved"] is True
    assert [one.extensions["client"] for one in (home, saved)] == [told(verdict)] * 2
    out = from_kotlin(kotlin.BY_ID, verdict, "SignOut", {"input": key()}, token)
    (left,) = kotlin.read_batch(send(url, kotlin.batched([out])), 1)
    assert left.data["signOut"]["state"] == "SIGNED_OUT"


# --- Apollo Client


@pytest.fixture(scope="module")
def apollo(
    node: Node,
    web_builds: WebBuilds,
    web_gateways: Gateways,
    services: Stack,
    token: str,
    folder: Path,
) -> dict[str, Any]:
    """What Apollo Client was given, by verdict and scenario."""
    sent = parse_manifest(web_builds.apollo_manifest.read_bytes(), "web").operations
    gate = govern(folder, "web", WEB, dict.fromkeys(VERDICTS, sent))
    found: dict[str, Any] = node.run_script(
        "version_gate.mjs",
        GATEWAY_URL=gate.url(web_gateways),
        TOKEN=token,
        LEAVERS=json.dumps({name: services.token(next(LEAVERS)) for name in VERDICTS}),
        APOLLO_MANIFEST=str(web_builds.apollo_manifest),
        OPERATIONS=str(web_builds.operations),
        SCHEMA=str(web_builds.schema),
        RELEASES=json.dumps(WEB),
    )
    return found


@pytest.mark.parametrize("verdict", SERVED)
def test_apollo_client_is_served_and_told(apollo: dict[str, Any], verdict: str) -> None:
    """OK and SOFT_UPGRADE come beside the whole screen, where a link of the app reads them."""
    seen = Seen(apollo[verdict]["home"])
    assert seen.delivered["data"]["home"]["viewer"]["handle"] == "demo"
    assert seen.delivered["error"] is None
    assert apollo[verdict]["home"]["told"] == [told(verdict)]


@pytest.mark.parametrize("verdict", CODES)
def test_apollo_client_reads_the_refusal(apollo: dict[str, Any], verdict: str) -> None:
    """FORCE_UPGRADE and BLOCKED reach the app as GraphQL errors with words for its user, and the
    verdict to the same link; nothing is sent twice."""
    seen = Seen(apollo[verdict]["home"])
    assert seen.lines == [("POST", 200)]
    assert seen.only.answer["data"] is None
    assert not seen.delivered["data"]
    assert seen.delivered["error"]["name"] == "CombinedGraphQLErrors"
    (error,) = seen.delivered["error"]["errors"]
    assert (error["code"], error["message"]) == (CODES[verdict], MESSAGE)
    assert apollo[verdict]["home"]["told"] == [
        {"status": verdict, "storeUrl": STORE, "message": MESSAGE}
    ]


@pytest.mark.parametrize("verdict", VERDICTS)
def test_apollo_client_finishes_its_work(apollo: dict[str, Any], verdict: str) -> None:
    """Whatever the verdict, a waiting write and signing out come through whole."""
    saved, left = (Seen(apollo[verdict][name]) for name in ("saved", "signedOut"))
    assert (saved.delivered["error"], left.delivered["error"]) == (None, None)
    assert saved.delivered["data"]["saveItem"]["saved"] is True
    assert left.delivered["data"]["signOut"]["state"] == "SIGNED_OUT"


@pytest.mark.parametrize("verdict", VERDICTS)
def test_apollo_client_public_screen(apollo: dict[str, Any], verdict: str) -> None:
    """A screen that is the same for everybody says nothing of the build that asked; a refused build
    gets none."""
    seen = Seen(apollo[verdict]["public"])
    if verdict in CODES:
        assert [one["code"] for one in seen.delivered["error"]["errors"]] == [CODES[verdict]]
    else:
        assert seen.delivered["data"]["content"]["item"]["title"]
        assert "client" not in seen.only.answer.get("extensions", {})
