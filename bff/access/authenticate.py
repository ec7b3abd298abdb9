"""From an access token to the viewer: RFC 9068 profile, ES256 only, checked once and remembered.

Refuses with UNAUTHENTICATED, one message for every cause; the cause goes to the log.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any

from cachetools import TTLCache
from joserfc import jws, jwt
from joserfc.errors import JoseError

from bff.access.keys import KeySet
from bff.access.revocations import Revocations
from bff.config import AccessConfig
from bff.errors import Unauthenticated
from bff.request import Viewer
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import Caller

log = logger(__name__)

TOKEN_TYPE = "at+jwt"  # noqa: S105 - the `typ` of RFC 9068, not a secret
ALGORITHM = "ES256"
MAX_TOKEN_CHARS = 4096


class Authenticator:
    """Checks tokens. Verified ones are remembered by their hash until they expire, at most
    `access.token_cache_s`; the revocation epoch is looked at every time."""

    def __init__(
        self, config: AccessConfig, keys: KeySet, revocations: Revocations, metrics: Metrics
    ) -> None:
        self._config = config
        self._keys = keys
        self._revocations = revocations
        self._metrics = metrics
        self._verified: TTLCache[bytes, tuple[Viewer, int]] = TTLCache(
            config.token_cache_entries, config.token_cache_s
        )

    async def viewer(self, authorization: str | None, caller: Caller) -> Viewer | None:
        """The viewer of an `authorization` header, None without one.

        Raises Unauthenticated for a bad, expired or revoked token, UpstreamUnavailable when it
        cannot be told.
        """
        if authorization is None:
            return None
        scheme, _, token = authorization.partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS:
            raise self._refuse("not a bearer token")
        digest = hashlib.sha256(token.encode()).digest()
        found = self._verified.get(digest)
        if found is None:
            found = await self._verify(token, caller)
            self._verified[digest] = found
        viewer, expires = found
        if expires + self._config.leeway_s < time.time():
            raise self._refuse("expired")
        if self._revocations.revoked(viewer):
            raise self._refuse("revoked")
        return viewer

    async def _verify(self, token: str, caller: Caller) -> tuple[Viewer, int]:
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError) as error:
            raise self._refuse("not a JWT") from error
        kid = header.get("kid")
        if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM:
            raise self._refuse("wrong typ or alg")
        key = await self._keys.get(kid, caller) if isinstance(kid, str) else None
        if key is None:
            raise self._refuse("unknown key")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError) as error:
            raise self._refuse("bad signature") from error
        return self._read(claims)

    def _read(self, claims: dict[str, Any]) -> tuple[Viewer, int]:
        config = self._config
        now = time.time()
        expires, issued = claims.get("exp"), claims.get("iat")
        audience = claims.get("aud")
        subject, epoch = claims.get("sub"), claims.get("epoch")
        # `type() is int`: a string or a bool in the place of a time is a forgery, not a time.
        if type(expires) is not int or type(issued) is not int or type(epoch) is not int:
            raise self._refuse("exp, iat or epoch is not a number")
        if claims.get("iss") != config.issuer:
            raise self._refuse("wrong issuer")
        if config.audience not in (audience if isinstance(audience, list) else [audience]):
            raise self._refuse("wrong audience")
        if not isinstance(subject, str) or not subject:
            raise self._refuse("no subject")
        if expires + config.leeway_s < now or issued - config.leeway_s > now:
            raise self._refuse("expired or not yet valid")
        scope = claims.get("scope")
        viewer = Viewer(
            account_id=subject,
            device=_text(claims.get("device")),
            session=_text(claims.get("sid")),
            epoch=epoch,
            scopes=tuple(scope.split()) if isinstance(scope, str) else (),
        )
        return viewer, expires

    def _refuse(self, cause: str) -> Unauthenticated:
        self._metrics.event("token_refused")
        log.info("token_refused", cause=cause)
        return Unauthenticated("The access token is not valid; sign in again.")


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
