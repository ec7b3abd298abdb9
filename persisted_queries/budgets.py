"""What a screen may weigh: reviewed figures of each operation, compared with what a release has and
with what the release before it had.

The calls to core services have a reviewed figure already, `calls.yaml` beside the platform's
schema: whoever compares passes it in, so that it stands in one place. How figures are found
(compiled, priced, measured) is the caller's too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import msgspec
import yaml

from persisted_queries.manifest import ManifestOperation

BUDGETS = "budgets.yaml"

Unit = Literal["bytes", "calls", "depth", "cost"]
UNITS: tuple[Unit, ...] = get_args(Unit)


class BudgetError(Exception):
    """A file of budgets that cannot be used: which, and what to do about it."""


class Budget(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The most an operation may have; None: no limit. `bytes` are of the compressed answer to
    `variables`, which must give the same on every run; `cost` is `documents.max_cost`'s."""

    bytes: int | None = None
    depth: int | None = None
    cost: int | None = None
    variables: dict[str, Any] = msgspec.field(default_factory=dict)


class Budgets(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The budgets of a platform, by operation name. `accept_encoding` is what its app asks for,
    which decides how its answers are compressed."""

    accept_encoding: str = "gzip"
    operations: dict[str, Budget] = msgspec.field(default_factory=dict)


class Figures(NamedTuple):
    """What one operation has; None: not found out."""

    bytes: int | None = None
    calls: int | None = None
    depth: int | None = None
    cost: int | None = None


class Weighed(NamedTuple):
    """One figure of one operation. `allowed` None: it has no budget; `before` None: the release
    before (`earlier`) has no such figure."""

    operation: str
    release: str
    unit: Unit
    now: int
    allowed: int | None
    before: int | None
    earlier: str | None

    @property
    def is_over(self) -> bool:
        return self.allowed is not None and self.now > self.allowed

    @property
    def growth(self) -> int | None:
        """Per cent against the release before, rounded to the nearest."""
        if not self.before:
            return None
        return round(100 * (self.now - self.before) / self.before)

    def __str__(self) -> str:
        """`Home/ios 7.4.0: +18 % bytes, over budget (…)`."""
        growth = self.growth
        told = f"{growth:+} % {self.unit}," if growth else self.unit
        verdict = "over budget" if self.is_over else "within budget"
        known = f"{self.now:,}"
        if self.allowed is None:
            verdict = "without budget"
        else:
            known += f" of {self.allowed:,}"
        if self.before is not None:
            known += f"; {self.earlier} had {self.before:,}"
        return f"{self.operation}/{self.release}: {told} {verdict} ({known})"


Price = Callable[[ManifestOperation], tuple[int, int]]
Calls = Callable[[ManifestOperation], int | None]


def read_budgets(path: Path) -> Budgets:
    """The budgets of a file; none where there is no file. Raises BudgetError."""
    if not path.is_file():
        return Budgets()
    try:
        value = yaml.safe_load(path.read_text(encoding="utf-8"))
        return msgspec.convert({} if value is None else value, Budgets)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise BudgetError(
            f"{path}: {error}; it holds accept_encoding and, by operation, bytes, depth, cost and "
            "variables"
        ) from error


def figures_of(operation: ManifestOperation, price: Price, calls: Calls) -> Figures:
    """What is known of an operation without running it: `price` gives depth and cost, `calls` the
    planned calls. Raises what they raise."""
    depth, cost = price(operation)
    return Figures(None, calls(operation), depth, cost)


def weigh(
    operation: str,
    release: str,
    now: Figures,
    budget: Budget,
    calls: int | None,
    earlier: tuple[str, Figures] | None,
) -> Iterator[Weighed]:
    """Every figure that was found out, beside its budget (`calls`: the reviewed number) and the
    figure of the release before, given as its name and figures."""
    allowed: Mapping[Unit, int | None] = {
        "bytes": budget.bytes,
        "calls": calls,
        "depth": budget.depth,
        "cost": budget.cost,
    }
    name, before = earlier or (None, Figures())
    for unit in UNITS:
        found: int | None = getattr(now, unit)
        if found is not None:
            known: int | None = getattr(before, unit)
            yield Weighed(operation, release, unit, found, allowed[unit], known, name)
