"""Access tokens, honest and forged, and an identity service that answers from memory."""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from joserfc.jwk import ECKey

from bff.access.authenticate import Authenticator
from bff.access.keys import KeySet
from bff.access.revocations import Revocations
from bff.config import AccessConfig
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import Caller
from bff.upstreams.transport import Incoming, Outgoing
from tests.unit.bff.upstreams.fakes import FakeTransport, answer, caller

KEY = ECKey.generate_key("P-256", {"kid": "accounts-1"}, private=True)
OTHER_KEY = ECKey.generate_key("P-256", {"kid": "accounts-2"}, private=True)
HEADER: dict[str, Any] = {"alg": "ES256", "typ": "at+jwt", "kid": "accounts-1"}
KEYS_PATH = "/.well-known/jwks.json"
REVOCATIONS_PATH = "/v1/revocations"
AS_OF = "2026-11-01T00:10:00.000000Z"


def claims(**changes: Any) -> dict[str, Any]:
    """The claims of an honest token; a change to `...` leaves the claim out."""
    at = int(time.time())
    honest = {
        "iss": "https://accounts.facet.local",
        "aud": "facet",
        "sub": "account-1",
        "sid": "session-1",
        "device": "device-1",
        "epoch": 3,
        "scope": "app beta",
        "iat": at,
        "exp": at + 900,
        "jti": "x",
    }
    return {name: value for name, value in {**honest, **changes}.items() if value is not ...}


def b64(content: bytes | Any) -> str:
    """Base64url without padding; anything but bytes is written as JSON first."""
    raw = content if isinstance(content, bytes) else json.dumps(content).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def signed(header: Any = None, payload: Any = None, key: ECKey = KEY) -> str:
    """A token with a right ES256 signature over whatever it holds; no library would make it."""
    text = f"{b64(HEADER if header is None else header)}.{b64(payload or claims())}"
    private = key.private_key
    assert private is not None
    der = private.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
    r, s = utils.decode_dss_signature(der)
    return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def public(key: ECKey, **changes: Any) -> dict[str, Any]:
    """A key as an identity service shows it."""
    return {**key.as_dict(private=False), "kid": key.kid, "use": "sig", "alg": "ES256", **changes}


@dataclass
class Identity:
    """The identity service: what its two paths answer may be changed at any time."""

    keys: Any = field(default_factory=lambda: {"keys": [public(KEY)]})
    revocations: Any = field(default_factory=lambda: {"revocations": [], "as_of": AS_OF})
    asked: list[str] = field(default_factory=list)
    since: list[str] = field(default_factory=list)

    def __call__(self, call: Outgoing) -> Incoming:
        target = urlsplit(call.url)
        self.asked.append(target.path)
        if target.path == REVOCATIONS_PATH:
            self.since.append(parse_qs(target.query)["since"][0])
        found = self.keys if target.path == KEYS_PATH else self.revocations
        if isinstance(found, Exception):
            raise found
        return found if isinstance(found, Incoming) else answer(found)

    @property
    def key_calls(self) -> int:
        return self.asked.count(KEYS_PATH)


class Access:
    """The access room of one process over an identity service."""

    def __init__(self, identity: Identity | None = None, **config: Any) -> None:
        self.identity = identity or Identity()
        self.config = AccessConfig(**config)
        self.metrics = Metrics("ios")
        self.keys = KeySet(self.config, self.metrics)
        self.revocations = Revocations(self.config, self.metrics)
        self.authenticator = Authenticator(self.config, self.keys, self.revocations, self.metrics)

    @property
    def caller(self) -> Caller:
        """A request's caller; each has its own deadline."""
        return caller(FakeTransport(self.identity), viewer=None)

    async def ready(self) -> Access:
        """With keys and revocations read, as a process that takes requests."""
        await self.keys.refresh(self.caller)
        assert await self.revocations.refresh(self.caller)
        return self
