"""Promises of persisted_queries/budgets.py: figures beside their budget and the release before."""

from __future__ import annotations

from pathlib import Path

import pytest

from persisted_queries.budgets import (
    Budget,
    BudgetError,
    Budgets,
    Figures,
    Weighed,
    read_budgets,
    weigh,
)


def weighed(now: int, allowed: int | None = None, before: int | None = None) -> Weighed:
    earlier = None if before is None else "7.3.0+801"
    return Weighed("home", "iOS 7.4", "bytes", now, allowed, before, earlier)


@pytest.mark.parametrize(
    ("one", "is_over", "told"),
    [
        (
            weighed(11_800, 11_000, 10_000),
            True,
            "home/iOS 7.4: +18 % bytes, over budget (11,800 of 11,000; 7.3.0+801 had 10,000)",
        ),
        (weighed(11_001, 11_000), True, "home/iOS 7.4: bytes over budget (11,001 of 11,000)"),
        (
            weighed(9_000, 11_000, 10_000),
            False,
            "home/iOS 7.4: -10 % bytes, within budget (9,000 of 11,000; 7.3.0+801 had 10,000)",
        ),
        (weighed(11_000, 11_000), False, "home/iOS 7.4: bytes within budget (11,000 of 11,000)"),
        (weighed(11_000), False, "home/iOS 7.4: bytes without budget (11,000)"),
        (weighed(5, 4, 0), True, "home/iOS 7.4: bytes over budget (5 of 4; 7.3.0+801 had 0)"),
    ],
)
def test_figure_is_told(one: Weighed, is_over: bool, told: str) -> None:
    """What a screen has, whether that is too much, and how much it grew."""
    assert one.is_over is is_over
    assert str(one) == told


def test_only_known_figures_are_weighed() -> None:
    """What was not found out is not judged, now or in the release before; calls come with the
    budget they have elsewhere."""
    now = Figures(bytes=None, calls=5, depth=3, cost=40)
    budget = Budget(bytes=1, depth=2)
    found = {one.unit: one for one in weigh("A", "r", now, budget, 4, ("old", Figures(depth=3)))}
    assert {unit: (one.allowed, one.before) for unit, one in found.items()} == {
        "calls": (4, None),
        "depth": (2, 3),
        "cost": (None, None),
    }
    assert [unit for unit, one in found.items() if one.is_over] == ["calls", "depth"]


def test_file_is_read(tmp_path: Path) -> None:
    """Budgets by operation with the variables to weigh with; no file means no budgets."""
    path = tmp_path / "budgets.yaml"
    assert read_budgets(path) == Budgets()
    path.write_text("accept_encoding: br\noperations: {A: {bytes: 9, variables: {id: x}}}\n")
    assert read_budgets(path) == Budgets("br", {"A": Budget(bytes=9, variables={"id": "x"})})


@pytest.mark.parametrize(
    "text", ["operations: {A: {byte: 1}}", "operations: {A: {bytes: x}}", "a: [", "[]", "b: 1"]
)
def test_wrong_file_is_refused(tmp_path: Path, text: str) -> None:
    """A slip of the pen is no missing budget: the file is named, and what it may hold."""
    path = tmp_path / "budgets.yaml"
    path.write_text(text)
    with pytest.raises(BudgetError, match="by operation, bytes, depth, cost and variables"):
        read_budgets(path)
