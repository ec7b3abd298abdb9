"""Requests that share upstream calls do not wait for one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.coalescing import AT_MOST, DELAY_MS, compare
from tests.bench.processes import CannotMeasureError, Cores, on_core
from tests.bench.setting import make_setting
from tests.harness.databases import not_proven


@pytest.mark.verify
async def test_sharing_calls_keeps_latency(tmp_path: Path) -> None:
    """At 200 requests a second, services 5 ms away, p50 with coalescing is at most 1.05 times p50
    without it (lowest of eight interleaved runs), and calls are really shared."""
    try:
        cores = Cores.choose()
    except CannotMeasureError as error:
        not_proven("place to measure", str(error))
    with on_core(cores.others):
        async with make_setting(tmp_path, cores, 12) as setting:
            found = await compare(setting, 8, 1.5, lambda text: None)
    # Two rounds of calls, each at least as far away as the services are: the delay was there.
    assert min(one.p50_ms for one in found.apart) > 2 * DELAY_MS
    assert max(one.calls for one in found.shared) < min(one.calls for one in found.apart) == 4.0
    assert found.ratio.of_lowest <= AT_MOST
