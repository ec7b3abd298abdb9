"""Quantiles, figures of a phase, and ratios of runs."""

from __future__ import annotations

import pytest

from tests.bench.figures import Figures, Ratio, quantile
from tests.bench.load import Load


@pytest.mark.parametrize(
    ("values", "q", "expected"),
    [
        ([3.0], 0.5, 3.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([4.0, 1.0, 3.0, 2.0], 0.99, 4.0),
        ([1.0, 2.0, 3.0], 0.0, 1.0),
    ],
)
def test_quantile_is_nearest_rank(values: list[float], q: float, expected: float) -> None:
    """A quantile is a value that was measured, whatever the order they came in."""
    assert quantile(values, q) == expected


def test_figures_are_per_request() -> None:
    """CPU, calls and bytes are of one request, shares are of one core."""
    load = Load(done=4, wall_s=2.0, cpu_s=0.5, body_bytes=400, latencies=[0.001, 0.002, 0.003, 0.9])
    figures = Figures.of(load, cpu_s=0.02, wall_s=2.0, calls=10, rss_mb=50.0, stubs_busy=0.25)
    assert (figures.cpu_ms, figures.calls, figures.body_bytes) == (5.0, 2.5, 100)
    assert (figures.p50_ms, figures.per_second) == (2.0, 2.0)
    assert (figures.gateway_busy, figures.loader_busy, figures.stubs_busy) == (0.01, 0.25, 0.25)


def test_ratio_pairs_runs() -> None:
    """The range is of runs that stood beside one another, the figure of the lowest of each side."""
    ratio = Ratio.of([2.0, 4.0, 3.0], [4.0, 5.0, 2.0])
    assert ratio == Ratio(of_lowest=1.0, least=0.5, median=0.8, most=1.5)


def test_ratio_needs_equal_runs() -> None:
    """Rows with another number of runs are not compared."""
    with pytest.raises(ValueError, match="zip"):
        Ratio.of([1.0, 2.0], [1.0])
