"""Keys and tokens of one bench run: viewers that our gateway really checks."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from joserfc import jwt
from joserfc.jwk import ECKey

from bff.config import AccessConfig

KID = "bench-1"
LIFE_S = 3_600  # the longest our gateway takes


@dataclass(frozen=True)
class Identities:
    """`key_file` is the gateway's own key, `public_keys` verifies the tokens by viewer."""

    key_file: Path
    public_keys: Path
    tokens: dict[str, str]

    @classmethod
    def make(cls, folder: Path, viewers: Sequence[str], gateway: str) -> Identities:
        """Fresh keys in `folder`, and a token a viewer. `gateway` names our gateway's key."""
        own = ECKey.generate_key("P-256", {"kid": gateway}, private=True)
        key_file = folder / f"{gateway}.jwk"
        key_file.write_text(json.dumps(own.as_dict(private=True)))
        signing = ECKey.generate_key("P-256", {"kid": KID}, private=True)
        public = {**signing.as_dict(private=False), "kid": KID, "alg": "ES256", "use": "sig"}
        public_keys = folder / "jwks.json"
        public_keys.write_text(json.dumps({"keys": [public]}))
        return cls(key_file, public_keys, {viewer: _token(viewer, signing) for viewer in viewers})


def _token(viewer: str, key: ECKey) -> str:
    access, now = AccessConfig(), int(time.time())
    header = {"alg": "ES256", "typ": "at+jwt", "kid": KID}
    claims = {
        "iss": access.issuer,
        "aud": access.audience,
        "sub": viewer,
        "sid": secrets.token_hex(8),
        "device": f"dev_{viewer}",
        "epoch": 0,
        "scope": "app",
        "iat": now,
        "exp": now + LIFE_S,
        "jti": secrets.token_hex(16),
    }
    return jwt.encode(header, claims, key, algorithms=["ES256"])
