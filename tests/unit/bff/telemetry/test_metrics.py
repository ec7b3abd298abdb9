"""Metrics: what is counted, under labels that cannot grow."""

from __future__ import annotations

from prometheus_client import generate_latest

from bff.telemetry.metrics import Metrics
from tests.unit.bff.upstreams.fakes import sample

NAME = "facet_release_requests_total"
REQUESTS = "facet_requests_total"


def by_release(metrics: Metrics) -> dict[str, float]:
    """Counts by release label."""
    return {
        found.labels["release"]: found.value
        for metric in metrics.registry.collect()
        for found in metric.samples
        if found.name == NAME
    }


def answered(metrics: Metrics, *releases: str | None) -> None:
    for release in releases:
        metrics.answered("home", release, "ok", 0.01)


def test_live_releases_have_labels() -> None:
    """A live release is counted by name; a version alone as its newest build; none as unknown."""
    metrics = Metrics("ios")
    metrics.live(["7.2.0+1", "7.3.0+1", "7.3.0+2"])
    answered(metrics, "7.3.0+1", "7.3.0+2", "7.3.0", "7.2.0", None)
    assert by_release(metrics) == {"7.3.0+1": 1, "7.3.0+2": 2, "7.2.0+1": 1, "unknown": 1}


def test_claimed_releases_have_none() -> None:
    """What callers make up shares one label, and takes none from a real release."""
    metrics = Metrics("ios")
    metrics.live(["7.3.0+1"])
    answered(metrics, *(f"0.0.{number}" for number in range(500)))
    answered(metrics, "7.3.0+1")
    assert by_release(metrics) == {"other": 500, "7.3.0+1": 1}


def test_release_labels_are_bounded() -> None:
    """Of too many live releases the newest keep their labels."""
    metrics = Metrics("ios", max_releases=50)
    names = [f"7.{number}.0+1" for number in range(80)]
    metrics.live(names)
    answered(metrics, *names)
    counted = by_release(metrics)
    assert counted.pop("other") == 30
    assert list(counted) == names[30:]


def test_answers_are_counted_by_screen() -> None:
    """An operation counts under its screen, one without a screen under none."""
    metrics = Metrics("ios")
    metrics.answered("home", None, "ok", 0.2)
    metrics.answered(None, None, "refused", 0.1)
    name = "facet_requests_total"
    assert sample(metrics, name, platform="ios", screen="home", outcome="ok") == 1
    assert sample(metrics, name, platform="ios", screen="none", outcome="refused") == 1
    assert sample(metrics, "facet_request_seconds_sum", platform="ios", screen="home") == 0.2


def test_counts_wait_for_the_reader() -> None:
    """What was counted stands in the registry whenever it is read, once, under the name its release
    had when it was answered; what waits is bounded by label values."""
    metrics = Metrics("ios")
    metrics.live(["7.3.0+1"])
    for _ in range(3):
        answered(metrics, "7.3.0")
    metrics.live(["7.3.0+1", "7.3.0+2"])
    answered(metrics, "7.3.0", *(f"0.0.{number}" for number in range(500)))
    assert len(metrics._uncounted) == 3
    for _ in range(2):
        assert by_release(metrics) == {"7.3.0+1": 3, "7.3.0+2": 1, "other": 500}
        assert sample(metrics, REQUESTS, platform="ios", screen="home", outcome="ok") == 504
    assert not metrics._uncounted
    answered(metrics, "7.3.0")
    assert b'release="7.3.0+2"} 2.0' in generate_latest(metrics.registry)


def test_platforms_do_not_share() -> None:
    """Each process has a registry of its own."""
    first, second = Metrics("ios"), Metrics("web")
    first.event("x")
    assert sample(first, "facet_events_total", event="x") == 1
    assert sample(second, "facet_events_total", event="x") == 0
