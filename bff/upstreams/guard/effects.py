"""Writes under way: none is given up once sent, whoever stops waiting for it.

Each runs in a task of its own to its own end; how one ended that nobody waited for is counted and
logged, for its app was told that it may have happened.
"""

from __future__ import annotations

import asyncio
from asyncio import Task
from collections.abc import Coroutine
from typing import Any, TypeVar

from bff.errors import ClientError, FacetError
from bff.telemetry.guard_metrics import GuardMetrics
from bff.telemetry.logs import logger

A = TypeVar("A")
log = logger(__name__)


class Effects:
    """This process's writes in flight."""

    def __init__(self, metrics: GuardMetrics) -> None:
        self._metrics = metrics
        self._running: set[Task[Any]] = set()
        metrics.effects_in_flight.set_function(lambda: self.in_flight)

    @property
    def in_flight(self) -> int:
        return len(self._running)

    def start(self, call: Coroutine[Any, Any, A]) -> Task[A]:
        """Run a call to its end, whoever waits for the task."""
        task = asyncio.get_running_loop().create_task(call)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return task

    def leave(self, task: Task[Any], service: str, method: str, request_id: str) -> None:
        """Nobody waits for it any more: how it ends is told the operator."""

        def ended(task: Task[Any]) -> None:
            outcome = _outcome(task)
            self._metrics.ended_late(service, outcome)
            log.warning(
                "effect_ended_late",
                upstream=service,
                method=method,
                outcome=outcome,
                request_id=request_id,
            )

        task.add_done_callback(ended)

    async def settle(self, timeout_s: float) -> int:
        """Wait until every write has ended, so long at most; how many have not. For shutdown:
        what is still running when the transport closes may have happened, or not."""
        if self._running:
            await asyncio.wait(self._running, timeout=timeout_s)
        return self.in_flight

    def _ended(self, task: Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # asked for, or the loop would complain that nobody did


def _outcome(task: Task[Any]) -> str:
    if task.cancelled():
        return "CANCELLED"
    error = task.exception()
    if error is None:
        return "ok"
    return error.code if isinstance(error, ClientError) else FacetError.code
