"""bff/telemetry/aggregate.py: the metrics of several processes read as those of one."""

from __future__ import annotations

import msgspec
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import generate_latest

from bff.telemetry import aggregate
from bff.telemetry.aggregate import HIGHEST_GAUGES, SUMMED_GAUGES, Family, added, as_registry
from bff.telemetry.metrics import Metrics


def process(requests: int, took: float, age: float, connections: int) -> list[Family]:
    """What one process counted, as it comes over the wire."""
    registry = CollectorRegistry()
    counter = Counter("facet_requests", "Requests", ("screen",), registry=registry)
    counter.labels("home").inc(requests)
    counter.labels(f"only_{requests}").inc()
    Histogram("facet_seconds", "Seconds", buckets=(1, 2), registry=registry).observe(took)
    Gauge("facet_revocations_age_seconds", "Age", registry=registry).set(age)
    Gauge("facet_connections", "Connections", registry=registry).set(connections)
    sent = msgspec.msgpack.encode(aggregate.read(registry))
    return msgspec.msgpack.decode(sent, type=list[Family])


def shown(families: list[Family]) -> dict[str, float]:
    """Samples as a scraper reads them."""
    lines = generate_latest(as_registry(families)).decode().splitlines()
    pairs = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
    return {name: float(value) for name, value in pairs}


def test_counts_are_summed() -> None:
    """Counters and histograms add up, labels that only one process has included; gauges follow
    their rule; when counting began is the first time it did."""
    parts = [process(3, 0.5, 7, 10), process(4, 1.5, 5, 20)]
    found = shown(added(parts))
    assert found['facet_requests_total{screen="home"}'] == 7
    assert found['facet_requests_total{screen="only_3"}'] == 1
    assert found['facet_requests_total{screen="only_4"}'] == 1
    assert found['facet_seconds_bucket{le="1.0"}'] == 1
    assert found['facet_seconds_bucket{le="+Inf"}'] == 2
    assert found["facet_seconds_sum"] == 2.0
    assert found["facet_revocations_age_seconds"] == 7
    assert found["facet_connections"] == 30
    first = shown(parts[0])['facet_requests_created{screen="home"}']
    assert found['facet_requests_created{screen="home"}'] == first


def test_one_process_is_unchanged() -> None:
    """What a process shows by itself is what a group of one shows."""
    metrics = Metrics("ios")
    metrics.answered("home", None, "ok", 0.2)
    metrics.event("store_failed")
    metrics.transport.refused(408)
    own = generate_latest(metrics.registry)
    assert generate_latest(as_registry(added([aggregate.read(metrics.registry)]))) == own


def test_the_dead_still_count() -> None:
    """Of a process that ended its counts stay, and nothing that only described it."""
    dead = aggregate.counted(process(3, 0.5, 7, 10))
    found = shown(added([process(4, 1.5, 5, 20), dead]))
    assert found['facet_requests_total{screen="home"}'] == 7
    assert found["facet_seconds_count"] == 2
    assert found["facet_connections"] == 20
    assert found["facet_revocations_age_seconds"] == 5


def test_every_gauge_has_its_rule() -> None:
    """Whoever adds a gauge says what it is of several workers: their sum, or the highest."""
    gauges = {one.name for one in Metrics("ios").registry.collect() if one.type == "gauge"}
    assert gauges == SUMMED_GAUGES | HIGHEST_GAUGES
    assert not SUMMED_GAUGES & HIGHEST_GAUGES
