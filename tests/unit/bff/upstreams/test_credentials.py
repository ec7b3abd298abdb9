"""The two signed statements: their claims, their lives, and when they are made anew."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from cachetools import TTLCache
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey
from msgspec.structs import replace

from bff.errors import ConfigError
from bff.request import ClientIdentity
from bff.upstreams import credentials
from bff.upstreams.credentials import Signer, read_signer
from tests.unit.bff.upstreams.fakes import CLIENT, KEY, VIEWER


class Clock:
    """Stands in for wall and monotonic time of the credentials, of the caches too."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()

    class StoppedCache(TTLCache[Any, Any]):
        def __init__(self, maxsize: int, ttl: float) -> None:
            super().__init__(maxsize, ttl, timer=clock)

    monkeypatch.setattr(credentials, "TTLCache", StoppedCache)
    monkeypatch.setattr(time, "time", clock)
    return clock


def read(token: str) -> jwt.Token:
    """The token, its signature checked."""
    return jwt.decode(token.removeprefix("Bearer "), KEY, algorithms=["ES256"])


def test_credential_names_gateway_and_service(clock: Clock) -> None:
    """A credential says who calls whom, for five minutes."""
    token = read(Signer(KEY).credential("content"))
    assert token.header == {"alg": "ES256", "typ": "bff+jwt", "kid": "bff-ios"}
    at = int(clock.now)
    assert token.claims == {"iss": "bff-ios", "aud": "content", "iat": at, "exp": at + 300}


def test_credential_is_a_bearer(clock: Clock) -> None:
    """What is returned is the value of the header."""
    assert Signer(KEY).credential("content").startswith("Bearer ")


def test_assertion_names_viewer_and_release(clock: Clock) -> None:
    """An assertion says for whom the gateway speaks, for a minute, and holds no more than that."""
    token = read(Signer(KEY).assertion(VIEWER, CLIENT))
    assert token.header == {"alg": "ES256", "typ": "viewer+jwt", "kid": "bff-ios"}
    at = int(clock.now)
    assert token.claims == {
        "iss": "bff-ios",
        "aud": "core-services",
        "sub": "account-1",
        "device": "device-1",
        "release": "7.3.0+4120",
        "scopes": ["app"],
        "iat": at,
        "exp": at + 60,
    }


@pytest.mark.parametrize(("life", "kind"), [(300, "credential"), (60, "assertion")])
def test_statement_lives_on_two_thirds(clock: Clock, life: int, kind: str) -> None:
    """A statement is reused for two thirds of its life and then made anew: what leaves always has
    a third of it left."""
    signer = Signer(KEY)

    def statement() -> str:
        made = signer.credential("content")
        return made if kind == "credential" else signer.assertion(VIEWER, CLIENT)

    first = statement()
    clock.now += life * 2 / 3 - 1
    assert statement() == first
    clock.now += 2
    assert statement() != first


def test_each_service_has_its_credential(clock: Clock) -> None:
    """A credential for one service is never shown to another."""
    signer = Signer(KEY)
    assert read(signer.credential("content")).claims["aud"] == "content"
    assert read(signer.credential("accounts")).claims["aud"] == "accounts"


@pytest.mark.parametrize(
    ("viewer", "client"),
    [
        (replace(VIEWER, account_id="account-2"), CLIENT),
        (replace(VIEWER, device="device-2"), CLIENT),
        (replace(VIEWER, scopes=()), CLIENT),
        (VIEWER, replace(CLIENT, build="4121")),
        (VIEWER, ClientIdentity()),
    ],
)
def test_assertion_is_per_viewer_and_release(
    clock: Clock, viewer: Any, client: ClientIdentity
) -> None:
    """Another viewer, device, scope or release never gets a remembered assertion."""
    signer = Signer(KEY)
    signer.assertion(VIEWER, CLIENT)
    claims = read(signer.assertion(viewer, client)).claims
    assert claims["sub"] == viewer.account_id
    assert claims["device"] == viewer.device
    assert claims["scopes"] == list(viewer.scopes)
    assert claims["release"] == client.release


def jwk(key: ECKey | RSAKey, **changes: Any) -> str:
    return json.dumps({**key.as_dict(private=True), **changes})


def test_key_file_makes_a_signer(tmp_path: Path) -> None:
    """The key's id is the gateway's name."""
    path = tmp_path / "bff-ios.jwk"
    path.write_text(jwk(KEY))
    signer = read_signer(path)
    assert signer.name == "bff-ios"
    assert read(signer.credential("content")).claims["iss"] == "bff-ios"


def test_unset_key_says_what_to_do() -> None:
    """Without a key the gateway does not start, and says which setting is missing."""
    with pytest.raises(ConfigError, match="BFF__UPSTREAMS__KEY_FILE"):
        read_signer(None)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        '"x"',
        "{}",
        jwk(RSAKey.generate_key(2048, {"kid": "bff-ios"}, private=True)),
        jwk(ECKey.generate_key("P-384", {"kid": "bff-ios"}, private=True)),
        jwk(ECKey.generate_key("P-256", private=True)),
        jwk(KEY, kid=7),
        jwk(KEY, x="AAAA"),
        json.dumps(KEY.as_dict(private=False)),
    ],
    ids=[
        "empty", "cut", "list", "text", "object", "rsa", "p-384", "nameless", "kid", "x", "public",
    ],
)  # fmt: skip
def test_unusable_key_is_a_wrong_setting(tmp_path: Path, content: str) -> None:
    """Whatever a key file holds in place of a private P-256 key, it is refused at start-up,
    without repeating it."""
    path = tmp_path / "key.jwk"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"upstreams\.key_file") as refused:
        read_signer(path)
    secret = KEY.as_dict(private=True)["d"]
    assert str(secret) not in str(refused.value)


@pytest.mark.parametrize("name", ["missing.jwk", "."])
def test_unreadable_key_file_is_named(tmp_path: Path, name: str) -> None:
    """A path that is no file is named in the message."""
    with pytest.raises(ConfigError) as refused:
        read_signer(tmp_path / name)
    assert str(tmp_path) in str(refused.value)
