"""Screens over what was kept: what they still ask for, what they show on a bad day, and that a
write, a sign-out and another viewer see nothing of it."""

from __future__ import annotations

import asyncio
import uuid
from collections import Counter
from collections.abc import Mapping
from typing import Any

import httpx2
import pytest

from bff.upstreams.transport import Transport
from tests.e2e.test_shadow import EVERY, until_shadowed
from tests.e2e.test_upstream_calls import EXACT
from tests.harness.modes import COMPILED
from tests.harness.stack import PLATFORMS, Stack, ask, registered
from tests.harness.transports import DeadTransport, RecordingTransport

ON = {"BFF__CACHE__ENABLED": "true"}
ITEM = {"id": "itm_00042"}
CARDS, FEED, STATS = "/v1/cards/batch", "/v1/feed", "/v1/stats/batch"
HEAD, INBOX, ITEMS = "/v1/inbox/head", "/v1/inbox", "/v1/items/batch"
COMMENTS, RELATED, DETAILS = "/v1/comments/batch", "/v1/related/batch", "/v1/item-details/batch"
SHARED = {CARDS, STATS, ITEMS, COMMENTS, RELATED, DETAILS}


def _variables(name: str) -> Mapping[str, Any] | None:
    return ITEM if name in ("Content", "PublicContent") else None


class Kept:
    """Puts a transport round the real one and keeps hold of it."""

    def __init__(self, kind: type[RecordingTransport]) -> None:
        self._kind = kind
        self.transport: Any = None

    def __call__(self, real: Transport) -> Transport:
        made = self.transport = self._kind(real)
        return made

    def taken(self) -> dict[str, int]:
        """The calls since the last look."""
        found = dict(Counter(self.transport.paths))
        self.transport.calls.clear()
        return found


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_second_screen_asks_for_the_viewer(stack: Stack, token: str, platform: str) -> None:
    """Asked again, a screen makes just the calls for what is the viewer's own, and is the same; so
    it is for graphql-core over what was kept. How long it still holds is no part of its tag."""
    kept = Kept(RecordingTransport)
    async with stack.gateway(platform, kept, {**ON, **EVERY}) as client:
        names = [name for of, name in EXACT if of == platform]
        for name in names:
            operation = registered(stack.settings(platform), platform, name)
            first = await ask(client, operation.id, _variables(name), token)
            kept.taken()
            again = await ask(client, operation.id, _variables(name), token)
            own = {path: 1 for path in EXACT[platform, name] if path not in SHARED}
            assert kept.taken() == own, name
            assert again["data"] == first["data"]
            assert again["extensions"]["upstream"]["calls"] == len(own)
            assert again["extensions"]["upstream"]["cached"] > 0
            if own:
                assert again["extensions"]["freshness"] == {"maxAgeS": 0, "class": "live"}
        home = registered(stack.settings(platform), platform, "Home")
        assert len(await _tags(client, home.id, token)) == 1
        answered = 2 * len(names) + 2
        assert await until_shadowed(client, answered) == ({"equal": answered} if COMPILED else {})


async def _tags(client: httpx2.AsyncClient, document_id: str, token: str) -> set[str]:
    """The entity tags of a document that is asked for twice."""
    headers = {"authorization": f"Bearer {token}", "apollo-require-preflight": "true"}
    url = f"/documents/{document_id}/Home"
    found = [await client.get(url, headers=headers) for _ in range(2)]
    assert all("freshness" in one.json()["extensions"] for one in found)
    return {one.headers["etag"] for one in found}


@pytest.mark.parametrize(
    "coalesce", ["true", pytest.param("false", marks=pytest.mark.verify, id="each_its_own")]
)
async def test_cold_screen_is_asked_once(stack: Stack, coalesce: str) -> None:
    """200 requests at once for a screen nobody asked for yet: no key is asked for more than
    twice."""
    kept = Kept(RecordingTransport)
    operation = registered(stack.settings("web"), "web", "PublicContent")
    told = {**ON, "BFF__UPSTREAMS__COALESCE": coalesce}
    async with stack.gateway("web", kept, told) as client:
        bodies = await asyncio.gather(*(ask(client, operation.id, ITEM) for _ in range(200)))
    assert len(bodies) == 200
    assert {str(body["data"]) for body in bodies} == {str(bodies[0]["data"])}
    assert not [body for body in bodies if "errors" in body]
    calls = Counter((call.path, call.body) for call in kept.transport.calls)
    assert calls
    assert max(calls.values()) <= 2
    # Of each path: the keys of one screen, split at most once.
    assert max(Counter(path for path, _ in calls.elements()).values()) <= 2


async def test_dead_service_shows_the_last_good(stack: Stack, token: str) -> None:
    """With services dead the home screen is whole all the same, from what was kept; another
    viewer, for whom nothing of his own was kept, has coded errors there and no byte of it."""
    kept = Kept(DeadTransport)
    home = registered(stack.settings("ios"), "ios", "Home")
    async with stack.gateway("ios", kept, ON) as client:
        first = await ask(client, home.id, token=token)
        inbox = first["data"]["home"]["inbox"]
        for n, dead in enumerate(({FEED}, {HEAD}, {CARDS, FEED, STATS, HEAD})):
            other = stack.token(stack.handle(f"acc_0077{n}"))
            kept.transport.dead, kept.transport.failed = dead, 0
            again = await ask(client, home.id, token=token)
            assert kept.transport.failed > 0, "the fault was not injected"
            assert "errors" not in again
            assert again["data"] == first["data"]
            assert again["extensions"]["freshness"] == {"maxAgeS": 0, "class": "live"}
            stranger = await ask(client, home.id, token=other)
            codes = {error["extensions"]["code"] for error in stranger["errors"]}
            assert codes == {"UPSTREAM_UNAVAILABLE"}
            assert ((stranger["data"] or {}).get("home") or {}).get("inbox") != inbox


async def test_write_is_read_at_once(stack: Stack) -> None:
    """A viewer's new name is on the next home screen, though cards are kept for a minute."""
    kept = Kept(RecordingTransport)
    settings = stack.settings("ios")
    home, edit = (registered(settings, "ios", name) for name in ("Home", "EditProfile"))
    token = stack.token(stack.handle("acc_01004"))
    name = f"New {uuid.uuid4().hex[:6]}"
    async with stack.gateway("ios", kept, ON) as client:
        for _ in range(2):
            before = await ask(client, home.id, token=token)
        assert before["extensions"]["upstream"]["cached"] > 0
        given = {"idempotencyKey": uuid.uuid4().hex, "displayName": name}
        written = await ask(client, edit.id, {"input": given}, token)
        assert "errors" not in written
        after = await ask(client, home.id, token=token)
    assert before["data"]["home"]["viewer"]["displayName"] != name
    assert after["data"]["home"]["viewer"]["displayName"] == name


async def test_sign_out_leaves_nothing(stack: Stack) -> None:
    """After a sign-out nothing of the viewer is kept: on a day when nobody answers, his next
    session shows none of it."""
    kept = Kept(DeadTransport)
    settings = stack.settings("ios")
    home, leave = (registered(settings, "ios", name) for name in ("Home", "SignOut"))
    handle = stack.handle("acc_01005")
    token = stack.token(handle)
    async with stack.gateway("ios", kept, ON) as client:
        await ask(client, home.id, token=token)
        before = await entries(client)
        given = {"input": {"idempotencyKey": uuid.uuid4().hex}}
        assert "errors" not in await ask(client, leave.id, given, token)
        assert await entries(client) <= before - 2  # his feed and his inbox
        kept.transport.dead.update((FEED, HEAD))
        refused = await ask(client, home.id, token=token)
        assert refused["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
        again = await ask(client, home.id, token=stack.token(handle))
    assert kept.transport.failed >= 2, "the fault was not injected"
    codes = {error["extensions"]["code"] for error in again["errors"]}
    assert codes == {"UPSTREAM_UNAVAILABLE"}


async def entries(client: httpx2.AsyncClient) -> float:
    text = (await client.get("/metrics")).text
    [line] = [one for one in text.splitlines() if one.startswith("facet_cache_entries ")]
    return float(line.split()[1])
