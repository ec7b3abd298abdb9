"""The identity service's public keys, fetched when needed and kept.

Failure policy: keys that cannot be fetched leave the known ones in force, counted; with none known
nobody can be told from anybody, and a token gets UPSTREAM_UNAVAILABLE, never a pass.
"""

from __future__ import annotations

import asyncio
import time

from joserfc.jwk import ECKey

from bff.config import AccessConfig
from bff.contract import Scope
from bff.errors import FieldError, UpstreamUnavailable
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import Caller
from bff.upstreams.method import Answer, Method

log = logger(__name__)

UNKNOWN_KID_PAUSE_S = 5.0


class JwksAnswer(Answer, frozen=True):
    """RFC 7517 section 5; members are read by the JOSE library."""

    keys: list[dict[str, str]]


class KeySet:
    """Keys by `kid`. An unknown `kid` asks the service again, at most every five seconds, so that
    made-up ones cannot turn into load."""

    def __init__(self, config: AccessConfig, metrics: Metrics) -> None:
        self._method = Method(
            config.identity_service, "keys", "GET", config.keys_path, Scope.SHARED, JwksAnswer
        )
        self._max_age = config.keys_max_age_s
        self._metrics = metrics
        self._keys: dict[str, ECKey] = {}
        self._fetched_at = float("-inf")
        self._asked_at = float("-inf")
        self._lock = asyncio.Lock()

    @property
    def known(self) -> bool:
        return bool(self._keys)

    async def get(self, kid: str, caller: Caller) -> ECKey | None:
        """The key of that id, None if the service has none of it.

        Raises UpstreamUnavailable when no key could ever be fetched.
        """
        found = self._keys.get(kid)
        now = time.monotonic()
        stale = now - self._fetched_at > self._max_age
        if (found is None or stale) and now - self._asked_at > UNKNOWN_KID_PAUSE_S:
            await self.refresh(caller)
            found = self._keys.get(kid)
        if found is None and not self._keys:
            raise UpstreamUnavailable("Sign-in cannot be checked right now; try again later.")
        return found

    async def refresh(self, caller: Caller) -> None:
        """Fetch the keys; on failure the known ones stay."""
        async with self._lock:
            self._asked_at = time.monotonic()
            try:
                answer = await caller.call(self._method)
                self._keys = _import(answer)
                self._fetched_at = time.monotonic()
            except FieldError as error:
                self._metrics.event("keys_refresh_failed")
                log.warning("keys_refresh_failed", code=error.code, detail=error.detail)


def _import(answer: JwksAnswer) -> dict[str, ECKey]:
    keys: dict[str, ECKey] = {}
    for entry in answer.keys:
        if entry.get("kty") == "EC" and entry.get("crv") == "P-256" and entry.get("kid"):
            keys[entry["kid"]] = ECKey.import_key(entry)
    return keys
