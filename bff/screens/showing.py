"""The screen contract in one run: when its time is up, and what became of its sections.

Both paths of execution ask here; who waits for what, and how it is given up, is theirs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, NamedTuple

from graphql import GraphQLError
from graphql.execution.executor import CollectedErrors
from graphql.pyutils import Path

from bff.errors import ClientError, DeadlineExceeded, FieldError, UpstreamTimeout
from bff.screens.contract import PlannedSection, ScreenContract

# A timer may ring a moment early: loops count in milliseconds.
EARLY_S = 0.001
OVER_BUDGET = "the section's budget was spent"


class Lost(NamedTuple):
    """A place that an error took out of the answer (None: all of it). `emptied`: the empty value
    of its section stands there, and nobody is told of the error."""

    path: Path | None
    error: Exception
    emptied: bool


class ShownErrors(CollectedErrors):
    """The errors of an operation with sections; knows which places they took."""

    __slots__ = ("lost",)

    def __init__(self) -> None:
        super().__init__()
        self.lost: list[Lost] = []

    def add(self, error: GraphQLError, path: Path | None) -> None:
        """See graphql-core."""
        before = len(self.errors)
        super().add(error, path)
        if len(self.errors) != before:
            self.lost.append(Lost(path, error.original_error or error, emptied=False))

    def hide(self, error: GraphQLError, path: Path) -> None:
        """An empty value stands in its place: of errors below nothing is told either."""
        before = len(self.errors)
        super().add(error, path)
        if len(self.errors) != before:
            above = path.as_list()
            self.errors[:] = [one for one in self.errors if not _is_under(one.path, above)]
            self.lost.append(Lost(path, error.original_error or error, emptied=True))


def _is_under(path: Sequence[str | int] | None, above: list[str | int]) -> bool:
    return path is not None and list(path[: len(above)]) == above


class Showing:
    """One run of an operation. `at` is the instant (monotonic seconds) its answer leaves; `spent`
    are the sections whose budget has ended; `is_over` that the whole time has. `is_cut`: the
    answer is not what it would have been with more time."""

    __slots__ = (
        "_began",
        "_next",
        "_stretch",
        "at",
        "contract",
        "is_cut",
        "is_over",
        "spent",
        "stale",
    )

    def __init__(self, contract: ScreenContract, remaining_s: float, stretch: float = 1.0) -> None:
        """`remaining_s` is what the request's own deadline leaves; what is declared is `stretch`
        times as long."""
        self.contract = contract
        self._stretch = stretch
        self._began = time.monotonic()
        deadline_s = contract.deadline_s
        if deadline_s is not None and deadline_s * stretch < remaining_s:
            remaining_s = deadline_s * stretch
        self.at = self._began + remaining_s
        self.spent: list[PlannedSection] = []
        self.is_over = False
        self.is_cut = False
        self._next = 0
        # The age (seconds) of the oldest stale record of a section, and why there is one.
        self.stale: dict[PlannedSection, tuple[float, str]] = {}

    def begin_again(self) -> None:
        """The next field of a mutation: budgets count anew, the deadline does not."""
        self._began = time.monotonic()
        self.spent = []
        self._next = 0

    # Time.

    def left(self, budget_s: float | None = None) -> float:
        """Seconds to the deadline, or to the end of a budget if that is sooner."""
        at = self.at
        if budget_s is not None:
            at = min(at, self._began + budget_s * self._stretch)
        return max(0.0, at - time.monotonic())

    def to_next(self) -> float:
        """Seconds to what ends next: a budget, or the whole time."""
        budgets = self.contract.budgets
        return self.left(budgets[self._next][0] if self._next < len(budgets) else None)

    def look(self) -> bool:
        """Notes what has ended by now; whether anything new has."""
        now = time.monotonic() + EARLY_S
        if now >= self.at:
            self.is_over = self.is_cut = True
            return True
        budgets, first = self.contract.budgets, self._next
        spent_s = (now - self._began) / self._stretch
        while self._next < len(budgets) and spent_s >= budgets[self._next][0]:
            self.spent.append(budgets[self._next][1])
            self._next += 1
        return self._next > first

    def has_ended(self, section: PlannedSection | None) -> bool:
        """Whether nobody waits any more for what belongs to this section, or to none (None)."""
        if self.is_over:
            return True
        return bool(self.spent) and section is not None and section.is_within(self.spent)

    def late(self) -> FieldError:
        """The error of a place that is given up now."""
        if self.is_over:
            return DeadlineExceeded("The time for this answer was up before this field was there.")
        self.is_cut = True
        return UpstreamTimeout(
            "The time for this part of the screen was up before this field was there.",
            detail=OVER_BUDGET,
        )

    # Fallbacks.

    def was_stale(self, section: PlannedSection, age_s: float, error: BaseException | None) -> None:
        """An old record stands in the section, in place of this error."""
        self.is_cut = True
        known = self.stale.get(section)
        if known is None:
            self.stale[section] = (age_s, code_of(error))
        elif age_s > known[0]:
            self.stale[section] = (age_s, known[1])


def is_unavailable(error: object) -> bool:
    """Whether a fallback stands in for it: no service answered. Of anything else, such as a
    sign-in that is missing, the app must hear."""
    if not isinstance(error, FieldError):
        return False
    return error.code.startswith("UPSTREAM_") or error.code == DeadlineExceeded.code


def code_of(error: Any) -> str:
    """The code an app is told."""
    if isinstance(error, ClientError):
        return error.code
    # graphql-core's own error about an argument; masking shows it as such, too.
    of_argument = isinstance(error, GraphQLError) and error.message.startswith("Argument '")
    return "BAD_USER_INPUT" if of_argument else "INTERNAL"
