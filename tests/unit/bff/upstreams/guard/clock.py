"""Time that moves only when a test says so, and guards that live in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from prometheus_client import CollectorRegistry

from bff.config import GuardConfig, ServiceConfig
from bff.telemetry.guard_metrics import GuardMetrics
from bff.upstreams.guard import Guard, Verdict


@dataclass
class Clock:
    """Seconds; `lag` is how late our own loop is said to be."""

    now: float = 1000.0
    lag: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Watched:
    """A guard in simulated time, and what it shows operators."""

    clock: Clock = field(default_factory=Clock)
    rules: dict[str, Any] = field(default_factory=dict)
    draw: float = 0.0

    def __post_init__(self) -> None:
        self.registry = CollectorRegistry()
        config = ServiceConfig(url="http://content.test", guard=GuardConfig(**self.rules))
        self.guard = Guard(
            "content",
            config,
            GuardMetrics(self.registry),
            lag=lambda: self.clock.lag,
            clock=self.clock,
            draw=lambda: self.draw,
        )

    def called(self, verdict: Verdict, took_s: float = 0.01, probe: bool = False) -> None:
        """One call that was sent, took so long, and ended."""
        assert self.guard.bulkhead.take()
        self.guard.calls += 1
        started = self.clock.now
        self.clock.now += took_s
        self.guard.left(verdict, started, probe)

    def shown(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, {"service": "content", **labels}) or 0.0
