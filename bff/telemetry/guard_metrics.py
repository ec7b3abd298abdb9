"""The part of the catalogue of metrics that shows how calls to core services are protected.

One label: the service, a bounded set from the settings; what is counted by a second one says which
values it has.
"""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge


class GuardMetrics:
    """Counts of one process; what can be read off a guard is read when somebody looks."""

    def __init__(self, registry: CollectorRegistry) -> None:
        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(name, text, labels, registry=registry)

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(name, text, labels, registry=registry)

        self._in_flight = gauge(
            "facet_upstream_in_flight", "Calls that hold a slot of their service", "service"
        )
        self._waiting = gauge(
            "facet_upstream_waiting", "Calls that wait for a slot of their service", "service"
        )
        self._state = gauge(
            "facet_upstream_breaker_state", "0 closed, 1 half-open, 2 open", "service"
        )
        self._opened = counter(
            "facet_upstream_breaker_opened", "Times the breaker opened", "service"
        )
        # reason: breaker, bulkhead
        self._rejected = counter(
            "facet_upstream_rejected", "Calls refused without being sent", "service", "reason"
        )
        # outcome: ok, or the code the second try ended with
        self._retries = counter("facet_upstream_retries", "Second tries", "service", "outcome")
        # reason: breaker, budget, bulkhead, time
        self._retries_refused = counter(
            "facet_upstream_retries_refused",
            "Failures that would have been tried again",
            "service",
            "reason",
        )
        # outcome: won, lost
        self._hedges = counter(
            "facet_upstream_hedges", "Second calls made beside a slow first", "service", "outcome"
        )
        self.effects_in_flight = gauge("facet_effects_in_flight", "Writes under way")
        # outcome: ok, or the code it ended with
        self._late_effects = counter(
            "facet_effects_ended_late",
            "Writes that ended after their request had been answered",
            "service",
            "outcome",
        )

    def watch(
        self,
        service: str,
        *,
        in_flight: Callable[[], float],
        waiting: Callable[[], float],
        state: Callable[[], float],
    ) -> None:
        """Show what a service's guard says of itself."""
        self._in_flight.labels(service).set_function(in_flight)
        self._waiting.labels(service).set_function(waiting)
        self._state.labels(service).set_function(state)
        self._opened.labels(service)  # shown from the start, as 0

    def opened(self, service: str) -> None:
        self._opened.labels(service).inc()

    def rejected(self, service: str, reason: str) -> None:
        self._rejected.labels(service, reason).inc()

    def retried(self, service: str, outcome: str) -> None:
        self._retries.labels(service, outcome).inc()

    def retry_refused(self, service: str, reason: str) -> None:
        self._retries_refused.labels(service, reason).inc()

    def hedged(self, service: str, outcome: str) -> None:
        self._hedges.labels(service, outcome).inc()

    def ended_late(self, service: str, outcome: str) -> None:
        self._late_effects.labels(service, outcome).inc()
