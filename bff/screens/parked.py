"""Work that an answer did not wait for: it goes on to its own end, and nothing of it is lost.

A call that is given up is not cancelled: it ends by its own time limit, its connection stays usable
and what it brings may still be kept. Here it only is held, and its end looked at.
"""

from __future__ import annotations

from asyncio import Future
from typing import Any

from bff.errors import ClientError
from bff.telemetry.logs import logger

log = logger(__name__)

_parked: set[Future[Any]] = set()


def park(future: Future[Any]) -> None:
    """Hold it until it is done. A fault of ours it ends with is logged: nobody else hears of it."""
    if future.done():
        _ended(future)
        return
    _parked.add(future)
    future.add_done_callback(_ended)


def _ended(future: Future[Any]) -> None:
    _parked.discard(future)
    if future.cancelled():
        return
    error = future.exception()
    if error is not None and not isinstance(error, ClientError):
        log.error("late_work_failed", exc_info=error)


def parked() -> int:
    """How much is held now."""
    return len(_parked)
