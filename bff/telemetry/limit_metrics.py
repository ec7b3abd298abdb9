"""The part of the catalogue of metrics that shows who is let in, limited and shed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

# What a limit may be by, and why a request was shed: the values of the labels.
LIMITED_BY = ("address", "device", "user", "cost", "address_cost", "attempts")
SHED_BECAUSE = ("full", "late", "displaced", "document")
PRIORITIES = ("user", "prefetch", "background")


class Loaded(Protocol):
    """What can be read off the load of a process."""

    in_flight: int
    waiting: int
    lag_s: float
    limit: float


class LimitMetrics:
    """Counts of one process; what can be read off it is read when somebody looks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauge(name: str, text: str) -> Gauge:
            return Gauge(name, text, registry=registry)

        self._limited = Counter(
            "facet_limited", "Refusals because a limit was reached", ("by",), registry=registry
        )
        self._shed = Counter(
            "facet_shed",
            "Requests shed under load",
            ("priority", "reason"),
            registry=registry,
        )
        for priority in PRIORITIES:
            self._shed.labels(priority, "late")  # shown from the start, as 0
        self._in_flight = gauge("facet_in_flight", "Operations that were let in, not yet answered")
        self._waiting = gauge("facet_waiting", "Requests that wait to be let in")
        self._lag = gauge("facet_loop_lag_seconds", "How late the event loop is, smoothed")
        self._limit = gauge("facet_admission_limit", "How many operations are let in at once")
        self._apart = gauge(
            "facet_limits_apart",
            "1 while this process counts limits alone: no Redis, or none that answers",
        )

    def limited(self, kind: str) -> None:
        self._limited.labels(kind).inc()

    def shed(self, priority: str, reason: str) -> None:
        self._shed.labels(priority, reason).inc()

    def watch(self, load: Loaded) -> None:
        """Show what a load says of itself."""
        self._in_flight.set_function(lambda: load.in_flight)
        self._waiting.set_function(lambda: load.waiting)
        self._lag.set_function(lambda: load.lag_s)
        self._limit.set_function(lambda: load.limit)

    def watch_sharing(self, apart: Callable[[], bool]) -> None:
        """Show whether the limits are counted alone."""
        self._apart.set_function(apart)
