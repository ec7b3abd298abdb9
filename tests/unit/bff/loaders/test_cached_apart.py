"""What is kept of one viewer is given to no other, whoever asks for what, and when."""

from __future__ import annotations

import asyncio
import base64
import inspect
import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bff.contract import Scope
from bff.loaders import accounts, content, notifications
from bff.loaders.base import Loader
from bff.request import Viewer
from bff.upstreams.hearing import HEARD
from bff.upstreams.transport import Incoming, Outgoing
from tests.unit.bff.loaders.cached_world import ANN, BEN, Process, Service, away, card
from tests.unit.bff.loaders.test_cached import PROFILE

LOADERS: list[type[Loader[Any, Any]]] = [
    found
    for module in (accounts, content, notifications)
    for _, found in inspect.getmembers(module, inspect.isclass)
    if issubclass(found, Loader) and found is not Loader
]
OF_VIEWERS = [one for one in LOADERS if one.scope is Scope.VIEWER]
# Whoever differs in one of these may be answered otherwise: services are told all of them.
OTHERS = {
    "account": (BEN, "7.3.0"),
    "session": (replace(ANN, session="session-9"), "7.3.0"),
    "epoch": (replace(ANN, epoch=ANN.epoch + 1), "7.3.0"),
    "device": (replace(ANN, device="device-9"), "7.3.0"),
    "scopes": (replace(ANN, scopes=("app", "admin")), "7.3.0"),
    "release": (ANN, "7.4.0"),
}
KEPT = "private, max-age=60, stale-while-revalidate=60, stale-if-error=600"


def test_every_loader_is_looked_at() -> None:
    """Both scopes are there, and each shelf knows whose its answers are."""
    assert len(LOADERS) == 14
    assert len(OF_VIEWERS) == 8
    for one in LOADERS:
        assert one.kept_as.of_viewer == (one.scope is Scope.VIEWER)
        assert one.kept_as.form is not None, f"{one.__name__} names no record type"
    assert len({one.kept_as.name for one in LOADERS}) == len(LOADERS)


@pytest.mark.parametrize("difference", OTHERS)
@pytest.mark.parametrize("kind", OF_VIEWERS)
async def test_viewers_never_share(kind: type[Loader[Any, Any]], difference: str) -> None:
    """Whatever loader it is: who differs in account, session, epoch, device, scopes or release is
    asked for anew, on bad days too; who is the same is not."""

    class Answering(kind):  # type: ignore[misc, valid-type]
        async def fetch(self, keys: Sequence[Any]) -> list[Any]:
            heard = HEARD.get()
            assert heard is not None
            heard.append(Incoming(200, "application/json", b"{}", KEPT))
            return [(self.caller.viewer, self.caller.client.release, key) for key in keys]

    process = Process(Service())
    other, release = OTHERS[difference]
    asks = ((ANN, "7.3.0", 0), (other, release, 0), (ANN, "7.3.0", 1))
    for viewer, version, cached in asks:
        loader = Answering(process.caller(viewer, version))
        assert await loader.load_all(["k"]) == [(viewer, version, "k")]
        assert loader.caller.log.cached == cached
        [stale] = Answering(process.caller(viewer, version)).stale_of(["k"])
        assert stale is not None
        assert stale.record == (viewer, version, "k")
    assert len(process.cache) == 2
    nobody = Answering(process.caller(None))
    assert [type(one).__name__ for one in await nobody.load_all(["k"])] == ["Unauthenticated"]


@pytest.mark.parametrize("kind", [one for one in LOADERS if one.scope is Scope.SHARED])
async def test_shared_calls_name_nobody(kind: type[Loader[Any, Any]]) -> None:
    """What is kept for everybody was asked for on nobody's behalf."""
    process = Process(Service())
    process.service.fault = away()
    key = {
        "ThreadByItemIdLoader": content.ThreadKey("itm_1", 3),
        "RelatedByItemIdLoader": content.RelatedKey("itm_1", 3),
    }.get(kind.__name__, "itm_1")
    await kind(process.caller(ANN)).load_all([key])
    [call] = process.service.calls
    assert "x-viewer" not in call.headers
    assert ANN.account_id not in f"{call.url} {call.body!r}"


class Dated(Service):
    """Every name says when it was asked for, and for whom."""

    def __init__(self, clock: Any) -> None:
        super().__init__()
        self.clock = clock

    async def send(self, call: Outgoing) -> Incoming:
        self.calls.append(call)
        await asyncio.sleep(0)
        if self.fault is not None:
            raise self.fault
        at = self.clock()
        if call.url.endswith("/v1/profile"):
            viewer = _subject(call.headers["x-viewer"])
            named = {"id": viewer, "display_name": f"{viewer}|{at}"}
            body = json.dumps({**json.loads(PROFILE), **named}).encode()
            control = "private, max-age=30, stale-if-error=300"
            return Incoming(200, "application/json", body, control, f"profile:{viewer}")
        ids = json.loads(call.body or b"")["ids"]
        body = json.dumps({"cards": [card(one, f"{one}|{at}") for one in ids]}).encode()
        control = "public, max-age=30, stale-while-revalidate=60, stale-if-error=300"
        tags = ",".join(f"account:{one}" for one in ids)
        return Incoming(200, "application/json", body, control, tags)


def _subject(assertion: str) -> str:
    claims = assertion.split(".")[1]
    padded = claims + "=" * (-len(claims) % 4)
    return str(json.loads(base64.urlsafe_b64decode(padded))["sub"])


KEYS = ("a", "b", "c")
STEPS = st.one_of(
    st.tuples(st.just("cards"), st.lists(st.sampled_from(KEYS), min_size=1, unique=True)),
    st.tuples(st.just("profile"), st.sampled_from((0, 1))),
    st.tuples(st.just("wait"), st.sampled_from((1, 10, 29, 31, 61, 200, 331))),
    st.tuples(st.just("write"), st.sampled_from(KEYS)),
    st.tuples(st.just("leave"), st.sampled_from((0, 1))),
    st.tuples(st.just("fault"), st.booleans()),
)


class Model:
    """What may be answered, by the rules alone: nothing before what made it old, nothing older than
    was declared, nothing of anybody else."""

    def __init__(self) -> None:
        self.process = Process(Dated(None))
        self.process.service.clock = self.process.clock
        self.viewers = [ANN, BEN]
        self.not_before: dict[str, float] = {}

    async def step(self, verb: str, what: Any) -> None:
        process = self.process
        if verb == "wait":
            process.clock.now += what
        elif verb == "fault":
            process.service.fault = away() if what else None
        elif verb == "write":
            process.clock.now += 1
            process.cache.outdated([f"account:{what}"])
            self.not_before[what] = process.clock.now
            process.clock.now += 1
        elif verb == "leave":
            self._leave(what)
        elif verb == "cards":
            for key, found in zip(what, await process.names(*what), strict=True):
                self._check(key, found, 30 + 60)
            await process.quiet()
        else:
            viewer: Viewer = self.viewers[what]
            loader = process.profile(viewer)
            [found] = await process.names(viewer.account_id, loader=loader)
            self._check(viewer.account_id, found, 30)
        assert process.cache.size <= process.cache.max_memory

    def _leave(self, number: int) -> None:
        """A sign-out, and a sign-in after it."""
        old = self.viewers[number]
        self.process.clock.now += 1
        self.process.cache.viewer_left(old.account_id, old.epoch + 1)
        shelves = self.process.cache._shelves.values()
        places: list[Any] = [place for one in shelves if one.of_viewer for place in one.entries]
        assert not any(whose[0].account_id == old.account_id for whose, _ in places)
        self.viewers[number] = replace(old, epoch=old.epoch + 1)
        self.not_before[old.account_id] = self.process.clock.now

    def _check(self, key: str, found: str, most: int) -> None:
        faulty = self.process.service.fault is not None
        if found == "UPSTREAM_UNAVAILABLE":
            assert faulty
            return
        named, _, at = found.partition("|")
        assert named == key
        assert float(at) >= self.not_before.get(key, 0.0)
        age = self.process.clock.now - float(at)
        assert age < (30 + 300 if faulty else most)


@given(st.lists(STEPS, max_size=40))
@settings(max_examples=60, deadline=None)
def test_rules_hold_in_any_order(steps: list[tuple[str, Any]]) -> None:
    """In whatever order is asked, written, signed out, failed and waited: no answer is older than
    declared, from before a write, or another's."""

    async def run() -> None:
        model = Model()
        for verb, what in steps:
            await model.step(verb, what)

    asyncio.run(run())
