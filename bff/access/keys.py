"""The identity service's public keys, fetched when needed and kept.

Failure policy: keys that cannot be fetched, or of which none can be used, leave the known ones in
force, counted. A token whose key is not among them gets UPSTREAM_UNAVAILABLE then, never a pass,
and never UNAUTHENTICATED either: apps would sign their users out.
"""

from __future__ import annotations

import asyncio
import time
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from bff.config import AccessConfig
from bff.contract import Scope
from bff.errors import FieldError, UpstreamBadResponse, UpstreamUnavailable
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import Caller
from bff.upstreams.method import Answer, Method

log = logger(__name__)

UNKNOWN_KID_PAUSE_S = 5.0


class JwksAnswer(Answer, frozen=True):
    """RFC 7517 section 5; members are read by the JOSE library."""

    keys: list[dict[str, Any]]


class KeySet:
    """Keys by `kid`. An unknown `kid` asks the service again, at most every five seconds, so that
    made-up ones cannot turn into load."""

    def __init__(self, config: AccessConfig, metrics: Metrics) -> None:
        self._method = Method(
            config.identity_service,
            "keys",
            "GET",
            config.keys_path,
            Scope.SHARED,
            JwksAnswer,
            critical=True,
        )
        self._max_age = config.keys_max_age_s
        self._metrics = metrics
        self._keys: dict[str, ECKey] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._failing = False
        self._lock = asyncio.Lock()

    @property
    def known(self) -> bool:
        return bool(self._keys)

    async def get(self, kid: str, caller: Caller) -> ECKey | None:
        """The key of that id, None if the service has none of it.

        Raises UpstreamUnavailable when the service could not be asked for it.
        """
        found = self._keys.get(kid)
        now = time.monotonic()
        stale = now - self._fetched_at > self._max_age
        if (found is None or stale) and now - self._asked_at > UNKNOWN_KID_PAUSE_S:
            await self.refresh(caller)
        elif found is None:
            # Asked for a moment ago, perhaps right now: what comes may hold this one.
            async with self._lock:
                pass
        found = self._keys.get(kid)
        if found is None and (self._failing or not self._keys):
            raise UpstreamUnavailable("Sign-in cannot be checked right now; try again later.")
        return found

    async def refresh(self, caller: Caller) -> None:
        """Fetch the keys; on failure the known ones stay."""
        async with self._lock:
            self._asked_at = time.monotonic()
            self._failing = True
            try:
                self._keys = _import(await caller.call(self._method))
                self._fetched_at = time.monotonic()
                self._failing = False
            except FieldError as error:
                self._metrics.event("keys_refresh_failed")
                log.warning("keys_refresh_failed", code=error.code, detail=error.detail)


def _import(answer: JwksAnswer) -> dict[str, ECKey]:
    """The keys that can sign our tokens, by id; others in the set are none of our business.

    Raises UpstreamBadResponse when there is none: an emptied set must not sign everybody out.
    """
    keys: dict[str, ECKey] = {}
    for entry in answer.keys:
        kid, ours = entry.get("kid"), (entry.get("kty"), entry.get("crv")) == ("EC", "P-256")
        if not ours or not isinstance(kid, str) or not kid or entry.get("use", "sig") != "sig":
            continue
        try:
            keys[kid] = ECKey.import_key(entry)
        except (JoseError, ValueError, TypeError) as error:
            log.warning("key_unusable", kid=kid, reason=type(error).__name__)
    if not keys:
        raise UpstreamBadResponse("Sign-in cannot be checked right now.", detail="no usable key")
    return keys
