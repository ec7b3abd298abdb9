"""One cell of the fault matrix: spoil one service, ask every screen, mend it, see it recover."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos import memory
from tests.chaos.cases import PRIMARY
from tests.chaos.judge import (
    codes,
    foreign_parts,
    is_lacking,
    is_whole,
    non_answer,
    unwell,
    wrong_parts,
)
from tests.chaos.rig import Gateway, Rig, refuses, screens_injected
from tests.chaos.wire import Answer
from tests.harness.faults.fault import Counts, Fault, Kind

# Ten requests at once, and so often.
AT_ONCE = {"Home": 3, "Profile": 2, "Content": 3, "Inbox": 2}
WAVES = 2
GOOD_IN_A_ROW = 5
RECOVERS_WITHIN_S = 30.0
WORST_S = 2.0
MEMORY_MB = 64.0
RECOVERY_S = 6.0


@dataclass
class Cell:
    """What one gateway did under one fault."""

    gateway: str
    answers: list[tuple[str, Answer]] = field(default_factory=list)
    non_answers: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)
    codes: Counter[str] = field(default_factory=Counter)
    memory_mb: float = 0.0
    recovery_s: float = 0.0
    # Calls of the spoilt service that it made, and those that failed.
    calls: tuple[float, float] = (0.0, 0.0)

    @property
    def worst_s(self) -> float:
        return max(answer.took_s for _, answer in self.answers)

    def at(self, share: float) -> float:
        """Seconds within which that share of the answers came."""
        took = sorted(answer.took_s for _, answer in self.answers)
        return took[min(len(took) - 1, int(len(took) * share))]

    @property
    def partial(self) -> int:
        """Answers that said what was missing; all else in them was there."""
        return sum(not non_answer(one) and is_lacking(one) for _, one in self.answers)

    @property
    def whole_share(self) -> float:
        """Of answers with all their data, old or new, and no error."""
        full = [one for _, one in self.answers if not non_answer(one) and not is_lacking(one)]
        return len(full) / len(self.answers)

    @property
    def stale_share(self) -> float:
        """Of answers that say a section is old."""
        stale = [
            one for _, one in self.answers if one.json and "stale" in unwell(one.json).values()
        ]
        return len(stale) / len(self.answers)

    def plain(self) -> dict[str, Any]:
        return {
            "gateway": self.gateway,
            "asked": len(self.answers),
            "non_answers": len(self.non_answers),
            "worst_ms": round(self.worst_s * 1000),
            "partial_share": round(self.partial / len(self.answers), 3),
            "whole_share": round(self.whole_share, 3),
            "stale_share": round(self.stale_share, 3),
            "memory_mb": round(self.memory_mb, 1),
            "recovery_s": round(self.recovery_s, 2),
            "calls_failed": round(self.calls[1]),
            "codes": dict(sorted(self.codes.items())),
        }

    def wrongs(self) -> list[str]:
        """What may never be, however busy the machine is."""
        found = [f"non-answer: {why}" for why in sorted(set(self.non_answers))[:5]]
        found += [f"wrong part: {why}" for why in sorted(set(self.wrong))[:5]]
        return [f"{self.gateway}: {why}" for why in found]

    def late(self) -> list[str]:
        """The figures that did not hold."""
        found = [f"another service's part: {why}" for why in sorted(set(self.foreign))[:5]]
        if self.worst_s > WORST_S:
            found.append(f"an answer took {self.worst_s:.2f} s, at most {WORST_S} (R2)")
        if self.memory_mb > MEMORY_MB:
            found.append(f"memory grew by {self.memory_mb:.0f} MB, at most {MEMORY_MB:.0f} (R5)")
        if self.recovery_s > RECOVERY_S:
            found.append(f"recovered after {self.recovery_s:.1f} s, at most {RECOVERY_S} (R6)")
        return [f"{self.gateway}: {why}" for why in found]

    def broken(self) -> list[str]:
        """The promises that did not hold."""
        return self.wrongs() + self.late()


@dataclass
class Case:
    """All gateways under one fault of one service."""

    fault: str
    service: str
    injected: int
    amplification: float
    cells: list[Cell]

    def plain(self) -> dict[str, Any]:
        worst = [one.plain() for one in self.cells]
        shares = {name: [one[name] for one in worst] for name in ("partial_share", "stale_share")}
        return {
            "fault": self.fault,
            "service": self.service,
            "injected": self.injected,
            "non_answers": sum(one["non_answers"] for one in worst),
            "worst_ms": max(one["worst_ms"] for one in worst),
            "partial_share": max(shares["partial_share"]),
            "stale_share": max(shares["stale_share"]),
            "amplification": round(self.amplification, 2),
            "memory_mb": max(one["memory_mb"] for one in worst),
            "recovery_s": max(one["recovery_s"] for one in worst),
            "gateways": worst,
        }


async def run_case(
    rig: Rig, gateways: Sequence[Gateway], service: str, name: str, fault: Fault
) -> Case:
    """Under the fault every gateway is asked every screen, several at once; then it ends."""
    cells = [Cell(gateway.name) for gateway in gateways]
    before = [memory.mark(gateway.pid) for gateway in gateways]
    called = [gateway.calls(service) for gateway in gateways]
    rig.proxy.set(service, fault)
    try:
        refused = fault.kind is Kind.REFUSE and await refuses(rig.proxy.ports[service])
        for _ in range(WAVES):
            await asyncio.gather(*(map(wave, gateways, cells)))
    finally:
        counts = rig.proxy.clear(service)
    mended = time.monotonic()
    for gateway, cell, resident, were in zip(gateways, cells, before, called, strict=True):
        cell.memory_mb = memory.highest(gateway.pid) - resident
        made, failed = gateway.calls(service)
        cell.calls = made - were[0], failed - were[1]
    await asyncio.gather(
        *(recover(gateway, cell, mended) for gateway, cell in zip(gateways, cells, strict=True))
    )
    for gateway, cell in zip(gateways, cells, strict=True):
        judge(cell, gateway, service)
    injected = counts.connections if fault.kind is Kind.RESET else screens_injected(counts)
    tried = _amplification(counts, service, len(gateways))
    return Case(name, service, int(refused) or injected, tried, cells)


async def wave(gateway: Gateway, cell: Cell) -> None:
    """Ask all screens at once."""
    screens = [screen for screen, count in AT_ONCE.items() for _ in range(count)]
    answers = await asyncio.gather(*(gateway.ask(screen) for screen in screens))
    cell.answers += zip(screens, answers, strict=True)


async def recover(gateway: Gateway, cell: Cell, mended: float) -> None:
    """Until so many good answers came in a row."""
    good = 0
    while good < GOOD_IN_A_ROW:
        good = good + 1 if is_whole(await gateway.ask("Home")) else 0
        cell.recovery_s = time.monotonic() - mended
        if cell.recovery_s > RECOVERS_WITHIN_S:
            return
        await asyncio.sleep(0.05)


def judge(cell: Cell, gateway: Gateway, service: str) -> None:
    """Note what is no answer, and what is missing though that service is not to blame."""
    for screen, answer in cell.answers:
        why = non_answer(answer)
        if why is not None:
            cell.non_answers.append(f"{screen}: {why}")
            continue
        cell.codes.update(codes(answer))
        if answer.status == 200:
            whole = gateway.whole[screen]
            cell.wrong += [f"{screen}: {one}" for one in wrong_parts(answer, whole)]
            cell.foreign += [f"{screen}: {one}" for one in foreign_parts(answer, whole, service)]


def _amplification(counts: Counts, service: str, gateways: int) -> float:
    """How often the first call of its screen came to the service, of how often it was needed."""
    first = PRIMARY[service]
    return counts.paths.get(first.path, 0) / (AT_ONCE[first.screen] * WAVES * gateways)
