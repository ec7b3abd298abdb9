"""Counts what became of the sections of screens: `facet_sections_total`.

Labels are bounded by the schema: the screen, the section's field (`Type.field`), and one of four
statuses: ok, stale, timed_out, omitted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

# The fields of an operation's sections, each with its status.
Sections = tuple[tuple[str, str], ...]


class ScreenMetrics(Collector):
    """This process's numbers: one step a request, taken apart when somebody looks."""

    def __init__(self, registry: CollectorRegistry, platform: str) -> None:
        self._platform = platform
        self._answers: Counter[tuple[str, Sections]] = Counter()
        self._counts: Counter[tuple[str, str, str]] = Counter()
        registry.register(self)

    def answered(self, screen: str, sections: Sections) -> None:
        """One answered operation that has sections."""
        self._answers[screen, sections] += 1

    def collect(self) -> Iterable[Metric]:
        """See prometheus_client."""
        for (screen, sections), times in self._answers.items():
            for section, status in sections:
                self._counts[screen, section, status] += times
        self._answers.clear()
        family = CounterMetricFamily(
            "facet_sections",
            "Sections of answered screens, by what became of them",
            labels=("platform", "screen", "section", "status"),
        )
        for labels, count in sorted(self._counts.items()):
            family.add_metric([self._platform, *labels], count)
        yield family
