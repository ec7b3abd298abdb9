"""The two signed statements a call carries: who this BFF is, and which viewer it speaks for.

The phone's token ends at the gateway (DESIGN D5). Both are short-lived ES256 JWTs (RFC 7519),
signed with this BFF's own key, and reused while they have a third of their life left.
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from cachetools import TTLCache
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from bff.errors import ConfigError
from bff.request import ClientIdentity, Viewer

CREDENTIAL_LIFE_S = 300
ASSERTION_LIFE_S = 60
VIEWER_AUDIENCE = "core-services"


class Signer:
    """Signs for one BFF. `kid` of the key is the BFF's name, e.g. `bff-ios`."""

    def __init__(self, key: ECKey) -> None:
        if key.kid is None or not key.is_private or key.curve_name != "P-256":
            raise ConfigError(
                "upstreams.key_file must hold a private EC key (JWK) of curve P-256 with a 'kid'"
            )
        self._key = key
        self.name = key.kid
        self._credentials: TTLCache[str, str] = TTLCache(64, CREDENTIAL_LIFE_S * 2 / 3)
        self._assertions: TTLCache[tuple[Viewer, str | None], str] = TTLCache(
            10_000, ASSERTION_LIFE_S * 2 / 3
        )

    def derived(self, purpose: bytes) -> bytes:
        """A secret of all processes that have this key, for one purpose (16 bytes at most)."""
        private = str(self._key.as_dict(private=True)["d"]).encode()
        return hashlib.blake2b(private, person=purpose).digest()

    def credential(self, service: str) -> str:
        """This BFF's own credential for one service (the value of `authorization`)."""
        # Not `get`, which looks twice: every call comes by here.
        try:
            return self._credentials[service]
        except KeyError:
            token = self._sign("bff+jwt", {"aud": service}, CREDENTIAL_LIFE_S)
            found = self._credentials[service] = f"Bearer {token}"
            return found

    def assertion(self, viewer: Viewer, client: ClientIdentity) -> str:
        """The viewer this BFF vouches for (the value of `x-viewer`)."""
        subject = (viewer, client.release)
        try:
            return self._assertions[subject]
        except KeyError:
            found = self._assertions[subject] = self._vouch(viewer, client.release)
            return found

    def _vouch(self, viewer: Viewer, release: str | None) -> str:
        claims = {
            "aud": VIEWER_AUDIENCE,
            "sub": viewer.account_id,
            "device": viewer.device,
            "release": release,
            "scopes": list(viewer.scopes),
        }
        return self._sign("viewer+jwt", claims, ASSERTION_LIFE_S)

    def _sign(self, typ: str, claims: dict[str, Any], life: int) -> str:
        now = int(time.time())
        header = {"alg": "ES256", "typ": typ, "kid": self.name}
        full = {"iss": self.name, "iat": now, "exp": now + life, **claims}
        return jwt.encode(header, full, self._key, algorithms=["ES256"])


def read_signer(path: Path | None) -> Signer:
    """The signer of the key in `path`. Raises ConfigError saying what to do."""
    if path is None:
        raise ConfigError(
            "upstreams.key_file is not set: core services refuse a gateway they do not know; "
            "`bff up` makes development keys, or set BFF__UPSTREAMS__KEY_FILE"
        )
    try:
        return Signer(ECKey.import_key(json.loads(path.read_bytes())))
    except (OSError, ValueError, TypeError, AttributeError, JoseError) as error:
        raise ConfigError(f"upstreams.key_file {path} holds no EC key (JWK): {error}") from error
