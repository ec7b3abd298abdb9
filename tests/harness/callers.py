"""BFF callers for tests: keys, credentials, viewer assertions, and forged ones on demand."""

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joserfc.jwk import ECKey

from core_services.kit.tokens import new_signing_key, sign


@dataclass(frozen=True)
class Caller:
    """A BFF with its private key; `kid` names it in the services' callers files."""

    kid: str
    key: ECKey

    @classmethod
    def new(cls, kid: str = "bff-ios") -> "Caller":
        """Return a caller with a fresh key."""
        return cls(kid, new_signing_key())

    def credential(self, service: str, *, typ: str = "bff+jwt", **claims: Any) -> str:
        """Return a credential for the service; `claims` override the honest ones."""
        at = int(time.time())
        honest = {"iss": self.kid, "aud": service, "iat": at, "exp": at + 300}
        return sign(honest | claims, self.key, typ=typ, kid=self.kid)

    def assertion(self, account_id: str, *, typ: str = "viewer+jwt", **claims: Any) -> str:
        """Return a viewer assertion; `claims` override the honest ones."""
        at = int(time.time())
        honest = {
            "iss": self.kid,
            "aud": "core-services",
            "sub": account_id,
            "device": None,
            "release": None,
            "scopes": ["app"],
            "iat": at,
            "exp": at + 60,
        }
        return sign(honest | claims, self.key, typ=typ, kid=self.kid)

    def headers(
        self, service: str, viewer: str | None = None, key: str | None = None
    ) -> dict[str, str]:
        """Return the headers of a valid call, for a viewer and with an idempotency key if given."""
        headers = {"authorization": f"Bearer {self.credential(service)}"}
        if viewer is not None:
            headers["x-viewer"] = self.assertion(viewer)
        if key is not None:
            headers["idempotency-key"] = key
        return headers


def write_callers_file(path: Path, callers: Iterable[Caller]) -> Path:
    """Write the public keys of the callers as a JWK set and return the path."""
    keys = [caller.key.as_dict(private=False) | {"kid": caller.kid} for caller in callers]
    path.write_text(json.dumps({"keys": keys}))
    return path
