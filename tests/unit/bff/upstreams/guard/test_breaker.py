"""The breaker in simulated time: when it opens, who may try, and how it comes back."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from bff.config import GuardConfig
from bff.upstreams.guard.breaker import BUCKETS, JITTER, PROBE_HINT_S, Breaker, State
from bff.upstreams.guard.verdict import Verdict

RULES = GuardConfig()
OPEN_S = RULES.open_ms / 1000
WINDOW_S = RULES.breaker_window_s


def breaker(draw: float = 0.0) -> Breaker:
    return Breaker(RULES, lambda: draw)


def broken(now: float = 0.0, draw: float = 0.0) -> Breaker:
    made = breaker(draw)
    for _ in range(RULES.breaker_calls):
        made.bad(now)
    assert not made.closed
    return made


def test_few_calls_are_no_evidence() -> None:
    """Nineteen failures in a row leave it closed, the twentieth opens it."""
    made = breaker()
    assert not any(made.bad(0.0) for _ in range(19))
    assert made.closed
    assert made.bad(0.0)
    assert made.state(0.0) is State.OPEN


@pytest.mark.parametrize(("good", "bad", "opens"), [(21, 20, False), (20, 20, True)])
def test_share_decides(good: int, bad: int, opens: bool) -> None:
    """Half of the calls failed or slow opens it, less does not."""
    made = breaker()
    for _ in range(good):
        made.good(0.0)
    for _ in range(bad):
        made.bad(0.0)
    assert made.closed is not opens


def test_old_failures_are_forgotten() -> None:
    """What failed longer ago than the window counts no more, a little at a time."""
    made = breaker()
    for second in range(10):
        made.bad(float(second))
    assert made.seen() == (10, 10)
    made.good(14.5)
    assert made.seen() == (6, 5)
    made.good(100.0)
    assert made.seen() == (1, 0)


@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_open_time_is_jittered(draw: float) -> None:
    """It stays open for four to five seconds, and says how long still."""
    made = broken(draw=draw)
    opens_at = OPEN_S * (1 - JITTER * draw)
    assert made.knock(opens_at - 1.0) == pytest.approx(1.0)
    assert made.state(opens_at) is State.HALF_OPEN
    assert made.knock(opens_at) == 0.0


def test_one_probe_at_a_time() -> None:
    """While one call finds out, all others are told to come back."""
    made = broken()
    assert made.knock(OPEN_S) == 0.0
    assert [made.knock(OPEN_S + n / 10) for n in range(5)] == [PROBE_HINT_S] * 5


def test_good_probe_closes() -> None:
    """One good answer closes it, with nothing held against the service."""
    made = broken()
    made.knock(OPEN_S)
    made.probed(Verdict.GOOD, OPEN_S + 0.1)
    assert made.closed
    assert made.seen() == (0, 0)


def test_bad_probe_opens_anew() -> None:
    """A probe that fails costs another whole pause."""
    made = broken()
    made.knock(OPEN_S)
    made.probed(Verdict.BAD, 6.0)
    assert made.knock(6.0 + OPEN_S - 0.01) == pytest.approx(0.01)
    assert made.knock(6.0 + OPEN_S) == 0.0


def test_cut_probe_asks_the_next() -> None:
    """A probe somebody had no time to wait for says nothing: the next call is one at once."""
    made = broken()
    made.knock(OPEN_S)
    made.probed(Verdict.CUT, OPEN_S + 0.02)
    assert not made.closed
    assert made.knock(OPEN_S + 0.02) == 0.0


def test_stragglers_change_nothing() -> None:
    """Calls sent before it opened may end in any way afterwards."""
    made = broken()
    assert not made.bad(0.5)
    made.good(0.5)
    assert made.knock(1.0) == pytest.approx(OPEN_S - 1.0)


class BreakerMachine(RuleBasedStateMachine):
    """Any calls, in any order of ends, against what the breaker promises about them."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.made = breaker()
        self.ended: deque[tuple[float, bool]] = deque()
        self.probe_out = False
        self.opened_at = 0.0
        self.retry_at = 0.0

    @rule(seconds=st.floats(0.001, 4.0))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @rule(bad=st.booleans(), count=st.integers(1, 15))
    def end(self, bad: bool, count: int) -> None:
        """Ordinary calls end; they change nothing unless it is closed."""
        for _ in range(count):
            was_closed = self.made.closed
            opened = bad and self.made.bad(self.now)
            if not bad:
                self.made.good(self.now)
            if was_closed:
                self.ended.append((self.now, bad))
            if opened:
                self._check_evidence()
                self._opened()
            assert (not self.made.closed) == (opened or not was_closed)

    @rule()
    def knock(self) -> None:
        if self.made.closed:
            return
        wait_s = self.made.knock(self.now)
        if self.probe_out or self.now < self.retry_at - OPEN_S * JITTER - 1e-6:
            assert wait_s > 0
        elif self.now >= self.retry_at + 1e-6:
            assert wait_s == 0.0
        assert wait_s <= OPEN_S + 1e-6
        self.probe_out = self.probe_out or wait_s == 0.0

    @rule(verdict=st.sampled_from(Verdict))
    def probe_ends(self, verdict: Verdict) -> None:
        if not self.probe_out:
            return
        self.probe_out = False
        self.made.probed(verdict, self.now)
        assert self.made.closed is (verdict is Verdict.GOOD)
        if verdict is Verdict.GOOD:
            self.ended.clear()
        elif verdict is Verdict.CUT:
            self.retry_at = self.now
        else:
            self._opened()

    @invariant()
    def is_open_when_it_must_be(self) -> None:
        """All bad, and enough of them, well inside the window: it cannot be closed."""
        inside = self.now - WINDOW_S * (BUCKETS - 1) / BUCKETS
        recent = [bad for at, bad in self.ended if at > self.now - WINDOW_S]
        surely = [bad for at, bad in self.ended if at > inside]
        if self.made.closed and len(surely) >= RULES.breaker_calls:
            assert not all(recent)

    def _check_evidence(self) -> None:
        recent = [bad for at, bad in self.ended if at >= self.now - WINDOW_S]
        assert len(recent) >= RULES.breaker_calls
        assert any(recent)

    def _opened(self) -> None:
        self.retry_at = self.now + OPEN_S


BreakerMachine.TestCase.settings = settings(max_examples=25, stateful_step_count=40, deadline=None)
TestBreakerMachine = BreakerMachine.TestCase
