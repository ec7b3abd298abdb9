"""S3: forged access tokens at a gateway in front of real services; none is taken, none breaks it.

The forger knows everything public, and for the tokens signed rightly over wrong claims even the
signing key. Every way a single check may be wrong is tried one by one in tests/unit/bff/access.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives import serialization
from joserfc.jwk import ECKey

from tests.harness.attacks import Closed
from tests.harness.stack import Stack, registered
from tests.unit.bff.access.tokens import OTHER_KEY, b64, signed

pytestmark = pytest.mark.modeless

CANARY = "Demo Reader"


LIFE_S = 900


def at(seconds: int) -> int:
    """So many seconds from now: files of tests are read long before they run."""
    return int(time.time()) + seconds


@dataclass(frozen=True)
class Forger:
    """What an honest token says, and the key that signs those."""

    header: dict[str, Any]
    said: dict[str, Any]
    key: ECKey

    @property
    def claims(self) -> dict[str, Any]:
        """As they would be told now."""
        return {**self.said, "iat": at(0), "exp": at(LIFE_S)}

    @property
    def honest(self) -> str:
        return self.says()

    def says(self, **changes: Any) -> str:
        """Signed rightly over claims with these changed; `...` leaves one out."""
        told = {name: v for name, v in {**self.claims, **changes}.items() if v is not ...}
        return signed(self.header, told, self.key)

    def named(self, key: ECKey | None = None, **changes: Any) -> str:
        """Signed over a header with these changed, by another key if given."""
        told = {name: v for name, v in {**self.header, **changes}.items() if v is not ...}
        return signed(told, self.claims, key or self.key)

    def hmac(self, secret: bytes) -> str:
        """HS256 with what is public as the secret (RFC 8725 section 2.1)."""
        text = f"{b64({**self.header, 'alg': 'HS256'})}.{b64(self.claims)}"
        return f"{text}.{b64(hmac.digest(secret, text.encode(), hashlib.sha256))}"

    @property
    def pem(self) -> bytes:
        public = self.key.public_key
        assert public is not None
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return public.public_bytes(serialization.Encoding.PEM, form)

    @property
    def jwk(self) -> bytes:
        return json.dumps(self.key.as_dict(private=False)).encode()


def _unpacked(token: str, part: int) -> dict[str, Any]:
    text = token.split(".")[part]
    found: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


@pytest.fixture(scope="module")
def forger(stack: Stack, token: str) -> Forger:
    key = ECKey.import_key(json.loads(stack.where.signing_key_file.read_bytes()))
    return Forger(_unpacked(token, 0), _unpacked(token, 1), key)


@pytest.fixture
def client(closed: Closed) -> httpx2.AsyncClient:
    return closed.client


@pytest.fixture(scope="module")
def home(stack: Stack) -> str:
    return registered(stack.settings("ios"), "ios", "Home").id


def _own_key(forger: Forger) -> str:
    shown = {**OTHER_KEY.as_dict(private=False), "kid": forger.header["kid"]}
    return forger.named(OTHER_KEY, jwk=shown)


def _duplicated(forger: Forger) -> str:
    """The subject told twice: libraries differ in which they take (RFC 7519 section 4)."""
    text = json.dumps(forger.claims)
    return signed(forger.header, f'{text[:-1]}, "exp": 1}}'.encode(), forger.key)


def _exchanged(parts: list[str], claims: dict[str, Any]) -> str:
    return f"{parts[0]}.{b64(claims)}.{parts[2]}"


FORGERIES: dict[str, Callable[[Forger], str | bytes]] = {
    "alg none": lambda f: f"{b64({**f.header, 'alg': 'none'})}.{b64(f.claims)}.",
    "alg nOnE": lambda f: f"{b64({**f.header, 'alg': 'nOnE'})}.{b64(f.claims)}.x",
    "alg missing": lambda f: f.named(alg=...),
    "alg RS256": lambda f: f.named(alg="RS256"),
    "HS256 with the public key as PEM": lambda f: f.hmac(f.pem),
    "HS256 with the public key as JWK": lambda f: f.hmac(f.jwk),
    "HS256 with an empty key": lambda f: f.hmac(b""),
    "kid unknown": lambda f: f.named(OTHER_KEY, kid="nobody"),
    "kid a path": lambda f: f.named(OTHER_KEY, kid="../../../dev/null"),
    "kid SQL": lambda f: f.named(OTHER_KEY, kid="x' UNION SELECT 'k"),
    "kid a list": lambda f: f.named(kid=[f.header["kid"]]),
    "jwk of the forger": _own_key,
    "jku of the forger": lambda f: f.named(OTHER_KEY, jku="http://127.0.0.1:9/keys"),
    "x5u of the forger": lambda f: f.named(OTHER_KEY, x5u="http://127.0.0.1:9/cert"),
    "typ of a caller": lambda f: f.named(typ="bff+jwt"),
    "typ of a viewer": lambda f: f.named(typ="viewer+jwt"),
    "typ missing": lambda f: f.named(typ=...),
    "crit unknown": lambda f: f.named(crit=["exp"]),
    "b64 false": lambda f: f.named(b64=False, crit=["b64"]),
    "another's signature": lambda f: f.named(OTHER_KEY),
    "signature of zeros": lambda f: f.honest.rpartition(".")[0] + "." + b64(bytes(64)),
    "claims exchanged": lambda f: _exchanged(f.honest.split("."), {**f.claims, "sub": "acc_01001"}),
    "exp past": lambda f: f.says(iat=at(-900), exp=at(-60)),
    "exp text": lambda f: f.says(exp=str(at(900))),
    "exp missing": lambda f: f.says(exp=...),
    "exp in a thousand years": lambda f: f.says(exp=at(31_536_000_000)),
    "exp told twice": _duplicated,
    "nbf future": lambda f: f.says(nbf=at(600)),
    "iat future": lambda f: f.says(iat=at(600), exp=at(900)),
    "aud of services": lambda f: f.says(aud="core-services"),
    "aud list without us": lambda f: f.says(aud=["a", "b"]),
    "iss another": lambda f: f.says(iss="https://accounts.facet.local.evil.example"),
    "iss list": lambda f: f.says(iss=[f.claims["iss"]]),
    "sub missing": lambda f: f.says(sub=...),
    "sub a list": lambda f: f.says(sub=["acc_01000"]),
    "sub with a NUL": lambda f: f.says(sub="acc_01000\0"),
    "epoch of yesterday": lambda f: f.says(epoch=-1),
    "huge": lambda f: f.says(junk="x" * 20_000),
    "no base64": lambda f: f.honest.replace(".", ".!", 1),
    "padded": lambda f: f.honest + "==",
    "dot behind": lambda f: f.honest + ".",
    "dots alone": lambda f: "..",
    "NUL behind": lambda f: f.honest.encode() + b"%00",
    "no ASCII": lambda f: f.honest.encode() + b"\xff",
    "deep JSON": lambda f: signed(f.header, b"[" * 1_000 + b"]" * 1_000, f.key),
}


async def _ask(client: httpx2.AsyncClient, home: str, token: str | bytes) -> httpx2.Response:
    value = b"Bearer " + (token if isinstance(token, bytes) else token.encode())
    return await client.post(
        "/graphql", json={"documentId": home}, headers={b"authorization": value}
    )


@pytest.mark.parametrize("name", FORGERIES)
async def test_forgery_is_refused(
    client: httpx2.AsyncClient, home: str, forger: Forger, name: str
) -> None:
    """A forged token is refused like any bad one, and shows nobody's data; never a 5xx."""
    answer = await _ask(client, home, FORGERIES[name](forger))
    assert answer.status_code in (200, 431)
    assert answer.json()["errors"][0]["extensions"]["code"] == "UNAUTHENTICATED"
    assert "data" not in answer.json()
    assert CANARY not in answer.text


async def test_the_forger_can_sign(client: httpx2.AsyncClient, home: str, forger: Forger) -> None:
    """Nothing changed, what the forger signs is taken: the refusals above are of what is wrong."""
    for honest in (forger.honest, forger.named(), forger.says(aud=["x", "facet"])):
        assert CANARY in (await _ask(client, home, honest)).text
