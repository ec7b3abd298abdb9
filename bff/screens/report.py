"""What an app is told of its sections, and what is counted of them.

    ok         its value is there; parts of it may be null, each with an error of its own
    stale      an old answer stands there, or in parts of it
    timed_out  time ended it: its budget, the answer's deadline, or the service's own time limit
    omitted    an error ended it

Of a section that stands in a list, the worst of its places counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal, NamedTuple

from bff.errors import DeadlineExceeded, UpstreamTimeout
from bff.screens.contract import NO_CONTRACT, PlannedSection, ScreenContract, pattern_of
from bff.screens.showing import OVER_BUDGET, Lost, Showing, code_of

Status = Literal["ok", "stale", "timed_out", "omitted"]
OK, STALE, TIMED_OUT, OMITTED = range(4)
NAMES: tuple[Status, ...] = ("ok", "stale", "timed_out", "omitted")
OF_TIME = (UpstreamTimeout.code, DeadlineExceeded.code)


class Report(NamedTuple):
    """`told` is `extensions.sections`, nothing where all are ok; `counted` each section's field
    with its status; `is_failed` that a critical section is not there."""

    told: Mapping[str, Mapping[str, Any]] = {}
    counted: tuple[tuple[str, Status], ...] = ()
    is_failed: bool = False

    @property
    def is_whole(self) -> bool:
        return not self.told


NO_SECTIONS = Report()


class _Entry:
    """What became of one section so far."""

    __slots__ = ("age_s", "code", "fallback", "rank")

    def __init__(self) -> None:
        self.rank = OK
        self.code: str | None = None
        self.fallback: str | None = None
        self.age_s: float | None = None

    def be(self, rank: int, code: str, fallback: str | None) -> None:
        if rank > self.rank:
            self.rank, self.code, self.fallback = rank, code, fallback

    def told(self) -> dict[str, Any]:
        found: dict[str, Any] = {"status": NAMES[self.rank]}
        if self.rank == STALE:
            found["ageS"] = round(self.age_s or 0.0)
        if self.code is not None:
            found["code"] = self.code
        if self.fallback is not None:
            found["fallback"] = self.fallback
        return found


def report(showing: Showing, lost: Iterable[Lost], stale_loads: Mapping[str, float]) -> Report:
    """After the run. `stale_loads` are loads, by their method's label, that a loader itself
    answered from what it kept, with the age of the oldest in seconds."""
    contract = showing.contract
    lost = tuple(lost)
    by_loads = bool(stale_loads) and not contract.loads.isdisjoint(stale_loads)
    if not lost and not showing.stale and not by_loads:
        return whole(contract)
    return _Reporting(contract).done(showing, lost, stale_loads)


def whole(contract: ScreenContract) -> Report:
    """All is there."""
    if contract is NO_CONTRACT or not contract.sections:
        return NO_SECTIONS
    return Report(counted=contract.all_ok)


class _Reporting:
    def __init__(self, contract: ScreenContract) -> None:
        self._sections = contract.sections
        # Two types may have a section each at one path: it is one to the app.
        self._entries = {one.path: _Entry() for one in contract.sections}

    def done(
        self, showing: Showing, lost: Iterable[Lost], stale_loads: Mapping[str, float]
    ) -> Report:
        for section, (age_s, code) in showing.stale.items():
            self._stale(section, age_s, code)
        for section in self._sections:
            ages = [stale_loads[label] for label in section.loads if label in stale_loads]
            if ages:
                self._stale(section, max(ages), None)
        for loss in lost:
            self._lost(loss)
        told = {}
        if any(entry.rank for entry in self._entries.values()):
            told = {path: entry.told() for path, entry in self._entries.items()}
        ranks: dict[str, int] = {}
        for one in self._sections:
            rank = self._entries[one.path].rank
            ranks[one.coordinate] = max(rank, ranks.get(one.coordinate, OK))
        failed = any(
            one.critical and self._entries[one.path].rank > STALE for one in self._sections
        )
        return Report(told, tuple((name, NAMES[rank]) for name, rank in ranks.items()), failed)

    def _stale(self, section: PlannedSection, age_s: float, code: str | None) -> None:
        entry = self._entries.get(section.path)
        if entry is None:
            return  # beyond those that are told
        entry.rank = max(entry.rank, STALE)
        entry.fallback = "STALE"
        entry.code = entry.code or code
        entry.age_s = max(age_s, entry.age_s or 0.0)

    def _lost(self, lost: Lost) -> None:
        at = pattern_of(lost.path.as_list()) if lost.path is not None else ""
        code = code_of(lost.error)
        rank = TIMED_OUT if code in OF_TIME else OMITTED
        inner: str | None = None
        for path, entry in self._entries.items():
            if not at or path == at or _is_below(path, at):
                entry.be(rank, code, "EMPTY" if lost.emptied and path == at else "OMIT")
            elif _is_below(at, path) and (inner is None or len(path) > len(inner)):
                inner = path
        if inner is not None and _is_cut(lost.error):
            self._entries[inner].be(TIMED_OUT, code, None)


def _is_below(path: str, above: str) -> bool:
    return path.startswith(above) and path[len(above)] in ".["


def _is_cut(error: Exception) -> bool:
    """Whether our own time ended it, not a service's."""
    if code_of(error) == DeadlineExceeded.code:
        return True
    return isinstance(error, UpstreamTimeout) and error.detail == OVER_BUDGET
