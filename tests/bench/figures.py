"""From runs to figures: what one phase brought, the lowest of runs, ratios and their range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median

from tests.bench.load import Load


@dataclass(frozen=True)
class Figures:
    """One phase of one run. CPU is the gateway's own, user and system, in milliseconds a request;
    `*_busy` are shares of one core."""

    cpu_ms: float
    calls: float
    p50_ms: float
    p99_ms: float
    per_second: float
    rss_mb: float
    body_bytes: int
    requests: int
    gateway_busy: float
    stubs_busy: float
    loader_busy: float

    @classmethod
    def of(
        cls,
        load: Load,
        *,
        cpu_s: float,
        wall_s: float,
        calls: int,
        rss_mb: float,
        stubs_busy: float,
    ) -> Figures:
        """The figures of a phase that answered at least one request."""
        return cls(
            cpu_ms=cpu_s / load.done * 1000,
            calls=calls / load.done,
            p50_ms=quantile(load.latencies, 0.5) * 1000,
            p99_ms=quantile(load.latencies, 0.99) * 1000,
            per_second=load.done / load.wall_s,
            rss_mb=rss_mb,
            body_bytes=round(load.body_bytes / load.done),
            requests=load.done,
            gateway_busy=cpu_s / wall_s,
            stubs_busy=stubs_busy,
            loader_busy=load.cpu_s / load.wall_s,
        )

    def plain(self) -> dict[str, float]:
        """For JSON, rounded to what the measurement can tell."""
        return {name: round(value, 4) for name, value in asdict(self).items()}


@dataclass(frozen=True)
class Ratio:
    """One row against another, run beside run. `of_lowest` is the figure: other work on the cores
    only ever adds, so the lowest run of each is the least disturbed one."""

    of_lowest: float
    least: float
    median: float
    most: float

    @classmethod
    def of(cls, ours: Sequence[float], theirs: Sequence[float]) -> Ratio:
        """Of as many runs on either side, in the order they were made."""
        each = [one / other for one, other in zip(ours, theirs, strict=True)]
        return cls(min(ours) / min(theirs), min(each), median(each), max(each))

    def plain(self) -> dict[str, float]:
        """For JSON."""
        named = {
            "of_lowest": self.of_lowest,
            "min": self.least,
            "median": self.median,
            "max": self.most,
        }
        return {name: round(value, 4) for name, value in named.items()}


def quantile(values: Sequence[float], q: float) -> float:
    """The least value that a share `q` of them does not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]
