"""How many second tries one service gets: a share of its calls, whatever fails.

Of any thousand calls in a row at most `share` x 1000 are tried again (hedges included). A service
with few calls gets one try a second all the same.
"""

from __future__ import annotations

FLOOR_S = 1.0
# What may be saved up is part of the share of a thousand calls, not beside it.
SAVED = 0.05


class RetryBudget:
    """Costs nothing until something fails: what was earned is found from the count of calls."""

    __slots__ = ("_calls", "_earned", "_last", "_most", "_tokens")

    def __init__(self, share: float) -> None:
        self._most = 1000 * share * SAVED
        self._earned = share * (1 - SAVED)
        self._tokens = self._most
        self._calls = 0
        self._last = float("-inf")

    def spend(self, calls: int, now: float) -> bool:
        """Take one try, if there is one. `calls` counts all first tries of the service so far."""
        if not self._earned:
            return False
        self._tokens = min(self._most, self._tokens + (calls - self._calls) * self._earned)
        self._calls = calls
        if self._tokens >= 1:
            self._tokens -= 1
        elif now - self._last >= FLOOR_S:
            self._tokens = 0.0
        else:
            return False
        self._last = now
        return True
