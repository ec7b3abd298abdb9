"""How many calls may be made twice, whatever fails."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.upstreams.guard.budget import FLOOR_S, RetryBudget


@settings(max_examples=12, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.floats(0, 1)), min_size=80, max_size=80))
def test_share_holds_of_any_thousand(runs: list[tuple[int, float]]) -> None:
    """However failures come, of any thousand calls in a row at most a tenth are tried again."""
    budget, spent = RetryBudget(0.1), []
    calls = 0
    for length, failing in runs:
        for _ in range(length):
            calls += 1
            # A hundred calls a second: the floor of slow services adds nothing.
            again = calls % 100 < failing * 100 and budget.spend(calls, calls / 100)
            spent.append(again)
    for start in range(0, max(1, len(spent) - 1000), 50):
        window = spent[start : start + max(1000, len(spent) - start - 500)]
        if len(window) >= 1000:
            assert sum(window) <= 0.1 * len(window)


def test_total_failure_is_met_by_a_tenth() -> None:
    """Of two thousand calls that all fail a tenth are tried again, and no more."""
    budget = RetryBudget(0.1)
    spent = sum(budget.spend(calls, calls / 100) for calls in range(1, 2001))
    assert 190 <= spent <= 200


def test_quiet_services_get_one_a_second() -> None:
    """A service with a call now and then may be tried again all the same, once a second."""
    budget = RetryBudget(0.1)
    while budget.spend(1, 0.0):
        pass
    assert not budget.spend(2, FLOOR_S / 2)
    assert budget.spend(3, FLOOR_S)
    assert not budget.spend(4, FLOOR_S * 1.9)
    assert budget.spend(5, FLOOR_S * 2)


def test_what_is_saved_is_bounded() -> None:
    """A million good calls do not pay for a storm of second tries."""
    budget = RetryBudget(0.1)
    assert sum(budget.spend(1_000_000, 0.0) for _ in range(100)) == 5


@pytest.mark.parametrize("now", [0.0, 100.0])
def test_no_share_is_no_try(now: float) -> None:
    """`retry_share: 0` turns second tries off, the floor included."""
    assert not RetryBudget(0).spend(1000, now)
