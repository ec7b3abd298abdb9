"""The catalogue of metrics; names and labels live here and nowhere else.

Labels are bounded (DESIGN D12): platform × screen, and apart from it platform × release, at most
`telemetry.max_live_releases` of them, the rest as `other`. Never a document id or an account.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Callable, Iterable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from bff.telemetry.cache_metrics import CacheMetrics
from bff.telemetry.guard_metrics import GuardMetrics
from bff.telemetry.limit_metrics import LimitMetrics
from bff.telemetry.process_metrics import GroupMetrics, TransportMetrics
from bff.telemetry.screen_metrics import ScreenMetrics

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 1.5, 2.5, 5.0)
NO_SCREEN = "none"


class Metrics:
    """This process's counters. One object per process, handed to the rooms that count."""

    def __init__(self, platform: str, max_releases: int = 50) -> None:
        self.registry = CollectorRegistry()
        self.platform = platform
        # Series already found by their labels, which costs more than counting in them.
        self._timed: dict[str, Histogram] = {}
        self._called: dict[tuple[str, str, str], tuple[Counter, Histogram]] = {}
        # Answered operations by screen, release and outcome since the last look at the registry:
        # two counters take 4 µs of a request, a dictionary less than one.
        self._uncounted: Tally[tuple[str, str, str]] = Tally()
        self.registry.register(_Before(self._count_answered))
        self._releases: dict[str, str] = {}
        self._max_releases = max_releases
        self._requests = self._counter(
            "facet_requests", "Operations answered", "platform", "screen", "outcome"
        )
        self._seconds = Histogram(
            "facet_request_seconds",
            "Time from the request read to the answer ready",
            ("platform", "screen"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._by_release = self._counter(
            "facet_release_requests", "Operations answered", "platform", "release", "outcome"
        )
        self._refusals = self._counter(
            "facet_refusals", "Requests refused as a whole", "platform", "code"
        )
        self._field_errors = self._counter(
            "facet_field_errors", "Fields answered null with a code", "platform", "code"
        )
        self._events = self._counter(
            "facet_events", "Things an operator wants to see counted", "event"
        )
        self.revocations_age = Gauge(
            "facet_revocations_age_seconds",
            "Age of the newest list of moved revocation epochs",
            registry=self.registry,
        )
        self.documents = Gauge(
            "facet_documents_registered", "Registered documents served", registry=self.registry
        )
        self._withheld = self._counter(
            "facet_values_withheld",
            "Values not sent because the calling build cannot decode them",
            "change",
        )
        self.cache = CacheMetrics(self.registry)
        self.transport = TransportMetrics(self.registry)
        GroupMetrics(self.registry)  # named here, counted by supervisors
        self.guards = GuardMetrics(self.registry)
        self.limits = LimitMetrics(self.registry)
        self.screens = ScreenMetrics(self.registry, platform)
        self._make_upstream()
        self._make_plans()

    def _make_upstream(self) -> None:
        self._calls = self._counter(
            "facet_upstream_calls", "Calls to core services", "service", "method", "outcome"
        )
        self._call_seconds = Histogram(
            "facet_upstream_seconds",
            "Time of one call to a core service",
            ("service", "method"),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._joins = self._counter(
            "facet_upstream_joins",
            "Loads that went along in the call of another request",
            "service",
            "method",
        )
        self._dropped = self._counter(
            "facet_upstream_values_dropped",
            "List members no record could hold",
            "service",
            "method",
        )

    def _make_plans(self) -> None:
        self._fallbacks = self._counter(
            "facet_plan_fallbacks",
            "What ran generic instead of compiled, by what fell back and why",
            "level",
            "reason",
        )
        self._shadowed = self._counter(
            "facet_plan_shadowed", "Compiled answers compared with graphql-core's", "outcome"
        )
        self._differences = self._counter(
            "facet_plan_differences", "Compiled answers that graphql-core answers otherwise"
        )
        self.plans = Gauge(
            "facet_plans_compiled", "Operations with a compiled plan", registry=self.registry
        )
        self.plans_bytes = Gauge(
            "facet_plans_bytes", "Memory of the compiled plans", registry=self.registry
        )

    def answered(self, screen: str | None, release: str | None, outcome: str, s: float) -> None:
        """One operation answered in `s` seconds; outcome is ok, partial, failed_screen, refused or
        failed."""
        screen = screen or NO_SCREEN
        self._uncounted[screen, self._release(release), outcome] += 1
        timed = self._timed.get(screen)
        if timed is None:
            timed = self._timed[screen] = self._seconds.labels(self.platform, screen)
        timed.observe(s)

    def _count_answered(self) -> None:
        for (screen, release, outcome), count in self._uncounted.items():
            self._requests.labels(self.platform, screen, outcome).inc(count)
            self._by_release.labels(self.platform, release, outcome).inc(count)
        self._uncounted.clear()

    def refused(self, code: str) -> None:
        self._refusals.labels(self.platform, code).inc()

    def field_error(self, code: str) -> None:
        self._field_errors.labels(self.platform, code).inc()

    def withheld(self, change: str, count: int) -> None:
        """So many values of one answer were replaced, nulled or dropped."""
        self._withheld.labels(change).inc(count)

    def called(self, service: str, method: str, outcome: str, seconds: float) -> None:
        """One upstream call; outcome is ok or the code it ended with."""
        found = self._called.get((service, method, outcome))
        calls, timed = found or self._bind_called(service, method, outcome)
        calls.inc()
        timed.observe(seconds)

    def _bind_called(self, service: str, method: str, outcome: str) -> tuple[Counter, Histogram]:
        found = self._called[service, method, outcome] = (
            self._calls.labels(service, method, outcome),
            self._call_seconds.labels(service, method),
        )
        return found

    def joined(self, service: str, method: str, count: int) -> None:
        """So many loads that went along in another request's call."""
        self._joins.labels(service, method).inc(count)

    def dropped(self, service: str, method: str, count: int) -> None:
        self._dropped.labels(service, method).inc(count)

    def fell_back(self, level: str, reason: str) -> None:
        """An operation, field or value that graphql-core executed instead of a plan."""
        self._fallbacks.labels(level, reason).inc()

    def shadowed(self, outcome: str) -> None:
        """A compiled answer was shadowed: equal, errors_cut, differs, inconclusive, dropped or
        failed."""
        self._shadowed.labels(outcome).inc()
        if outcome == "differs":
            self._differences.inc()

    def event(self, name: str) -> None:
        """A named occurrence: `store_failed`, `document_unregistered`, `keys_refresh_failed` …"""
        self._events.labels(name).inc()

    def live(self, releases: Sequence[str]) -> None:
        """Name the live releases (`<version>+<build>`), oldest first: the newest of them get a
        label of their own. What an app merely claims gets none, or anybody could use them up."""
        self._releases = {}
        for name in releases[-self._max_releases :]:
            # A version sent without a build counts as the newest build of it.
            self._releases[name] = self._releases[name.partition("+")[0]] = name

    def _release(self, release: str | None) -> str:
        return "unknown" if release is None else self._releases.get(release, "other")

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)


class _Before(Collector):
    """Has no metric of its own: whoever reads the registry makes it bring the others up to date,
    because it was registered before them."""

    def __init__(self, update: Callable[[], None]) -> None:
        self._update = update

    def collect(self) -> Iterable[Metric]:
        self._update()
        return ()
