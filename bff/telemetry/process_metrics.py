"""Metrics of the processes themselves: their connections, and the workers of a group."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge

RESTART_REASONS = ("crashed", "hung")


class TransportMetrics:
    """What came of connections before, beside and instead of requests."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._refusals = Counter(
            "facet_transport_refusals",
            "Requests and connections refused before an operation: 400, 408, 431, 503",
            ("status",),
            registry=registry,
        )
        self._closed = Counter(
            "facet_transport_closed",
            "Connections ended by the gateway without an answer, by reason",
            ("reason",),
            registry=registry,
        )
        self.connections = Gauge("facet_connections", "Open connections", registry=registry)

    def refused(self, status: int) -> None:
        self._refusals.labels(str(status)).inc()

    def closed(self, reason: str) -> None:
        self._closed.labels(reason).inc()


class GroupMetrics:
    """What a supervisor counts of its workers; a gateway without one has them without samples."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.restarts = Counter(
            "facet_worker_restarts",
            "Workers that ended by themselves, or had to be ended, and were replaced",
            ("reason",),
            registry=registry,
        )
        self.reloads = Counter(
            "facet_reloads",
            "Settings read again on SIGHUP, by outcome: taken or refused",
            ("outcome",),
            registry=registry,
        )
        self.workers = Gauge(
            "facet_workers",
            "Worker processes, by state: starting, ready, leaving",
            ("state",),
            registry=registry,
        )
