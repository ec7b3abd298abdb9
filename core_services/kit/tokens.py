"""ES256 tokens (RFC 7515, RFC 7519): signing, and checks that fix algorithm, type and lifetime.

Callers hold the trust rules (whose key, which audience); this file knows none of them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import orjson
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

ALGORITHM = "ES256"
LEEWAY_S = 30
"""How far the clocks of signer and verifier may be apart, either way; beyond it, NotNowError."""
_LONGEST_TOKEN = 4096


class TokenError(Exception):
    """The token is not to be trusted; the message is for logs and tests, never for the caller."""


class NotNowError(TokenError):
    """Past or not begun: an old token, or clocks too far apart. `ahead_s` > 0: signed in what is
    still the future here."""

    def __init__(self, ahead_s: float) -> None:
        super().__init__("not valid now")
        self.ahead_s = ahead_s


def sign(claims: Mapping[str, Any], key: ECKey, *, typ: str, kid: str) -> str:
    """Return a compact ES256 JWT with header {alg, typ, kid}."""
    header = {"alg": ALGORITHM, "typ": typ, "kid": kid}
    return jwt.encode(header, dict(claims), key, algorithms=[ALGORITHM])


def verify(
    token: str,
    find_key: Callable[[str], ECKey | None],
    *,
    typ: str,
    audience: str,
    longest_s: int,
    at: float,
) -> dict[str, Any]:
    """Return the claims of a token signed by the key of its kid, with `iss` equal to that kid.

    Raises TokenError for another algorithm or type, an unknown kid, a bad signature, another
    audience or issuer, and a lifetime over `longest_s`; NotNowError for one that does not hold at
    `at` (seconds since 1970, LEEWAY_S of clock skew allowed).
    """
    if len(token) > _LONGEST_TOKEN:
        raise TokenError("too long")

    def key_of(guest: Any) -> ECKey:
        header = guest.headers()
        key = find_key(header["kid"]) if isinstance(header.get("kid"), str) else None
        if header.get("typ") != typ or header.get("alg") != ALGORITHM or key is None:
            raise TokenError("other type, other algorithm or unknown key")
        return key

    try:
        decoded = jwt.decode(token, key_of, algorithms=[ALGORITHM])
    except (JoseError, ValueError, TypeError, KeyError, RecursionError) as failure:
        raise TokenError(type(failure).__name__) from failure
    claims = decoded.claims
    if claims.get("iss") != decoded.header["kid"] or claims.get("aud") != audience:
        raise TokenError("other issuer or audience")
    _check_lifetime(claims, longest_s, at)
    return claims


def _check_lifetime(claims: Mapping[str, Any], longest_s: int, at: float) -> None:
    issued, expires = claims.get("iat"), claims.get("exp")
    if type(issued) is not int or type(expires) is not int:
        raise TokenError("iat and exp must be whole seconds")
    if not 0 < expires - issued <= longest_s:
        raise TokenError("lives too long")
    if issued > at + LEEWAY_S or expires <= at - LEEWAY_S:
        raise NotNowError(issued - at)


def read_public_keys(path: Path) -> dict[str, ECKey]:
    """Return kid → public key from a JWKS file (RFC 7517 section 5).

    ValueError names what is wrong.
    """
    document = _read_json(path)
    keys = document.get("keys")
    if not isinstance(keys, list):
        raise ValueError(f'{path}: not a JWK set; it must read {{"keys": [...]}}')
    found: dict[str, ECKey] = {}
    for entry in keys:
        key = _p256(path, entry)
        if key.is_private:
            raise ValueError(f"{path}: holds a private key; put only public keys there")
        kid = entry.get("kid")
        if not isinstance(kid, str) or kid in found:
            raise ValueError(f"{path}: every key needs its own kid")
        found[kid] = key
    return found


def read_signing_key(path: Path) -> ECKey:
    """Return the private P-256 key of a JWK file; ValueError says what is wrong."""
    key = _p256(path, _read_json(path))
    if not key.is_private:
        raise ValueError(f"{path}: holds a public key; signing needs the private one")
    return key


def new_signing_key() -> ECKey:
    """Return a fresh private P-256 key."""
    return ECKey.generate_key("P-256", private=True)


def _read_json(path: Path) -> dict[str, Any]:
    try:
        document = orjson.loads(path.read_bytes())
    except ValueError as failure:
        raise ValueError(f"{path}: not JSON ({failure})") from failure
    if not isinstance(document, dict):
        raise ValueError(f"{path}: must hold one JSON object")
    return document


def _p256(path: Path, entry: Any) -> ECKey:
    if not isinstance(entry, dict) or entry.get("kty") != "EC" or entry.get("crv") != "P-256":
        raise ValueError(f"{path}: only P-256 keys (kty EC) are taken, for {ALGORITHM}")
    try:
        return ECKey.import_key(entry)
    except (JoseError, ValueError, TypeError) as failure:
        raise ValueError(f"{path}: a key cannot be read ({failure})") from failure
