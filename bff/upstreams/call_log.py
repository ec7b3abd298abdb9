"""What one exchange asked of the services: counted for its bound, and shown to developers."""

from __future__ import annotations

from dataclasses import dataclass, field

from bff.store.freshness import NOTHING_KEPT, Freshness


@dataclass(slots=True)
class Stays:
    """How long what an exchange was answered stays so, in seconds: as short as the shortest of what
    its services declared."""

    max_age: float
    while_revalidate: float
    if_error: float


@dataclass(slots=True)
class CallLog:
    """The upstream calls of one exchange. `total` counts those it started, `joins` its loads that
    went along in a call it did not start for them: another exchange's, or one of another operation
    of this same exchange. `again` are its loads that were spoilt in a call made with others, and so
    asked for a second time, alone. `late` are the calls for keys that came after their wave had
    left. `cached` are its keys that were answered without a call; `stale` says by method how old
    (seconds) the oldest answer is that stands in place of a failure. `stays` folds what services
    declared of their answers; `undeclared`: one of them said nothing."""

    by_service: dict[str, int] = field(default_factory=dict)
    total: int = 0
    joins: int = 0
    again: int = 0
    late: int = 0
    cached: int = 0
    stale: dict[str, float] = field(default_factory=dict)
    stays: Stays | None = None
    undeclared: bool = False

    @property
    def asked(self) -> int:
        """What its bound is held against: the calls it would have made by itself, so that no
        request is refused, or spared, by what others happen to ask."""
        return self.total + self.joins - self.again

    def add(self, service: str) -> None:
        self.total += 1
        self.by_service[service] = self.by_service.get(service, 0) + 1

    def was_stale(self, method: str, age_s: float) -> None:
        """A load of this method (its label) was answered from what was kept, in place of a
        failure."""
        self.stale[method] = max(age_s, self.stale.get(method, 0.0))
        self.told(NOTHING_KEPT, 0.0)

    def told(self, freshness: Freshness, left: float) -> None:
        """What a service declared of one load's answers, `left` seconds of their max-age being
        left."""
        stays = self.stays
        if stays is None:
            self.stays = Stays(left, freshness.while_revalidate, freshness.if_error)
            return
        stays.max_age = min(stays.max_age, left)
        stays.while_revalidate = min(stays.while_revalidate, freshness.while_revalidate)
        stays.if_error = min(stays.if_error, freshness.if_error)
