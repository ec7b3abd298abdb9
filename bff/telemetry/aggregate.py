"""Adds up the metrics of a group's workers, dead ones included, so that any of them can be scraped.

Nothing is shared while requests are counted: a worker's registry is read when somebody asks, and a
supervisor keeps what each worker told last. prometheus_client's own multiprocess mode writes every
increment into a mapped file, and needs a folder that outlives the processes.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

Labels = tuple[tuple[str, str], ...]

# How gauges of several processes make one: added up, or the highest. A test holds that every gauge
# stands here.
SUMMED_GAUGES = frozenset(
    {
        "facet_admission_limit",
        "facet_cache_bytes",
        "facet_cache_entries",
        "facet_connections",
        "facet_effects_in_flight",
        "facet_in_flight",
        "facet_plans_bytes",
        "facet_upstream_in_flight",
        "facet_upstream_waiting",
        "facet_waiting",
        "facet_workers",
    }
)
HIGHEST_GAUGES = frozenset(
    {
        "facet_documents_registered",
        "facet_limits_apart",
        "facet_loop_lag_seconds",
        "facet_plans_compiled",
        "facet_revocations_age_seconds",
        "facet_upstream_breaker_state",
    }
)


class Family(msgspec.Struct, array_like=True):
    """One metric of one process: its samples by name and labels."""

    name: str
    kind: str
    text: str
    samples: list[tuple[str, Labels, float]]


def read(registry: CollectorRegistry) -> list[Family]:
    """What a registry holds now."""
    return [
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            [(one.name, tuple(one.labels.items()), one.value) for one in metric.samples],
        )
        for metric in registry.collect()
    ]


class _Sum:
    """One metric of all processes."""

    def __init__(self, family: Family) -> None:
        self.name, self.kind, self.text = family.name, family.kind, family.text
        self.samples: dict[tuple[str, Labels], float] = {}

    def add(self, family: Family) -> None:
        highest = self.kind == "gauge" and self.name not in SUMMED_GAUGES
        for name, labels, value in family.samples:
            key = (name, labels)
            before = self.samples.get(key)
            if before is None:
                self.samples[key] = value
            elif name.endswith("_created"):  # when counting began
                self.samples[key] = min(before, value)
            else:
                self.samples[key] = max(before, value) if highest else before + value


def added(parts: Iterable[Iterable[Family]]) -> list[Family]:
    """The metrics of several processes as those of one: counters and histograms are summed, gauges
    by their rule, `_created` is the first."""
    sums: dict[str, _Sum] = {}
    for part in parts:
        for family in part:
            found = sums.get(family.name)
            if found is None:
                found = sums[family.name] = _Sum(family)
            found.add(family)
    return [
        Family(one.name, one.kind, one.text, [(*key, value) for key, value in one.samples.items()])
        for one in sums.values()
    ]


def counted(families: Iterable[Family]) -> list[Family]:
    """What stays of a process that ended: all that counts, no gauges."""
    return [family for family in families if family.kind != "gauge"]


class Added(Collector):
    """Families as a registry's collector."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        for family in self._families:
            metric = Metric(family.name, family.text, family.kind)
            for name, labels, value in family.samples:
                metric.add_sample(name, dict(labels), value)
            yield metric


def as_registry(families: Iterable[Family]) -> CollectorRegistry:
    """A registry that shows these families, for prometheus_client's encoders."""
    registry = CollectorRegistry()
    registry.register(Added(families))
    return registry
