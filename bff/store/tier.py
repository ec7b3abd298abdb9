"""What every place for small values promises; what is kept, and for whom, is the caller's."""

from __future__ import annotations

from typing import Protocol

from bff.errors import InternalError


class TierError(InternalError):
    """The place itself failed (down, full, slow), which says nothing of the key."""


class KeyValueTier(Protocol):
    """Bytes under a key, for a time. A value may be gone at any moment: never the only copy."""

    async def get(self, key: str) -> bytes | None:
        """The value, or None when it was never put, has expired or was dropped."""

    async def put(self, key: str, value: bytes, ttl_s: float) -> None:
        """Keep the value for at most `ttl_s` seconds (> 0); a later put replaces it."""

    async def close(self) -> None:
        """Let go of connections; no call may follow."""
