"""bff/access/buckets.py: what a leaky bucket gives, by a clock of the test's own."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bff.access.buckets import ROUNDING_S, Buckets, Rate

RATES = st.builds(Rate, st.integers(1, 6_000), st.integers(1, 500))
# Pauses in seconds, and how many are asked for after each.
ASKING = st.lists(
    st.tuples(st.floats(0, 90, allow_nan=False), st.integers(1, 20)), min_size=1, max_size=60
)


def taken(buckets: Buckets, asking: list[tuple[float, int]]) -> list[tuple[float, int]]:
    """When how many were given."""
    now, found = 1_000.0, []
    for pause, n in asking:
        now += pause
        if buckets.take("a", n, now) <= 0.0:
            found.append((now, min(n, buckets.rate.burst)))
    return found


@given(RATES, ASKING)
def test_never_more_than_burst_and_rate(rate: Rate, asking: list[tuple[float, int]]) -> None:
    """In whatever stretch of time, no more is given than one bucket and what came back in it."""
    given_ = taken(Buckets("x", rate, 1_000), asking)
    for first in range(len(given_)):
        total = 0
        for at, n in given_[first:]:
            total += n
            came_back = (at - given_[first][0]) * rate.per_minute / 60
            assert total <= rate.burst + came_back + 1e-6


@given(RATES, ASKING)
def test_the_wait_is_exact(rate: Rate, asking: list[tuple[float, int]]) -> None:
    """Who waits as long as he was told is given, and a moment earlier he is not."""
    buckets, now = Buckets("x", rate, 1_000), 1_000.0
    for pause, n in asking:
        now += pause
        wait = buckets.take("a", n, now)
        if wait > 0.0:
            assert buckets.take("a", n, now + wait * 0.999 - 2 * ROUNDING_S) > 0.0
            now += wait + ROUNDING_S
            assert buckets.take("a", n, now) <= 0.0


def test_refusals_take_nothing() -> None:
    """Asking in vain, however often, does not put off the next one."""
    buckets = Buckets("x", Rate(60, 2), 100)
    assert [buckets.take("a", 1, 0.0) <= 0 for _ in range(50)].count(True) == 2
    assert buckets.take("a", 1, 1.0) <= 0


def test_more_than_all_is_all() -> None:
    """What costs more than a whole bucket is given to who has a whole one."""
    buckets = Buckets("x", Rate(60, 10), 100)
    assert buckets.take("a", 1_000_000, 0.0) <= 0
    assert buckets.take("a", 1, 0.5) > 0
    assert buckets.left(buckets.short_s("a", 5.0)) == 5


def test_what_is_given_back_counts_again() -> None:
    """A caller who turned out to be somebody else's business leaves the bucket as it was."""
    buckets = Buckets("x", Rate(60, 1), 100)
    assert buckets.take("a", 1, 0.0) <= 0
    buckets.give_back("a", 1)
    assert buckets.take("a", 1, 0.0) <= 0
    assert buckets.take("a", 1, 0.0) > 0


def test_processes_share_while_apart() -> None:
    """Apart, each of four processes gives a quarter, and never less than one at a time."""
    buckets = Buckets("x", Rate(60, 8), 100, processes=4, shared=True)
    assert [buckets.take("a", 1, 0.0) <= 0 for _ in range(10)].count(True) == 8
    buckets.set_apart(True)
    assert [buckets.take("b", 1, 0.0) <= 0 for _ in range(10)].count(True) == 2
    assert [buckets.take("b", 1, 8.0) <= 0 for _ in range(10)].count(True) == 2
    tiny = Buckets("x", Rate(60, 1), 100, processes=4)
    assert [tiny.take("a", 1, at) <= 0 for at in (0.0, 3.9, 4.0)] == [True, False, True]


def test_memory_is_bounded_by_keys() -> None:
    """A flood of ever new keys is forgotten, the newest last; whoever keeps coming is not."""
    buckets = Buckets("x", Rate(1, 1), 1_000)
    assert buckets.take("steady", 1, 0.0) <= 0
    for number in range(50_000):
        buckets.take(number, 1, 0.0)
        if number % 400 == 0:
            assert buckets.take("steady", 1, 0.0) > 0
        assert len(buckets) <= 1_001


def test_only_short_buckets_are_told() -> None:
    """Who uses a twentieth of his bucket stays this process's own business; then all is told."""
    buckets = Buckets("x", Rate(60, 100), 100, shared=True)
    for _ in range(5):
        buckets.take("a", 1, 0.0)
    assert buckets.untold == {}
    buckets.take("a", 1, 0.0)
    assert {key: round(n, 6) for key, n in (buckets.untold or {}).items()} == {"a": 6}


def test_what_others_took_is_learnt() -> None:
    """The others' part comes on top of what they were not told yet, and only ever takes away."""
    buckets = Buckets("x", Rate(60, 100), 100, shared=True)
    buckets.take("a", 50, 0.0)
    assert buckets.untold is not None
    buckets.untold["a"] -= 50
    buckets.take("a", 1, 0.0)
    buckets.learn("a", 80.0, 0.0)
    assert buckets.left(buckets.short_s("a", 0.0)) == 19
    buckets.learn("a", 0.0, 0.0)
    assert buckets.left(buckets.short_s("a", 0.0)) == 19
