"""Tokens: the honest one, every way to forge one, and how long an answer is remembered."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from structlog.testing import capture_logs

from bff.access.authenticate import TokenCheck
from bff.errors import Unauthenticated, UpstreamUnavailable
from bff.request import Viewer
from tests.unit.bff.access.conftest import Clock
from tests.unit.bff.access.tokens import (
    HEADER,
    KEY,
    OTHER_KEY,
    Access,
    b64,
    claims,
    public,
    signed,
)
from tests.unit.bff.upstreams.fakes import sample

MESSAGE = "The access token is not valid; sign in again."


async def refused(access: Access, authorization: str) -> None:
    with pytest.raises(Unauthenticated) as raised, capture_logs():
        await access.authenticator.viewer(authorization, access.caller)
    assert raised.value.message == MESSAGE
    assert raised.value.extensions == {}


async def accepted(access: Access, token: str) -> Viewer:
    viewer = await access.authenticator.viewer(f"Bearer {token}", access.caller)
    assert viewer is not None
    return viewer


async def test_honest_token_names_the_viewer() -> None:
    """A good token becomes the viewer it speaks of."""
    viewer = await accepted(await Access().ready(), signed())
    assert viewer == Viewer("account-1", "device-1", "session-1", 3, ("app", "beta"))


async def test_no_header_is_nobody() -> None:
    """Without a token there is no viewer, no refusal, and no question to anybody."""
    access = Access()
    assert await access.authenticator.viewer(None, access.caller) is None
    assert access.identity.asked == []


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer "])
async def test_scheme_is_read_as_http(scheme: str) -> None:
    """The scheme's case and the spaces after it do not matter (RFC 9110 section 11)."""
    access = await Access().ready()
    assert await access.authenticator.viewer(f"{scheme} {signed()}", access.caller)


@pytest.mark.parametrize(
    "changes",
    [
        {"aud": ["other", "facet"]},
        {"device": ..., "sid": ..., "scope": ..., "jti": ...},
        {"device": 7, "sid": [], "scope": 1},
        {"nbf": int(time.time()) - 5},
        {"anything": {"else": [1]}},
    ],
)
async def test_lenient_where_nothing_hangs_on_it(changes: dict[str, Any]) -> None:
    """An audience may be a list, and what only describes the viewer may be missing or odd."""
    viewer = await accepted(await Access().ready(), signed(payload=claims(**changes)))
    assert viewer.account_id == "account-1"


def hs256_with_the_public_key() -> str:
    """The classic: the public key's text used as an HMAC secret."""
    text = f"{b64({**HEADER, 'alg': 'HS256'})}.{b64(claims())}"
    pem = KEY.public_key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return f"{text}.{b64(hmac.digest(pem, text.encode(), hashlib.sha256))}"


def header(**changes: Any) -> str:
    return signed({k: v for k, v in {**HEADER, **changes}.items() if v is not ...})


def payload(**changes: Any) -> str:
    return signed(payload=claims(**changes))


def tampered(**changes: Any) -> str:
    """Another payload under an honest signature."""
    head, _, signature = signed().split(".")
    return f"{head}.{b64(claims(**changes))}.{signature}"


def at(seconds: float) -> int:
    return int(time.time() + seconds)


def nested(depth: int) -> bytes:
    return b'{"a":' + b"[" * depth + b"]" * depth + b"}"


FORGED: dict[str, Callable[[], str]] = {
    # header
    "alg none": lambda: f"{b64({**HEADER, 'alg': 'none'})}.{b64(claims())}.",
    "alg none, a signature": lambda: header(alg="none"),
    "alg nOnE": lambda: header(alg="nOnE"),
    "HS256 with the public key": hs256_with_the_public_key,
    "alg ES384": lambda: header(alg="ES384"),
    "alg missing": lambda: header(alg=...),
    "alg a list": lambda: header(alg=["ES256"]),
    "typ JWT": lambda: header(typ="JWT"),
    "typ of an assertion": lambda: header(typ="viewer+jwt"),
    "typ missing": lambda: header(typ=...),
    "kid unknown": lambda: header(kid="nobody"),
    "kid missing": lambda: header(kid=...),
    "kid empty": lambda: header(kid=""),
    "kid a list": lambda: header(kid=["accounts-1"]),
    "kid an object": lambda: header(kid={"accounts-1": 1}),
    "kid a number": lambda: header(kid=1),
    "kid a path": lambda: header(kid="../../dev/null"),
    "crit unknown": lambda: header(crit=["x"], x=1),
    "crit of a known claim": lambda: header(crit=["exp"], exp=at(900)),
    "crit of alg": lambda: header(crit=["alg"]),
    "crit empty": lambda: header(crit=[]),
    "crit no list": lambda: header(crit="b64"),
    "b64 false": lambda: header(crit=["b64"], b64=False),
    "embedded jwk": lambda: signed({**HEADER, "jwk": public(OTHER_KEY)}, key=OTHER_KEY),
    "embedded jwk, its kid": lambda: signed(
        {**HEADER, "kid": "accounts-2", "jwk": public(OTHER_KEY)}, key=OTHER_KEY
    ),
    "jku": lambda: signed({**HEADER, "jku": "https://evil.test/keys"}, key=OTHER_KEY),
    "x5c of the wrong kind": lambda: header(x5c="text"),
    "header a list": lambda: signed(b"[]"),
    "header a number": lambda: signed(b"1"),
    "header null": lambda: signed(b"null"),
    "header no JSON": lambda: signed(b"{"),
    "header no UTF-8": lambda: signed(b'{"alg":"\xff"}'),
    "header nested deep": lambda: signed(nested(1300)),
    # signature
    "signed by another key": lambda: signed(key=OTHER_KEY),
    "payload exchanged": lambda: tampered(sub="account-2"),
    "signature cut": lambda: signed()[:-4],
    "signature empty": lambda: signed().rpartition(".")[0] + ".",
    "signature zero": lambda: signed().rpartition(".")[0] + "." + b64(bytes(64)),
    "signature DER": lambda: signed().rpartition(".")[0] + "." + b64(b"0" * 71),
    # payload
    "payload a list": lambda: signed(payload=b"[]"),
    "payload a number": lambda: signed(payload=b"5"),
    "payload no JSON": lambda: signed(payload=b"{"),
    "payload no UTF-8": lambda: signed(payload=b'{"sub":"\xff"}'),
    "payload nested deep": lambda: signed(payload=nested(1300)),
    "iss wrong": lambda: payload(iss="https://evil.test"),
    "iss missing": lambda: payload(iss=...),
    "iss a list": lambda: payload(iss=["https://accounts.facet.local"]),
    "aud wrong": lambda: payload(aud="core-services"),
    "aud missing": lambda: payload(aud=...),
    "aud empty": lambda: payload(aud=[]),
    "aud an object": lambda: payload(aud={"facet": 1}),
    "aud part of a word": lambda: payload(aud="facets"),
    "exp missing": lambda: payload(exp=...),
    "exp a text": lambda: payload(exp=str(at(900))),
    "exp true": lambda: payload(exp=True),
    "exp a float": lambda: payload(exp=at(900) + 0.5),
    "exp null": lambda: payload(exp=None),
    "exp past the leeway": lambda: payload(iat=at(-900), exp=at(-32)),
    "exp beyond all years": lambda: payload(exp=10**300),
    "exp infinite": lambda: signed(payload=json.dumps(claims(exp=float("inf"))).encode()),
    "life longer than an hour": lambda: payload(exp=at(3700)),
    "iat missing": lambda: payload(iat=...),
    "iat a text": lambda: payload(iat=str(at(0))),
    "iat in the future": lambda: payload(iat=at(33)),
    "iat before all years": lambda: payload(iat=-(10**300)),
    "nbf in the future": lambda: payload(nbf=at(33)),
    "nbf a text": lambda: payload(nbf="now"),
    "epoch missing": lambda: payload(epoch=...),
    "epoch a text": lambda: payload(epoch="3"),
    "epoch true": lambda: payload(epoch=True),
    "sub missing": lambda: payload(sub=...),
    "sub empty": lambda: payload(sub=""),
    "sub a number": lambda: payload(sub=1),
    "sub no ASCII": lambda: payload(sub="\ud800"),
    "sub with a space": lambda: payload(sub="account 1"),
    "sub huge": lambda: payload(sub="a" * 256),
    # shape
    "huge": lambda: signed(payload=claims(x="x" * 4096)),
    "two parts": lambda: signed().rpartition(".")[0],
    "four parts": lambda: signed() + ".x",
    "five parts, as encrypted ones": lambda: signed() + ".x.y",
    "dots": lambda: "..",
    "words": lambda: "a.b.c",
    "padded": lambda: signed() + "==",
    "no base64": lambda: "!" + signed(),
    "no ASCII": lambda: signed() + "é",
    "a space inside": lambda: signed()[:30] + " " + signed()[30:],
    "a line break inside": lambda: signed()[:30] + "\n" + signed()[30:],
    "a tab before": lambda: "\t" + signed(),
    "a no-break space after": lambda: signed() + "\xa0",
    "two tokens": lambda: f"{signed()}, Bearer {signed()}",
}


@pytest.mark.parametrize("forged", FORGED.values(), ids=FORGED)
async def test_forged_token_is_refused(forged: Callable[[], str]) -> None:
    """Every forged or broken token is UNAUTHENTICATED in the same words, and nothing else; an
    honest one still passes afterwards."""
    access = await Access().ready()
    await refused(access, f"Bearer {forged()}")
    await refused(access, f"Bearer {forged()}")
    assert sample(access.metrics, "facet_events_total", event="token_refused") == 2
    await accepted(access, signed())


@pytest.mark.parametrize(
    "authorization",
    ["", " ", "Bearer", "Bearer ", "Bearer     ", "Basic dXNlcjpwYXNz", "Bearer\t", "é", "DPoP "],
)
async def test_other_schemes_are_refused(authorization: str) -> None:
    """A header that holds no bearer token is a bad token, not nobody."""
    await refused(await Access().ready(), authorization)


@pytest.mark.parametrize("scheme", ["Basic", "DPoP", "Token", "JWT"])
async def test_honest_token_needs_its_scheme(scheme: str) -> None:
    """A good token under another scheme is refused."""
    await refused(await Access().ready(), f"{scheme} {signed()}")


@pytest.mark.parametrize("changes", [{"exp": -28, "iat": -900}, {"iat": 28}, {"nbf": 28}])
async def test_clocks_may_differ(changes: dict[str, int]) -> None:
    """Half a minute of difference between two clocks is allowed, both ways."""
    moved = {name: at(seconds) for name, seconds in changes.items()}
    await accepted(await Access().ready(), payload(**moved))


@pytest.mark.parametrize("claim", ["iat", "nbf"])
async def test_clock_that_lags_is_told(claim: str) -> None:
    """A token signed ahead of our clock raises an alarm beside the refusal: its signer signs none
    ahead, so one of two clocks is wrong."""
    access = await Access().ready()
    token = payload(**{claim: at(120), "exp": at(600)})
    with pytest.raises(Unauthenticated), capture_logs() as logs:
        await access.authenticator.viewer(f"Bearer {token}", access.caller)
    told = {line["event"]: line for line in logs}
    assert 110 <= told["clock_behind"]["ahead_s"] <= 121
    assert sample(access.metrics, "facet_events_total", event="clock_behind") == 1


async def test_causes_are_logged_without_the_token() -> None:
    """The cause of a refusal is for operators; neither token nor claims are logged."""
    access = await Access().ready()
    token = payload(aud="secret-audience", sub="secret-subject")
    with pytest.raises(Unauthenticated), capture_logs() as logs:
        await access.authenticator.viewer(f"Bearer {token}", access.caller)
    assert [(line["event"], line["cause"]) for line in logs] == [
        ("token_refused", "wrong audience")
    ]
    assert "secret" not in str(logs)
    assert token not in str(logs)


# --- how long an answer is remembered


async def test_verified_token_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A token's signature is checked once; a forged one is checked, and refused, every time."""
    access = await Access().ready()
    checks = 0
    verify = access.authenticator._verify

    async def counted(token: str, caller: Any) -> Any:
        nonlocal checks
        checks += 1
        return await verify(token, caller)

    monkeypatch.setattr(access.authenticator, "_verify", counted)
    token, forged = signed(), signed(key=OTHER_KEY)
    for _ in range(3):
        await accepted(access, token)
    assert checks == 1
    for _ in range(3):
        await refused(access, f"Bearer {forged}")
    assert checks == 4


async def test_token_takes_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    """However its header is spelt, a token is checked once and fills the memory once; of more
    tokens than there is room for the one unused longest is checked again."""
    access = await Access(token_cache_entries=2).ready()
    verify, checked = access.authenticator._verify, []

    async def counted(token: str, caller: Any) -> Any:
        checked.append(token)
        return await verify(token, caller)

    monkeypatch.setattr(access.authenticator, "_verify", counted)
    first, *others = (signed() for _ in range(3))
    for header in (f"Bearer {first}", f"bearer {first}", f"BEARER   {first} "):
        assert await access.authenticator.viewer(header, access.caller) is not None
    assert checked == [first]
    for token in (*others, first):
        await accepted(access, token)
    assert checked == [first, *others, first]


async def test_memory_does_not_outlive_the_token(clock: Clock) -> None:
    """A remembered token is refused when its time is over, however new the memory."""
    access = await Access(token_cache_s=10_000).ready()
    token = payload(exp=at(100))
    await accepted(access, token)
    clock.move(125)
    await accepted(access, token)
    clock.move(10)
    await refused(access, f"Bearer {token}")


async def test_memory_does_not_outlive_a_revocation() -> None:
    """A remembered token is refused the moment its account's epoch moves above it."""
    access = await Access().ready()
    token = signed()
    await accepted(access, token)
    access.revocations.moved("account-1", 3)
    await accepted(access, token)
    access.revocations.moved("account-1", 4)
    await refused(access, f"Bearer {token}")
    await accepted(access, payload(epoch=4))


async def test_memory_is_forgotten(clock: Clock) -> None:
    """After `access.token_cache_s` a token is checked again: a withdrawn key counts by then."""
    access = await Access(token_cache_s=60, keys_max_age_s=30).ready()
    token = signed()
    await accepted(access, token)
    access.identity.keys = {"keys": [public(OTHER_KEY)]}
    clock.move(40)
    await accepted(access, token)
    clock.move(21)
    await refused(access, f"Bearer {token}")


# --- when it cannot be told


async def test_old_revocations_refuse_viewers(clock: Clock) -> None:
    """Revocations that are too old to trust close the door to viewers, not to nobody."""
    access = await Access(revocations_max_age_s=300).ready()
    token = signed()
    await accepted(access, token)
    clock.move(299)
    await accepted(access, token)
    clock.move(2)
    with pytest.raises(UpstreamUnavailable):
        await access.authenticator.viewer(f"Bearer {token}", access.caller)
    assert await access.authenticator.viewer(None, access.caller) is None
    await access.revocations.refresh(access.caller)
    await accepted(access, token)


async def test_no_viewer_before_the_first_poll() -> None:
    """A process that never read the revocations lets no viewer pass."""
    access = Access()
    await access.keys.refresh(access.caller)
    with pytest.raises(UpstreamUnavailable):
        await access.authenticator.viewer(f"Bearer {signed()}", access.caller)


# --- one check for an exchange


async def test_exchange_checks_once() -> None:
    """Operations of one exchange share one check and its outcome, good or bad."""
    access = await Access().ready()
    good = TokenCheck(access.authenticator, f"Bearer {signed()}", access.caller)
    viewers = await asyncio.gather(*(good.viewer() for _ in range(5)))
    assert {viewer and viewer.account_id for viewer in viewers} == {"account-1"}
    bad = TokenCheck(access.authenticator, "Bearer x", access.caller)
    with capture_logs() as logs:
        outcomes = await asyncio.gather(*(bad.viewer() for _ in range(5)), return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {Unauthenticated}
    assert len(logs) == 1
    assert sample(access.metrics, "facet_events_total", event="token_refused") == 1
