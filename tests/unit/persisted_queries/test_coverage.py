"""Promises of persisted_queries/coverage.py."""

from datetime import UTC, datetime, timedelta

from persisted_queries.coverage import HANDOVER, UNTOLD, gaps
from persisted_queries.rollups import Trail

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def trail(process: str, begins: float, ends: float, *, closes: bool = False) -> Trail:
    """Hours before NOW."""
    return Trail(process, 1, NOW - begins * HOUR, NOW - ends * HOUR, 60.0, closes)


def test_counted_time_has_no_gap() -> None:
    """One process after the other, handed over in good order, covers the whole."""
    run = [trail("a", 9, 5, closes=True), trail("b", 5.01, 2), trail("b", 2, 0)]
    assert gaps(run, NOW - 8 * HOUR, NOW) == []


def test_nothing_counted_is_one_gap() -> None:
    """Without any trail all is unknown."""
    (gap,) = gaps([], NOW - HOUR, NOW)
    assert (gap.begins, gap.ends, gap.process) == (NOW - HOUR, NOW, None)


def test_the_time_before_counting_is_unknown() -> None:
    """A window that begins before the first process did holds a gap, however short."""
    begins = NOW - HOUR - timedelta(seconds=1)
    (gap,) = gaps([trail("a", 1, 0)], begins, NOW)
    assert (gap.begins, gap.ends) == (begins, NOW - HOUR)


def test_nobody_counting_is_a_gap() -> None:
    """Between a clean stop and the next start more than a hand-over is unknown."""
    run = [trail("a", 9, 5, closes=True), trail("b", 4, 0)]
    (gap,) = gaps(run, NOW - 8 * HOUR, NOW)
    assert (gap.begins, gap.ends, gap.process) == (NOW - 5 * HOUR, NOW - 4 * HOUR, None)
    late = NOW + HANDOVER + timedelta(seconds=1)
    (gap,) = gaps([trail("a", 9, 0, closes=True)], NOW - HOUR, late)
    assert gap.ends == late


def test_a_killed_process_leaves_a_day() -> None:
    """A process without a closing mark is unknown for a day from its last roll-up, whoever else
    was counting; after that nothing is missing."""
    run = [trail("dead", 60, 50), trail("alive", 100, 0)]
    (gap,) = gaps(run, NOW - 90 * HOUR, NOW)
    assert (gap.begins, gap.ends, gap.process) == (
        NOW - 50 * HOUR,
        NOW - 50 * HOUR + UNTOLD,
        "dead",
    )
    assert gaps(run, NOW - 26 * HOUR, NOW) == []


def test_an_opening_mark_alone_is_a_gap() -> None:
    """A process that was killed before its first flush is unknown from its start."""
    run = [trail("dead", 3, 3), trail("alive", 100, 0)]
    (gap,) = gaps(run, NOW - 90 * HOUR, NOW)
    assert (gap.begins, gap.ends) == (NOW - 3 * HOUR, NOW)


def test_an_unflushed_end_is_a_gap() -> None:
    """What a running process has not flushed yet is unknown, even if it is a second."""
    moment = NOW + timedelta(seconds=1)
    (gap,) = gaps([trail("a", 100, 0)], NOW - HOUR, moment)
    assert (gap.begins, gap.ends, gap.process) == (NOW, moment, "a")


def test_a_missing_roll_up_is_a_gap() -> None:
    """A hole between two trails of one process is unknown, though others were counting."""
    run = [trail("a", 9, 5), trail("a", 4, 0), trail("b", 100, 0)]
    (gap,) = gaps(run, NOW - 8 * HOUR, NOW)
    assert (gap.begins, gap.ends, gap.process) == (NOW - 5 * HOUR, NOW - 4 * HOUR, "a")
