"""What coalescing costs in waiting: the same gateway with and without it, services 5 ms away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bench.asking import PLAIN
from tests.bench.figures import Figures, Ratio
from tests.bench.measure import Phase, Running, load_phase, started, warm
from tests.bench.processes import CannotMeasureError
from tests.bench.rows import Row, Start, facet
from tests.bench.setting import Setting

DELAY_MS = 5.0
AT_MOST = 1.05
PHASE = Phase("steady", "200 a second, services 5 ms away", PLAIN, rate=200.0)


def _row(name: str, coalesce: str) -> Row:
    def start(setting: Setting, port: int) -> Start:
        return facet(setting, port, "compiled", BFF__UPSTREAMS__COALESCE=coalesce)

    return Row(name, name, start, signed=True, compiled=True)


SHARED, APART = _row("coalesced", "true"), _row("apart", "false")


@dataclass(frozen=True)
class Coalescing:
    """Runs of either, in the order they were made, side by side."""

    shared: list[Figures]
    apart: list[Figures]

    @property
    def ratio(self) -> Ratio:
        """Of the p50 with coalescing to the p50 without."""
        return Ratio.of([one.p50_ms for one in self.shared], [one.p50_ms for one in self.apart])

    def plain(self) -> dict[str, Any]:
        """For the record."""
        return {
            "goal": AT_MOST,
            "p50": self.ratio.plain(),
            "shared": [one.plain() for one in self.shared],
            "apart": [one.plain() for one in self.apart],
        }

    def __str__(self) -> str:
        ratio = self.ratio
        kept = "kept" if ratio.of_lowest <= AT_MOST else "missed"
        return (
            f"{PHASE.title}: p50 {min(one.p50_ms for one in self.shared):.2f} ms with coalescing, "
            f"{min(one.p50_ms for one in self.apart):.2f} ms without; ratio {ratio.of_lowest:.3f} "
            f"(run beside run {ratio.least:.3f}–{ratio.median:.3f}–{ratio.most:.3f}), "
            f"goal at most {AT_MOST} {kept}; calls a request "
            f"{min(one.calls for one in self.shared):.2f} and "
            f"{min(one.calls for one in self.apart):.2f}"
        )


async def compare(
    setting: Setting, runs: int, seconds: float, say: Callable[[str], None]
) -> Coalescing:
    """Both, one after another, run after run. Raises CannotMeasureError."""
    found: dict[str, list[Figures]] = {SHARED.name: [], APART.name: []}
    async with started(setting, [SHARED, APART], [PHASE], say) as running:
        if len(running) != len(found):
            raise CannotMeasureError("coalescing cannot be compared; above is why")
        for one in running:
            await warm(one, 1.0)
        await setting.stubs.delay(DELAY_MS)
        try:
            for number in range(runs):
                say(f"coalescing: run {number + 1} of {runs}")
                for one in _turn(running, number):
                    found[one.row.name].append(await load_phase(setting, one, PHASE, seconds))
        finally:
            await setting.stubs.delay(0)
    return Coalescing(found[SHARED.name], found[APART.name])


def _turn(running: list[Running], number: int) -> list[Running]:
    """Every other run the other one goes first."""
    return running if number % 2 == 0 else running[::-1]
