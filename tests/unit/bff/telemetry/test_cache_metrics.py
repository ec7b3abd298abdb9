"""bff/telemetry/cache_metrics.py: what was counted is what is read."""

from __future__ import annotations

from prometheus_client import CollectorRegistry

from bff.telemetry.cache_metrics import CacheMetrics


def test_counted_is_read() -> None:
    """Every number has its name and labels; nothing counted shows as nothing."""
    registry = CollectorRegistry()
    metrics = CacheMetrics(registry)
    metrics.seen("memory", "hit", 3)
    metrics.seen("memory", "hit")
    metrics.seen("redis", "miss", 0)
    metrics.refused("scope")
    metrics.refreshed("ok")
    metrics.evicted()
    metrics.dropped(5)
    metrics.size, metrics.entries = lambda: 700, lambda: 1
    found = {
        (one.name, tuple(one.labels.values())): one.value
        for family in registry.collect()
        for one in family.samples
    }
    assert found == {
        ("facet_cache_total", ("memory", "hit")): 4,
        ("facet_cache_refused_total", ("scope",)): 1,
        ("facet_cache_refreshes_total", ("ok",)): 1,
        ("facet_cache_evictions_total", ()): 1,
        ("facet_cache_dropped_total", ()): 5,
        ("facet_cache_bytes", ()): 700,
        ("facet_cache_entries", ()): 1,
    }
