"""Who calls and for whom: the credential of a BFF and its assertion of the viewer.

What they may do is the routes' matter.

Failure policy: every cause of a refused credential gives the same answer (CALLER_UNKNOWN).
"""

import hashlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Generic, TypeVar

from fastapi import Depends, Request
from joserfc.jwk import ECKey

from core_services.kit.errors import CallerUnknown, ViewerInvalid, ViewerRequired
from core_services.kit.tokens import LEEWAY_S, TokenError, verify

VIEWER_HEADER = "x-viewer"
CREDENTIAL_TYPE, VIEWER_TYPE = "bff+jwt", "viewer+jwt"
VIEWER_AUDIENCE = "core-services"
LONGEST_CREDENTIAL_S, LONGEST_ASSERTION_S = 300, 60
_REMEMBERED = 4096
_LONGEST_ID = 64


@dataclass(frozen=True, slots=True)
class Viewer:
    """The signed-in user a BFF vouches for; `account_id` is at most 64 characters."""

    account_id: str
    device: str | None
    release: str | None
    scopes: frozenset[str]


class CallerCheck:
    """Verifies credentials and assertions of the callers in `keys` (kid → public key).

    Verified tokens are remembered until they expire: a BFF repeats them for many calls. `clock`
    gives seconds since 1970; a caller's may be LEEWAY_S away from it, either way.
    """

    def __init__(
        self, service: str, keys: Mapping[str, ECKey], clock: Callable[[], float] = time.time
    ) -> None:
        self._service = service
        self._keys = dict(keys)
        self._clock = clock
        self._callers: _Remembered[str] = _Remembered()
        self._viewers: _Remembered[Viewer] = _Remembered()

    def caller(self, authorization: str | None) -> str:
        """Return the caller's kid from the authorization header; raises CallerUnknown."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise CallerUnknown
        try:
            at = self._clock()
            return self._callers.get_or_verify(
                token, "", at, lambda: self._read_credential(token, at)
            )
        except TokenError as failure:
            raise CallerUnknown from failure

    def viewer(self, assertion: str, caller: str) -> Viewer:
        """Return the viewer asserted by this very caller; raises ViewerInvalid."""
        try:
            at = self._clock()
            return self._viewers.get_or_verify(
                assertion, caller, at, lambda: self._read_assertion(assertion, caller, at)
            )
        except TokenError as failure:
            raise ViewerInvalid from failure

    def _read_credential(self, token: str, at: float) -> tuple[str, int]:
        claims = verify(
            token,
            self._keys.get,
            typ=CREDENTIAL_TYPE,
            audience=self._service,
            longest_s=LONGEST_CREDENTIAL_S,
            at=at,
        )
        return str(claims["iss"]), claims["exp"]

    def _read_assertion(self, assertion: str, caller: str, at: float) -> tuple[Viewer, int]:
        claims = verify(
            assertion,
            # A caller vouches with its own key only: no other kid is even looked at.
            lambda kid: self._keys.get(kid) if kid == caller else None,
            typ=VIEWER_TYPE,
            audience=VIEWER_AUDIENCE,
            longest_s=LONGEST_ASSERTION_S,
            at=at,
        )
        return _viewer_of(claims), claims["exp"]


def _viewer_of(claims: Mapping[str, Any]) -> Viewer:
    account_id, scopes = claims.get("sub"), claims.get("scopes")
    if not isinstance(account_id, str) or not _is_id(account_id):
        raise TokenError("sub is not an account id")
    if not isinstance(scopes, list) or not all(isinstance(scope, str) for scope in scopes):
        raise TokenError("scopes is not a list of strings")
    device, release = claims.get("device"), claims.get("release")
    if not all(value is None or isinstance(value, str) for value in (device, release)):
        raise TokenError("device and release are strings or null")
    return Viewer(account_id, device, release, frozenset(scopes))


def _is_id(value: str) -> bool:
    return 0 < len(value) <= _LONGEST_ID and value.isascii() and value.isprintable()


Verified = TypeVar("Verified")


class _Remembered(Generic[Verified]):
    """Verified tokens by digest, forgotten when they expire or when 4096 newer ones came."""

    def __init__(self) -> None:
        self._entries: OrderedDict[bytes, tuple[Verified, float]] = OrderedDict()

    def get_or_verify(
        self,
        token: str,
        bound_to: str,
        at: float,
        verify_now: Callable[[], tuple[Verified, int]],
    ) -> Verified:
        digest = hashlib.sha256(f"{bound_to}\n{token}".encode("utf-8", "surrogateescape")).digest()
        entry = self._entries.get(digest)
        if entry is not None:
            if at < entry[1]:
                self._entries.move_to_end(digest)
                return entry[0]
            del self._entries[digest]
        value, expires = verify_now()
        self._entries[digest] = (value, expires + LEEWAY_S)
        if len(self._entries) > _REMEMBERED:
            self._entries.popitem(last=False)
        return value


@dataclass(slots=True)
class Facts:
    """What the gate found out about one request, kept in its ASGI scope."""

    request_id: str
    trace_id: str | None = None
    caller: str | None = None
    viewer: Viewer | None = None


def facts_of(scope: Mapping[str, Any]) -> Facts:
    """Return the facts the gate put into this request's scope."""
    facts: Facts = scope["facet"]
    return facts


async def required_viewer(request: Request) -> Viewer:
    """Return the viewer of this request; raises ViewerRequired when the caller asserted none."""
    viewer = facts_of(request.scope).viewer
    if viewer is None:
        raise ViewerRequired
    return viewer


CurrentViewer = Annotated[Viewer, Depends(required_viewer)]
