"""How a process leaves: it says so, serves on for a while, then finishes what is under way.

One object a process. /readyz reads `leaving`, the server asks `is_due` and `hurried`; whoever gets
the signals calls `stop` or `retire`, from a signal handler too.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from math import inf


class Drain:
    """Serving, lame duck (told on /readyz, serving as before), then closing, which is the server's.

    A load balancer learns from /readyz that it should look elsewhere, and needs a moment for it: a
    process that closes its door at once turns away what was sent to it meanwhile.
    """

    def __init__(self, lame_duck_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lame_duck_s = lame_duck_s
        self._clock = clock
        self._due = inf
        self._retired = False
        self.leaving = False
        self.hurried = False

    def stop(self) -> None:
        """The gateway ends: answer for `lame_duck_s` more, then close. Said twice: be quick."""
        if self.leaving:
            self.hurried = True
            self._due = self._clock()
        else:
            self.leaving = True
            self._due = min(self._due, self._clock() + self._lame_duck_s)

    def retire(self) -> None:
        """Another process has taken over on the same socket: close now, and say nothing on
        /readyz, because the gateway as a whole stays."""
        self._retired = True
        self._due = self._clock()

    @property
    def lingers(self) -> bool:
        """Whether somebody may still send on a connection that is idle now."""
        return (self._retired or self._lame_duck_s > 0) and not self.hurried

    def is_due(self) -> bool:
        """Whether it is time to close the door."""
        return self._clock() >= self._due
