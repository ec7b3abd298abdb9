"""What the cache of upstream answers counts; plain numbers until somebody looks at the registry.

`facet_cache_total` counts keys: at `memory` hit, stale (given while it is asked for anew), joined
(had by a call under way), stale_if_error (in place of a failure) and miss (not of answers that are
asked for each time by declaration); at `redis` hit, miss, outdated (dropped by tag) and corrupt
(did not open).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


class CacheMetrics(Collector):
    """This process's numbers. `size` and `entries` are asked when they are looked at."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seen: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._refreshes: Counter[str] = Counter()
        self._evictions = self._dropped = 0
        self.size: Callable[[], int] = int
        self.entries: Callable[[], int] = int
        registry.register(self)

    def seen(self, level: str, outcome: str, count: int = 1) -> None:
        """So many keys were looked up at a level."""
        if count:
            self._seen[level, outcome] += count

    def refused(self, reason: str) -> None:
        """An answer was not kept: scope (`public` of a viewer's method or the other way round),
        tags (too many), outdated (dropped while it was under way), signed_out, or account (its
        oldest went, for it has too many)."""
        self._refused[reason] += 1

    def refreshed(self, outcome: str) -> None:
        """A call nobody waited for: ok, failed, or not_started (too many under way)."""
        self._refreshes[outcome] += 1

    def evicted(self) -> None:
        """An entry had to make room."""
        self._evictions += 1

    def dropped(self, count: int) -> None:
        """So many entries were dropped by tag."""
        self._dropped += count

    def collect(self) -> Iterable[Metric]:
        """All of them, as Prometheus reads them."""
        yield _counted(
            "facet_cache", "Keys looked up in the cache of upstream answers", self._seen, *_LEVELS
        )
        refused = {(reason,): count for reason, count in self._refused.items()}
        yield _counted("facet_cache_refused", "Answers that were not kept", refused, "reason")
        refreshes = {(outcome,): count for outcome, count in self._refreshes.items()}
        yield _counted("facet_cache_refreshes", "Calls nobody waited for", refreshes, "outcome")
        evicted = {(): self._evictions}
        yield _counted("facet_cache_evictions", "Entries that had to make room", evicted)
        dropped = {(): self._dropped}
        yield _counted("facet_cache_dropped", "Entries dropped by tag", dropped)
        for name, text, read in (
            ("facet_cache_bytes", "Memory of the cache of upstream answers", self.size),
            ("facet_cache_entries", "Upstream answers kept in this process", self.entries),
        ):
            yield GaugeMetricFamily(name, text, value=read())


_LEVELS = ("level", "outcome")


def _counted(name: str, text: str, counts: Mapping[Any, int], *labels: str) -> CounterMetricFamily:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family
