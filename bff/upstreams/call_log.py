"""What one exchange asked of the services: counted for its bound, and shown to developers."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class CallLog:
    """The upstream calls of one exchange. `joins` counts its loads that went along in a call it
    did not start for them: another exchange's, or one of another operation of this same exchange.
    `late` are the calls for keys that came after their wave had left."""

    by_service: dict[str, int] = field(default_factory=dict)
    joins: int = 0
    late: int = 0

    @property
    def total(self) -> int:
        """Calls this exchange started."""
        return sum(self.by_service.values())

    @property
    def asked(self) -> int:
        """What its bound is held against: the calls it would have made by itself, so that no
        request is refused, or spared, by what others happen to ask."""
        return self.total + self.joins

    def add(self, service: str) -> None:
        self.by_service[service] = self.by_service.get(service, 0) + 1
