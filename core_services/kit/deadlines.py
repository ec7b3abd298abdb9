"""How long the caller still listens; it refuses work nobody waits for and cancels nothing."""

import re
import time
from contextvars import ContextVar

from core_services.kit.errors import BadRequest, DeadlineSpent

HEADER = "x-deadline-ms"
LEAST_MS = 5

_NUMBER = re.compile(rb"[0-9]{1,9}")
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


def begin_deadline(header: bytes | None) -> None:
    """Start this request's deadline from `x-deadline-ms`, milliseconds that remain; absent is none.

    Raises BadRequest for anything but a whole number, DeadlineSpent for less than LEAST_MS.
    """
    if header is None:
        _deadline.set(None)
        return
    if not _NUMBER.fullmatch(header):
        raise BadRequest(f"Send {HEADER} as whole milliseconds, for example 800.")
    remaining_ms = int(header)
    if remaining_ms < LEAST_MS:
        raise DeadlineSpent
    _deadline.set(time.monotonic() + remaining_ms / 1000)


def check_deadline() -> None:
    """Raise DeadlineSpent when the caller has stopped listening meanwhile."""
    remaining_s()


def remaining_s() -> float | None:
    """Return how long the caller still listens, None for ever; raises DeadlineSpent when it has
    stopped."""
    deadline = _deadline.get()
    if deadline is None:
        return None
    left = deadline - time.monotonic()
    if left <= 0:
        raise DeadlineSpent
    return left
