"""From an access token to the viewer: RFC 9068 profile, ES256 only, checked once and remembered.

Refuses with UNAUTHENTICATED, one message for every cause; the cause goes to the log.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from typing import Any, NamedTuple, Protocol

from cachetools import LRUCache
from joserfc import jws, jwt
from joserfc.errors import JoseError

from bff.access.keys import KeySet
from bff.access.limits import Limits
from bff.access.load import Load
from bff.access.revocations import MOST_LIFE_S, Revocations
from bff.config import AccessConfig
from bff.errors import FieldError, Unauthenticated
from bff.request import Arrival, Priority, Viewer
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import Caller

log = logger(__name__)

TOKEN_TYPE = "at+jwt"  # noqa: S105 - the `typ` of RFC 9068, not a secret
ALGORITHM = "ES256"
MAX_TOKEN_CHARS = 4096
# RFC 7515 section 7.1, compact serialisation: anything looser lets one token be spelt many ways.
COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
# OpenID Connect Core section 2: at most 255 ASCII characters.
SUBJECT = re.compile(r"[\x21-\x7e]{1,255}")


class _Verified(NamedTuple):
    """What a right token says, until when it is valid (seconds since the epoch), and until when
    that is believed without another check (monotonic seconds)."""

    viewer: Viewer
    expires: int
    believed_until: float


class Facts(Protocol):
    """Of an operation, what its schema declares: `priority` is who waits for it."""

    @property
    def spares_token(self) -> bool: ...
    @property
    def priority(self) -> Priority | None: ...


class Size(Protocol):
    """Of an operation, what its document is known to cost."""

    @property
    def cost(self) -> int: ...


class Asked(Protocol):
    """An operation, as far as who may run it depends on it."""

    @property
    def facts(self) -> Facts: ...
    @property
    def size(self) -> Size: ...


class Authenticator:
    """Checks tokens. Verified ones are remembered by their hash until they expire, at most
    `access.token_cache_s`; the revocation epoch is looked at every time. `limits` and `load` are
    those of the process, where it has any."""

    def __init__(
        self,
        config: AccessConfig,
        keys: KeySet,
        revocations: Revocations,
        metrics: Metrics,
        *,
        limits: Limits | None = None,
        load: Load | None = None,
    ) -> None:
        self.limits = limits
        self.load = load
        if limits is not None:
            limits.knows = self.knows
        self._config = config
        self._keys = keys
        self._revocations = revocations
        self._metrics = metrics
        self._verified: LRUCache[bytes, _Verified] = LRUCache(config.token_cache_entries)

    def begin(self) -> None:
        """Watch the load of the running loop."""
        if self.load is not None:
            self.load.begin()

    async def end(self) -> None:
        """Let go of what limits and load hold."""
        if self.load is not None:
            self.load.end()
        if self.limits is not None and self.limits.ledger is not None:
            await self.limits.ledger.close()

    async def attempt(self, kind: str, subject: str, address: str | None) -> None:
        """Count an attempt on what is worth guessing. Raises FieldRateLimited."""
        if self.limits is not None:
            await self.limits.attempt(kind, subject, address)

    def check(self, authorization: str | None, caller: Caller) -> TokenCheck:
        """The check of one exchange's token; nothing is looked at yet."""
        return TokenCheck(self, authorization, caller)

    async def viewer(self, authorization: str | None, caller: Caller) -> Viewer | None:
        """The viewer of an `authorization` header, None without one.

        Raises Unauthenticated for a bad, expired or revoked token, UpstreamUnavailable when it
        cannot be told.
        """
        if authorization is None:
            return None
        remembered = self.remembered(authorization)
        return remembered or self._in_force(await self._first_seen(authorization, caller))

    def remembered(self, authorization: str | None) -> Viewer | None:
        """The viewer of a header whose token was verified a moment ago, None if it was not.

        Raises Unauthenticated and UpstreamUnavailable as `viewer` does.
        """
        found = self._believed(authorization) if authorization is not None else None
        return self._in_force(found) if found is not None else None

    def knows(self, authorization: str) -> str | None:
        """The account of a header's token that was found right a moment ago and is in force."""
        found = self._believed(authorization)
        try:
            return None if found is None else self._in_force(found).account_id
        except FieldError:
            return None

    def _believed(self, authorization: str) -> _Verified | None:
        found = self._verified.get(hashlib.sha256(authorization.encode()).digest())
        return found if found is not None and time.monotonic() < found.believed_until else None

    def _in_force(self, found: _Verified) -> Viewer:
        if found.expires + self._config.leeway_s < time.time():
            raise self._refuse("expired")
        if self._revocations.revoked(found.viewer):
            raise self._refuse("revoked")
        return found.viewer

    async def _first_seen(self, authorization: str, caller: Caller) -> _Verified:
        """Remembered under one spelling of the header, or one token could fill the cache."""
        scheme, _, token = authorization.partition(" ")
        token = token.strip(" ")
        if scheme.lower() != "bearer" or len(token) > MAX_TOKEN_CHARS:
            raise self._refuse("not a bearer token")
        if COMPACT.fullmatch(token) is None:
            raise self._refuse("not a JWT")
        header = f"Bearer {token}"
        found = self._believed(header)
        if found is None:
            viewer, expires = await self._verify(token, caller)
            found = _Verified(viewer, expires, time.monotonic() + self._config.token_cache_s)
            self._verified[hashlib.sha256(header.encode()).digest()] = found
        return found

    async def _verify(self, token: str, caller: Caller) -> tuple[Viewer, int]:
        try:
            header = jws.extract_compact(token.encode()).headers()
        except (JoseError, ValueError, RecursionError) as error:
            raise self._refuse("not a JWT") from error
        kid = header.get("kid")
        if header.get("typ") != TOKEN_TYPE or header.get("alg") != ALGORITHM:
            raise self._refuse("wrong typ or alg")
        if "crit" in header:  # RFC 7515 section 4.1.11: we understand no extension
            raise self._refuse("critical extension")
        key = await self._keys.get(kid, caller) if isinstance(kid, str) else None
        if key is None:
            raise self._refuse("unknown key")
        try:
            claims = jwt.decode(token, key, algorithms=[ALGORITHM]).claims
        except (JoseError, ValueError, RecursionError) as error:
            raise self._refuse("bad signature") from error
        return self._read(claims)

    def _read(self, claims: dict[str, Any]) -> tuple[Viewer, int]:
        config = self._config
        audience, scope = claims.get("aud"), claims.get("scope")
        subject, epoch = claims.get("sub"), claims.get("epoch")
        if claims.get("iss") != config.issuer:
            raise self._refuse("wrong issuer")
        if config.audience not in (audience if isinstance(audience, list) else [audience]):
            raise self._refuse("wrong audience")
        if not isinstance(subject, str) or SUBJECT.fullmatch(subject) is None:
            raise self._refuse("no subject")
        if type(epoch) is not int:
            raise self._refuse("epoch is not a number")
        expires = self._read_times(claims)
        viewer = Viewer(
            account_id=subject,
            device=_text(claims.get("device")),
            session=_text(claims.get("sid")),
            epoch=epoch,
            scopes=tuple(scope.split()) if isinstance(scope, str) else (),
        )
        return viewer, expires

    def _read_times(self, claims: dict[str, Any]) -> int:
        """The instant of expiry, the times of the token being right (RFC 7519 section 4.1)."""
        expires, issued = claims.get("exp"), claims.get("iat")
        begins = claims.get("nbf", issued)
        # `type() is int`: a string or a bool in the place of a time is a forgery, not a time.
        if type(expires) is not int or type(issued) is not int or type(begins) is not int:
            raise self._refuse("exp, iat or nbf is not a number")
        now, leeway = time.time(), self._config.leeway_s
        if max(issued, begins) - leeway > now:
            # Signed by the identity service, which does not sign ahead: one of two clocks is wrong.
            self._metrics.event("clock_behind")
            log.warning("clock_behind", ahead_s=max(issued, begins) - round(now))
        if expires + leeway < now or max(issued, begins) - leeway > now:
            raise self._refuse("expired or not yet valid")
        if expires - issued > MOST_LIFE_S:
            raise self._refuse("lives longer than revocations are remembered")
        return expires

    def _refuse(self, cause: str) -> Unauthenticated:
        self._metrics.event("token_refused")
        log.info("token_refused", cause=cause)
        return Unauthenticated("The access token is not valid; sign in again.")


class TokenCheck:
    """One exchange's token, checked once however many operations it carries."""

    def __init__(
        self, authenticator: Authenticator, authorization: str | None, caller: Caller
    ) -> None:
        self._authenticator = authenticator
        self._authorization = authorization
        self._caller = caller
        self._outcome: Viewer | FieldError | None = None
        self._checked = authorization is None
        self._lock = asyncio.Lock()

    async def viewer(self) -> Viewer | None:
        """As `Authenticator.viewer`, the same for every operation."""
        if not self._checked and not self._remembered():
            async with self._lock:
                await self._check()
        if isinstance(self._outcome, FieldError):
            raise self._outcome
        return self._outcome

    async def enter(self, arrival: Arrival, operation: Asked) -> Viewer | None:
        """The viewer of one operation, which is taken from his limits. A dead token spares what is
        always allowed: one must sign in again.

        Raises as `viewer` does; Overloaded where the document turns out less urgent than there is
        room for; RateLimited.
        """
        facts = operation.facts
        load, limits = self._authenticator.load, self._authenticator.limits
        if load is not None and not arrival.says_priority:
            load.check(facts.priority or Priority.USER)
        try:
            viewer = await self.viewer()
        except Unauthenticated:
            if not facts.spares_token:
                raise
            viewer = None
        if limits is not None:
            limits.spend(arrival, viewer, operation.size.cost)
        return viewer

    def _remembered(self) -> bool:
        """The way of nearly every exchange: nothing to wait for, so no turns to take."""
        try:
            self._outcome = self._authenticator.remembered(self._authorization)
        except FieldError as error:
            self._outcome = error
        self._checked = self._outcome is not None
        return self._checked

    async def _check(self) -> None:
        if self._checked:  # by another operation, while this one waited
            return
        try:
            self._outcome = await self._authenticator.viewer(self._authorization, self._caller)
        except FieldError as error:
            self._outcome = error
        self._checked = True


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
