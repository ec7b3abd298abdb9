"""Ends connections whose request does not arrive; uvicorn waits for ever. Callers are gateways, so
one limit for all is enough.

Leans on uvicorn 0.54: `scope` is a new object from the first byte of a head on, and is the newest
cycle's once that head is whole; `_in_body` and `_refused` are of `LimitedProtocol`.
"""

from __future__ import annotations

from typing import Any

from core_services.kit.protocol import LimitedProtocol

KEEP_ALIVE_S = 75
"""Longer than any caller keeps an idle connection: the caller closes first, and never asks on a
connection that is being closed here."""


class PromptProtocol(LimitedProtocol):
    """One connection that is looked at now and then."""

    _since: float | None = None
    _of: Any = None

    def look(self, now: float, limit_s: float) -> None:
        """Refuse a request that has been arriving for `limit_s`; `now` of any steady clock."""
        arriving = self._arriving
        if arriving is None or arriving is not self._of:
            self._of, self._since = arriving, now
        elif self._since is not None and now - self._since >= limit_s and not self._refused:
            if arriving is self:
                self.transport.close()
            else:
                self._refuse(408)

    @property
    def _arriving(self) -> object | None:
        """What stands for the request under way to us; the connection itself before its first."""
        cycle = self.cycle
        if self.scope is not None and (cycle is None or self.scope is not cycle.scope):
            return self.scope
        if self._in_body:
            return cycle
        return self if cycle is None else None
