"""The identity service's keys: asked for when needed, kept when it fails, never a flood."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.errors import UpstreamUnavailable
from bff.upstreams.transport import Incoming, Outgoing, TransportFailure
from tests.unit.bff.access.conftest import Clock
from tests.unit.bff.access.tokens import KEY, OTHER_KEY, Access, Identity, public
from tests.unit.bff.upstreams.fakes import FakeTransport, caller, problem, sample

DOWN = TransportFailure("refused")
BOTH = {"keys": [public(KEY), public(OTHER_KEY)]}


async def found(access: Access, kid: str = "accounts-1") -> bool:
    with capture_logs():
        return await access.keys.get(kid, access.caller) is not None


async def test_first_key_is_fetched() -> None:
    """Nothing is asked before a token needs it; then the keys are kept."""
    access = Access()
    assert not access.keys.known
    for _ in range(3):
        assert await found(access)
    assert access.identity.key_calls == 1
    assert access.keys.known


async def test_unknown_kid_asks_seldom(clock: Clock) -> None:
    """Made-up key ids cost the identity service one call in five seconds."""
    access = await Access().ready()
    clock.move(6)
    for number in range(50):
        assert not await found(access, f"made-up-{number}")
    assert access.identity.key_calls == 2
    clock.move(6)
    assert not await found(access, "made-up")
    assert access.identity.key_calls == 3


async def test_new_key_is_found(clock: Clock) -> None:
    """A key the service began to sign with is fetched when its first token comes."""
    access = await Access().ready()
    access.identity.keys = BOTH
    clock.move(6)
    assert await found(access, "accounts-2")


async def test_fetch_under_way_is_awaited(clock: Clock) -> None:
    """Tokens that arrive while a new key is being fetched wait for it: they are not refused, and
    ask for nothing themselves."""
    access = await Access().ready()
    clock.move(6)
    access.identity.keys = BOTH
    arrived, gate = asyncio.Event(), asyncio.Event()

    class Slow(FakeTransport):
        async def send(self, call: Outgoing) -> Incoming:
            arrived.set()
            await gate.wait()
            return await super().send(call)

    slow = caller(Slow(access.identity), viewer=None)
    first = asyncio.create_task(access.keys.get("accounts-2", slow))
    await arrived.wait()
    others = [asyncio.create_task(access.keys.get("accounts-2", slow)) for _ in range(10)]
    await asyncio.sleep(0)
    gate.set()
    assert all(await asyncio.gather(first, *others))
    assert access.identity.key_calls == 2


async def test_old_keys_are_refreshed(clock: Clock) -> None:
    """After `access.keys_max_age_s` the keys are asked for again: withdrawn ones are gone."""
    access = await Access(keys_max_age_s=300).ready()
    access.identity.keys = {"keys": [public(OTHER_KEY)]}
    clock.move(299)
    assert await found(access)
    clock.move(2)
    assert not await found(access)


@pytest.mark.parametrize(
    "answer",
    [
        DOWN,
        problem(500, "INTERNAL"),
        Incoming(200, "text/html", b"<html>"),
        {"keys": []},
        {"keys": [public(KEY, x="AAAA")]},
        {"keys": [{"kty": "RSA", "kid": "accounts-1", "n": "x", "e": "AQAB"}]},
        {"keys": "none"},
        {},
    ],
)
async def test_failed_refresh_keeps_the_known(clock: Clock, answer: Any) -> None:
    """Whatever a refresh brings in place of keys, those known stay in force, and it is counted;
    in particular an emptied set signs nobody out."""
    access = await Access(keys_max_age_s=300).ready()
    access.identity.keys = answer
    clock.move(301)
    assert await found(access)
    assert sample(access.metrics, "facet_events_total", event="keys_refresh_failed") == 1
    for _ in range(10):
        assert await found(access)
    assert access.identity.key_calls == 2


async def test_unknown_kid_while_down_is_unavailable(clock: Clock) -> None:
    """While the service cannot be asked, nobody can say that a new key is wrong: its users are
    told to wait, not to sign in again. Once it answers, an unknown key is just unknown."""
    access = await Access().ready()
    access.identity.keys = DOWN
    clock.move(6)
    for _ in range(2):
        with pytest.raises(UpstreamUnavailable):
            await found(access, "accounts-2")
    access.identity.keys = {"keys": [public(KEY)]}
    clock.move(6)
    assert not await found(access, "accounts-2")


async def test_no_keys_is_unavailable(clock: Clock) -> None:
    """With no key ever fetched a token cannot be judged, and the service is not flooded."""
    access = Access(Identity(keys=DOWN))
    for _ in range(10):
        with pytest.raises(UpstreamUnavailable):
            await found(access)
    assert access.identity.key_calls == 1
    assert not access.keys.known
    access.identity.keys = BOTH
    clock.move(6)
    assert await found(access)


@pytest.mark.parametrize(
    "other",
    [
        {"kty": "RSA", "kid": "rsa", "n": "x", "e": "AQAB"},
        {"kty": "oct", "kid": "oct", "k": "x"},
        public(OTHER_KEY, use="enc"),
        public(OTHER_KEY, kid=""),
        public(OTHER_KEY, kid=None),
        public(OTHER_KEY, kid=["accounts-2"]),
        public(OTHER_KEY, x="AAAA"),
        public(OTHER_KEY, x=5),
        public(OTHER_KEY, crv="P-384"),
        {},
    ],
)
async def test_unusable_keys_are_passed_over(other: dict[str, Any]) -> None:
    """Keys of another kind, use or shape in the set cost the good one nothing."""
    access = Access(Identity(keys={"keys": [other, public(KEY)]}))
    assert await found(access)
    assert not await found(access, "accounts-2")
    assert not await found(access, str(other.get("kid")))


async def test_lists_in_a_key_are_understood() -> None:
    """A key may say more of itself, in lists too (RFC 7517 section 4.3)."""
    described = public(KEY, key_ops=["verify"], x5t="x")
    del described["use"]
    assert await found(Access(Identity(keys={"keys": [described]})))
