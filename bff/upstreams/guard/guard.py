"""One service's protection, in the order a call meets it: breaker, slot, and after a failure the
question whether it may be tried again.

What an answer means is not decided here (`refusals.py`), nor is anything sent (`attempts.py`).
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping

from bff.config import ServiceConfig
from bff.errors import UpstreamOverloaded, UpstreamUnavailable
from bff.telemetry.guard_metrics import GuardMetrics
from bff.telemetry.logs import logger
from bff.upstreams.guard.breaker import Breaker
from bff.upstreams.guard.budget import RetryBudget
from bff.upstreams.guard.bulkhead import Bulkhead
from bff.upstreams.guard.verdict import Verdict

log = logger(__name__)

Clock = Callable[[], float]

# A second try with less time than this is not worth its call.
LEAST_RETRY_S = 0.1
# When the loop of this very process is as late as that, silence is no proof against a service.
MOST_LAG_S = 0.1


def no_lag() -> float:
    """Of a process that does not measure how late it is."""
    return 0.0


class Guard:
    """`calls` counts first tries that were sent; `lag` tells how late our own loop is (seconds)."""

    def __init__(
        self,
        service: str,
        config: ServiceConfig,
        metrics: GuardMetrics,
        *,
        lag: Clock = no_lag,
        clock: Clock = time.monotonic,
        draw: Callable[[], float] = random.random,
    ) -> None:
        rules = config.guard
        self.service = service
        self.config = config
        self.lag = lag
        self.clock = clock
        self.calls = 0
        self.timeout_s = config.timeout_ms / 1000
        # A write goes on at least as long as anybody waits for it.
        self.effect_timeout_s = max(config.timeout_ms, rules.effect_timeout_ms) / 1000
        self.slow_s = rules.slow_ms / 1000
        self.hedge_s = None if rules.hedge_after_ms is None else rules.hedge_after_ms / 1000
        self.bulkhead = Bulkhead(rules.max_in_flight, rules.max_wait_ms / 1000)
        self.breaker = Breaker(rules, draw)
        self._budget = RetryBudget(rules.retry_share)
        self._backoff_s = rules.retry_backoff_ms / 1000
        self._draw = draw
        self._metrics = metrics
        metrics.watch(
            service,
            in_flight=lambda: self.bulkhead.in_flight,
            waiting=lambda: self.bulkhead.waiting,
            state=lambda: self.breaker.state(self.clock()),
        )

    def knock(self) -> bool:
        """For a call that finds the breaker not closed: it is the probe.

        Raises UPSTREAM_UNAVAILABLE when it is not: nothing is sent, and nothing counts as a call.
        """
        wait_s = self.breaker.knock(self.clock())
        if not wait_s:
            return True
        self._metrics.rejected(self.service, "breaker")
        raise UpstreamUnavailable(
            f"The {self.service} service is failing; try again later.",
            detail="the breaker is open",
            extensions={"retryAfterMs": _ms(wait_s)},
        )

    async def wait(self, probe: bool, left_s: float) -> bool:
        """For a call that finds no slot free: whether it is the probe once it has one.

        Raises UPSTREAM_OVERLOADED without one, UPSTREAM_UNAVAILABLE if the breaker has opened
        meanwhile; it was not sent then.
        """
        got = False
        try:
            got = await self.bulkhead.wait(left_s)
        finally:
            if probe and not got:
                self.breaker.probed(Verdict.CUT, self.clock())
        if not got:
            self._metrics.rejected(self.service, "bulkhead")
            raise UpstreamOverloaded(
                f"Too much is being asked of the {self.service} service; try again later.",
                detail="no slot was free",
            )
        if probe or self.breaker.closed:
            return probe
        try:
            return self.knock()
        except UpstreamUnavailable:
            self.bulkhead.leave()
            raise

    def left(self, verdict: Verdict, started: float, probe: bool) -> None:
        """An attempt ended: its slot is free, and the service judged by it."""
        self.bulkhead.leave()
        now = self.clock()
        if verdict is Verdict.GOOD and not probe and now - started < self.slow_s:
            self.breaker.good(now)  # nearly always
        else:
            self._judge(verdict, now - started >= self.slow_s, probe, now)

    def probe_is_late(self) -> None:
        """The probe took as long as a slow call: the next one decides, however it ends. For what is
        not given up then, a write."""
        self._probed(Verdict.CUT if self.lag() > MOST_LAG_S else Verdict.BAD, self.clock())

    def given_up(self, started: float, timeout_s: float, probe: bool) -> None:
        """An attempt was cancelled: its slot is free when its own time is up."""
        now = self.clock()
        self.bulkhead.leave_in(started + timeout_s - now)
        self._judge(Verdict.CUT, now - started >= self.slow_s, probe, now)

    def _judge(self, verdict: Verdict, slow: bool, probe: bool, now: float) -> None:
        """Whoever waited in vain as long as a slow call takes has seen a slow call, whatever made
        them stop; who stopped before that has seen nothing. An answer that is slow because we ask
        so much at once is a good one: the slots are there to bound that."""
        if slow and verdict is Verdict.GOOD and not probe and self._is_crowded():
            self.breaker.good(now)
            return
        if verdict is Verdict.LATE or (slow and verdict is not Verdict.BAD):
            verdict = Verdict.CUT if self.lag() > MOST_LAG_S else Verdict.BAD
        if probe:
            self._probed(verdict, now)
        elif verdict is Verdict.BAD and self.breaker.bad(now):
            calls, bad = self.breaker.seen()
            self._metrics.opened(self.service)
            log.warning("breaker_opened", upstream=self.service, calls=calls, bad=bad)

    def _is_crowded(self) -> bool:
        return self.bulkhead.in_flight * 2 >= self.bulkhead.slots

    def _probed(self, verdict: Verdict, now: float) -> None:
        self.breaker.probed(verdict, now)
        if verdict is Verdict.GOOD:
            log.warning("breaker_closed", upstream=self.service)

    def pause_before_retry(self, left_s: float, retry_after_s: float | None) -> float | None:
        """Seconds to wait before a second try, None if there is to be none: never while the
        breaker is not closed, never past the caller's time, never beyond the budget."""
        pause_s = (retry_after_s or 0.0) + self._draw() * self._backoff_s  # full jitter
        if not self.breaker.closed:
            refused = "breaker"
        elif left_s - pause_s < LEAST_RETRY_S:
            refused = "time"
        elif not self._budget.spend(self.calls, self.clock()):
            refused = "budget"
        else:
            return pause_s
        self._metrics.retry_refused(self.service, refused)
        return None

    def retake(self) -> bool:
        """A slot for the second try, without waiting; much may have happened in the pause."""
        if not self.breaker.closed:
            self._metrics.retry_refused(self.service, "breaker")
        elif self.bulkhead.take():
            return True
        else:
            self._metrics.retry_refused(self.service, "bulkhead")
        return False

    def may_hedge(self) -> bool:
        """Take a slot, and a try from the budget, for a second call beside the first."""
        if not self.breaker.closed or self.bulkhead.in_flight >= self.bulkhead.slots:
            return False
        return self._budget.spend(self.calls, self.clock()) and self.bulkhead.take()

    def retried(self, outcome: str) -> None:
        self._metrics.retried(self.service, outcome)

    def hedged(self, won: bool) -> None:
        self._metrics.hedged(self.service, "won" if won else "lost")


class Guards:
    """The guards of this process's services: `get` finds one by its service's name. Set `lag` to
    what tells how late the loop is, in seconds."""

    def __init__(self, configs: Mapping[str, ServiceConfig], metrics: GuardMetrics) -> None:
        self.lag: Clock = no_lag
        guards = {
            name: Guard(name, config, metrics, lag=lambda: self.lag())
            for name, config in configs.items()
        }
        # The dictionary's own: every call comes by here.
        self.get: Callable[[str], Guard | None] = guards.get


def _ms(seconds: float) -> int:
    return max(1, round(seconds * 1000))
