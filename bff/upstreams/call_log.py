"""What one exchange asked of the services: counted for its bound, and shown to developers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class CallLog:
    """The upstream calls of one exchange. `total` counts those it started, `joins` its loads that
    went along in a call it did not start for them: another exchange's, or one of another operation
    of this same exchange. `again` are its loads that were spoilt in a call made with others, and so
    asked for a second time, alone. `late` are the calls for keys that came after their wave had
    left."""

    by_service: dict[str, int] = field(default_factory=dict)
    total: int = 0
    joins: int = 0
    again: int = 0
    late: int = 0

    @property
    def asked(self) -> int:
        """What its bound is held against: the calls it would have made by itself, so that no
        request is refused, or spared, by what others happen to ask."""
        return self.total + self.joins - self.again

    def add(self, service: str) -> None:
        self.total += 1
        self.by_service[service] = self.by_service.get(service, 0) + 1
