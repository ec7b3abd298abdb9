"""Writes run to their end, and their ends are known."""

from __future__ import annotations

import asyncio

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from bff.errors import Conflict
from bff.telemetry.guard_metrics import GuardMetrics
from bff.upstreams.guard import Effects


class Ending:
    """Effects, their registry, and a write that ends when told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.registry = CollectorRegistry()
        self.effects = Effects(GuardMetrics(self.registry))
        self.gate = asyncio.Event()
        self.error = error

    async def write(self) -> str:
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return "done"

    def late(self, outcome: str) -> float:
        labels = {"service": "content", "outcome": outcome}
        return self.registry.get_sample_value("facet_effects_ended_late_total", labels) or 0.0


@pytest.mark.parametrize(
    ("error", "outcome"),
    [(None, "ok"), (Conflict("Read again."), "CONFLICT"), (KeyError("ours"), "INTERNAL")],
)
async def test_late_end_is_told(error: Exception | None, outcome: str) -> None:
    """How a write ended that nobody waited for is counted and logged, without words of anybody."""
    ending = Ending(error)
    task = ending.effects.start(ending.write())
    ending.effects.leave(task, "content", "save", "request-1")
    assert ending.effects.in_flight == 1
    with capture_logs() as logs:
        ending.gate.set()
        assert await ending.effects.settle(10) == 0
        await asyncio.sleep(0)
    assert ending.late(outcome) == 1
    assert logs == [
        {
            "event": "effect_ended_late",
            "log_level": "warning",
            "upstream": "content",
            "method": "save",
            "outcome": outcome,
            "request_id": "request-1",
        }
    ]


async def test_settling_ends_in_time() -> None:
    """Shutdown waits for writes so long and no longer, and learns how many it leaves."""
    ending = Ending()
    task = ending.effects.start(ending.write())
    assert await ending.effects.settle(0.01) == 1
    assert not task.cancelled()
    ending.gate.set()
    assert await task == "done"
    assert await ending.effects.settle(0) == 0


async def test_writes_under_way_are_shown() -> None:
    """Operators see how many writes a process still owes."""
    ending = Ending()
    for _ in range(3):
        ending.effects.start(ending.write())
    assert ending.registry.get_sample_value("facet_effects_in_flight") == 3
    ending.gate.set()
    await ending.effects.settle(10)
    assert ending.registry.get_sample_value("facet_effects_in_flight") == 0
