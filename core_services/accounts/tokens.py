"""Access tokens of signed-in accounts (RFC 9068) and the public key to check them (RFC 7517)."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from joserfc.jwk import ECKey

from core_services.accounts.settings import AccountsSettings
from core_services.kit.settings import SettingsError
from core_services.kit.times import now
from core_services.kit.tokens import ALGORITHM, new_signing_key, read_signing_key, sign

AUDIENCE = "facet"
TOKEN_TYPE = "at+jwt"  # noqa: S105 - a media type


@dataclass(frozen=True)
class AccessToken:
    """A signed token and the instant it ends."""

    text: str
    expires_at: datetime


class TokenMint:
    """Signs access tokens with the service's key; one a process."""

    def __init__(self, key: ECKey, issuer: str, life_s: int) -> None:
        self._key = key
        self._kid = key.thumbprint()
        self._issuer = issuer
        self._life = timedelta(seconds=life_s)

    @classmethod
    def from_settings(cls, settings: AccountsSettings) -> "TokenMint":
        """Return the mint of these settings; SettingsError for an unusable key file."""
        if settings.signing_key_file is None:  # development only, see check_files
            return cls(new_signing_key(), settings.issuer, settings.token_life_s)
        try:
            key = read_signing_key(settings.signing_key_file)
        except (OSError, ValueError) as failure:
            raise SettingsError(f"{settings.variable('signing_key_file')}: {failure}") from failure
        return cls(key, settings.issuer, settings.token_life_s)

    def mint(self, account_id: str, session_id: str, device_id: str, epoch: int) -> AccessToken:
        """Return a token that holds until it expires or the account's epoch moves above `epoch`."""
        issued = now().replace(microsecond=0)
        expires = issued + self._life
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": account_id,
            "sid": session_id,
            "device": device_id,
            "epoch": epoch,
            "scope": "app",
            "iat": int(issued.timestamp()),
            "exp": int(expires.timestamp()),
            "jti": secrets.token_hex(16),
        }
        return AccessToken(sign(claims, self._key, typ=TOKEN_TYPE, kid=self._kid), expires)

    def public_keys(self) -> dict[str, Any]:
        """Return the JWK set that verifies these tokens."""
        public = self._key.as_dict(private=False)
        return {"keys": [{**public, "kid": self._kid, "alg": ALGORITHM, "use": "sig"}]}
