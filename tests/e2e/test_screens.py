"""One hanging or dead service costs a screen its own sections, in time; the app is told which."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from typing import Any

import httpx2

from bff.upstreams.transport import Incoming, Outgoing, Transport, TransportTimeout
from tests.harness.modes import assert_by_plan
from tests.harness.stack import Stack, ask, registered
from tests.harness.transports import RecordingTransport

FEED, HEAD, CARDS, RELATED = "/v1/feed", "/v1/inbox/head", "/v1/cards/batch", "/v1/related/batch"
# As declared in the schema; without the patience of other tests.
DECLARED = {"BFF__SCREENS__STRETCH": "1"}
WARM = {**DECLARED, "BFF__CACHE__ENABLED": "true"}
SECTIONS = ["home.viewer", "home.feed", "home.inbox"]


class StallingTransport(RecordingTransport):
    """Holds every answer of the paths in `stalled` until the call's own time is up."""

    def __init__(self, real: Transport) -> None:
        super().__init__(real)
        self.stalled: set[str] = set()
        self.held = 0

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        if path in self.stalled:
            self.held += 1
            await asyncio.sleep(call.timeout)
            raise TransportTimeout("stalled")
        return await super().deliver(call, path)


class Around:
    """Puts itself around the real transport and keeps hold of what it put there."""

    def __init__(self, *stalled: str) -> None:
        self._stalled = stalled
        self.transport: Any = None

    def __call__(self, real: Transport) -> Transport:
        self.transport = StallingTransport(real)
        self.transport.stalled.update(self._stalled)
        return self.transport  # type: ignore[no-any-return]


def _errors(body: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [
        (".".join(map(str, one["path"])), one["extensions"]["code"])
        for one in body.get("errors", ())
    ]


def _statuses(body: Mapping[str, Any]) -> dict[str, str]:
    return {path: one["status"] for path, one in body["extensions"]["sections"].items()}


async def _counted(client: httpx2.AsyncClient) -> dict[tuple[str, str], float]:
    text = (await client.get("/metrics")).text
    labels = 'platform="ios",screen="home",section="(.*?)",status="(.*?)"'
    found = re.findall(rf"facet_sections_total\{{{labels}\}} (\S+)", text)
    return {(section, status): float(count) for section, status, count in found}


async def test_hanging_section_is_given_up(stack: Stack, token: str) -> None:
    """Notifications hang far beyond the budget of the inbox: it is null with its code; all else is
    there, and the answer says which."""
    around = Around(HEAD)
    home = registered(stack.settings("ios"), "ios", "Home")
    async with stack.gateway("ios", around, DECLARED) as client:
        body = await ask(client, home.id, token=token)
        counted = await _counted(client)
    assert around.transport.held == 1, "the fault was not injected"
    assert _errors(body) == [("home.inbox", "UPSTREAM_TIMEOUT")]
    assert body["data"]["home"]["inbox"] is None
    assert body["data"]["home"]["viewer"]["handle"]
    assert len(body["data"]["home"]["feed"]["entries"]) == 12
    assert list(body["extensions"]["sections"]) == SECTIONS
    assert _statuses(body) == {"home.viewer": "ok", "home.feed": "ok", "home.inbox": "timed_out"}
    assert counted == {
        ("HomeScreen.viewer", "ok"): 1,
        ("HomeScreen.feed", "ok"): 1,
        ("HomeScreen.inbox", "timed_out"): 1,
    }


async def test_screen_leaves_without_its_feed(stack: Stack, token: str) -> None:
    """The feed hangs, and nothing of it was kept: the screen leaves at its own deadline, long
    before the request's, counts as failed, and nobody may keep it."""
    around = Around(FEED)
    home = registered(stack.settings("ios"), "ios", "Home")
    async with stack.gateway("ios", around, DECLARED) as client:
        answer = await client.get(
            "/graphql",
            params={"documentId": home.id},
            headers={"authorization": f"Bearer {token}", "apollo-require-preflight": "true"},
        )
        metrics = (await client.get("/metrics")).text
    body = answer.json()
    assert around.transport.held == 1, "the fault was not injected"
    assert_by_plan(body)
    assert _errors(body) == [("home.feed", "DEADLINE_EXCEEDED")]
    assert body["data"]["home"]["inbox"]["unread"] >= 0
    assert _statuses(body) == {"home.viewer": "ok", "home.feed": "timed_out", "home.inbox": "ok"}
    assert answer.headers["cache-control"] == "no-store"
    assert "etag" not in answer.headers
    assert re.search(r'facet_requests_total\{outcome="failed_screen".*screen="home"\} 1.0', metrics)


async def test_kept_feed_is_shown(stack: Stack, token: str) -> None:
    """The same with what was kept of an earlier answer: the old feed comes, without an error, with
    its age, and under another entity tag."""
    around = Around()
    home = registered(stack.settings("ios"), "ios", "Home")
    async with stack.gateway("ios", around, WARM) as client:
        whole = await ask(client, home.id, token=token)
        around.transport.stalled.add(FEED)
        body = await ask(client, home.id, token=token)
        dead = {"authorization": f"Bearer {token}", "apollo-require-preflight": "true"}
        got = await client.get("/graphql", params={"documentId": home.id}, headers=dead)
        around.transport.stalled.clear()
        again = await client.get("/graphql", params={"documentId": home.id}, headers=dead)
    assert around.transport.held >= 2, "the fault was not injected"
    assert "errors" not in body
    assert body["data"] == whole["data"]
    told = body["extensions"]["sections"]["home.feed"]
    assert (told["status"], told["fallback"]) == ("stale", "STALE")
    assert told["ageS"] >= 0
    assert got.headers["cache-control"].startswith("private")
    assert got.headers["etag"] != again.headers["etag"]
    assert "sections" not in again.json()["extensions"]


async def test_empty_list_stands_in(stack: Stack, token: str) -> None:
    """What to open next hangs: the content screen has an empty list there, and no error."""
    around = Around(RELATED)
    content = registered(stack.settings("ios"), "ios", "Content")
    async with stack.gateway("ios", around, DECLARED) as client:
        body = await ask(client, content.id, {"id": "itm_00042"}, token)
    assert around.transport.held == 1, "the fault was not injected"
    assert "errors" not in body
    assert body["data"]["content"]["related"] == {"__typename": "Related", "items": []}
    told = body["extensions"]["sections"]["content.related"]
    assert told == {"status": "timed_out", "code": "UPSTREAM_TIMEOUT", "fallback": "EMPTY"}


async def test_app_may_ask_for_less_time(stack: Stack, token: str) -> None:
    """`x-deadline-ms` shortens the request's deadline; a value that is none is refused."""
    around = Around(HEAD, FEED, CARDS)
    home = registered(stack.settings("ios"), "ios", "Home")
    asked = {"documentId": home.id}
    async with stack.gateway("ios", around) as client:
        headers = {"authorization": f"Bearer {token}", "x-deadline-ms": "200"}
        body = (await client.post("/graphql", json=asked, headers=headers)).json()
        refused = [
            await client.post("/graphql", json=asked, headers={"x-deadline-ms": value})
            for value in ("0", "-1", "1.5", "soon", "1, 2")
        ]
    assert around.transport.held == 3, "the fault was not injected"
    screen = body["data"]["home"]
    assert (screen["viewer"], screen["feed"], screen["inbox"]) == (None, None, None)
    assert {code for _, code in _errors(body)} == {"DEADLINE_EXCEEDED"}
    assert {answer.status_code for answer in refused} == {400}
    codes = {answer.json()["errors"][0]["extensions"]["code"] for answer in refused}
    assert codes == {"BAD_REQUEST"}
