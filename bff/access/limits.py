"""How much one caller may ask for, by address, device, account and attempt; answers nothing itself.

An operation counts against the account that is signed in, otherwise against the address it comes
from. Who is signed in is known late, so every operation is taken from its address first and given
back: thousands behind one carrier's address do not run short by each other as long as they are
signed in, nor where somebody else there floods: whoever's token was seen before then takes from his
account at once, and gives the address nothing back. A device is told
apart at its address only: the id is the app's word. Decisions are made in this process
(`buckets.py`) and settled with the others (`ledger.py`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Hashable
from random import uniform
from typing import NamedTuple

from bff.access.buckets import Buckets, Rate
from bff.access.ledger import Asked, Ledger
from bff.config import LimitsConfig, Settings
from bff.errors import FieldRateLimited, RateLimited
from bff.request import Arrival, Viewer
from bff.store.redis_tier import connected
from bff.telemetry.metrics import Metrics

# Whoever is told to wait less is back before anything has changed.
SHORTEST_WAIT_S = 1.0
LONGEST_DEVICE = 128
WORKERS = "FACET_WORKERS"
TOO_MANY = "Too many requests; slow down and try again after the time in extensions.retryAfterMs."
TOO_MANY_ATTEMPTS = "Too many attempts; try again later."


class Limited(NamedTuple):
    """Whose bucket was empty, or nearly so (`kind` is a metric label), with the seconds to wait."""

    kind: str
    wait_s: float
    policy: bytes
    state: bytes


def _nobody(_authorization: str) -> str | None:
    """Knows no token."""
    return None


def retry_after_ms(wait_s: float) -> int:
    """When to come back, spread so that those who were refused together do not come together."""
    return int(max(SHORTEST_WAIT_S, wait_s) * uniform(1.0, 1.5) * 1000)  # noqa: S311 - no secret


class Limits:
    """The limits of one process. `count` takes the kind of every refusal; `ledger_of` makes the
    ledger of the buckets it is given, where the process is not alone."""

    def __init__(
        self,
        config: LimitsConfig,
        count: Callable[[str], object],
        *,
        processes: int = 1,
        ledger_of: Callable[[list[Buckets]], Ledger] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._count = count
        self._clock = clock
        shared = ledger_of is not None

        def kind(name: str, per_minute: int, burst: int, *, settled: bool = True) -> Buckets | None:
            if not per_minute:
                return None
            rate = Rate(per_minute, burst)
            together = shared and settled
            return Buckets(name, rate, config.max_keys, processes=processes, shared=together)

        self._address = kind("address", config.address_per_minute, config.address_burst)
        self._device = kind("device", config.device_per_minute, config.device_burst)
        self._user = kind("user", config.user_per_minute, config.user_burst)
        self._cost = kind("cost", config.user_cost_per_minute, config.user_cost_burst)
        self._address_cost = kind(
            "address_cost", config.address_cost_per_minute, config.address_cost_burst
        )
        # Asked for one by one: never settled, and this process's part where Redis cannot say.
        self._attempts = kind(
            "attempts", config.attempts_per_minute, config.attempts_burst, settled=False
        )
        self._address_attempts = kind(
            "address_attempts",
            config.address_attempts_per_minute,
            config.address_attempts_burst,
            settled=False,
        )
        settled = (self._address, self._device, self._user, self._cost, self._address_cost)
        self.ledger = (
            ledger_of([one for one in settled if one is not None])
            if ledger_of is not None
            else None
        )
        # Whose token an `authorization` header holds that was found right before; wired later.
        self.knows: Callable[[str], str | None] = _nobody
        # What to tell with an answer that is on its way, by its arrival; most callers hear nothing.
        self.nearly: dict[int, Limited] = {}

    @property
    def shared(self) -> bool:
        """Whether all processes count together at the moment."""
        return self.ledger is not None and not self.ledger.apart

    def arrived(self, address: str, device: bytes | None, n: int = 1) -> Limited | None:
        """Take `n` operations from an address and from a device at it; None where that was
        possible."""
        now = self._clock()
        device_key = (address, device[:LONGEST_DEVICE]) if device is not None else None
        by_device = self._device if device_key is not None else None
        if by_device is not None:
            wait = by_device.take(device_key, n, now)
            if wait > 0.0:
                return self._refuse(by_device, device_key, wait, now)
        by_address = self._address
        if by_address is not None:
            wait = by_address.take(address, n, now)
            if wait > 0.0:
                if by_device is not None:
                    by_device.give_back(device_key, n)
                return self._refuse(by_address, address, wait, now)
        return None

    def vouched(self, authorization: bytes | None) -> str | None:
        """The account of a caller whose token is known, for where his address ran out."""
        return None if authorization is None else self.knows(authorization.decode("latin-1"))

    def arrived_as(self, account: str, n: int = 1) -> Limited | None:
        """Take `n` operations from an account instead of an address; None where that was possible.
        Before anything is parsed: a token must not make what comes to nothing cost nothing."""
        buckets = self._user
        if buckets is None:
            return None
        now = self._clock()
        wait = buckets.take(account, n, now)
        return self._refuse(buckets, account, wait, now) if wait > 0.0 else None

    def spend(self, arrival: Arrival, viewer: Viewer | None, cost: int) -> None:
        """Take one operation, its cost known, from whoever asks for it. Raises RateLimited."""
        address = arrival.address
        if viewer is None:
            if address is not None:
                self._take(arrival, self._address_cost, address, cost)
            return
        if not arrival.by_account:
            if address is not None and self._address is not None:
                self._address.give_back(address, 1)
            self._take(arrival, self._user, viewer.account_id, 1)
        self._take(arrival, self._cost, viewer.account_id, cost)

    async def attempt(self, kind: str, subject: str, address: str | None) -> None:
        """Count one attempt of a kind on a subject (sign-in, on an account's name), in the account
        of the subject, however it is spelt, and of the address. Raises FieldRateLimited."""
        # A hash: what is remembered of a text of the app's choosing must not be as long as it is.
        named = subject.strip().casefold().encode(errors="surrogatepass")
        name = hashlib.blake2b(named, digest_size=16).digest()
        asked = [
            Asked(buckets, (kind, key), 1)
            for buckets, key in ((self._attempts, name), (self._address_attempts, address))
            if buckets is not None and key is not None
        ]
        wait = await self.ledger.take(asked) if self.ledger is not None and asked else None
        if wait is None:
            wait = self._take_here(asked)
        if wait > 0.0:
            self._count("attempts")
            told = {"retryAfterMs": retry_after_ms(wait)}
            raise FieldRateLimited(TOO_MANY_ATTEMPTS, extensions=told)

    def _take_here(self, asked: list[Asked]) -> float:
        now = self._clock()
        for place, one in enumerate(asked):
            wait = one.buckets.take(one.key, one.n, now)
            if wait > 0.0:
                for before in asked[:place]:
                    before.buckets.give_back(before.key, before.n)
                return wait
        return 0.0

    def _take(self, arrival: Arrival, buckets: Buckets | None, key: Hashable, n: int) -> None:
        if buckets is None:
            return
        now = self._clock()
        wait = buckets.take(key, n, now)
        if wait > 0.0:
            told = self.nearly[id(arrival)] = self._refuse(buckets, key, wait, now)
            extensions = {"retryAfterMs": retry_after_ms(told.wait_s)}
            raise RateLimited(TOO_MANY, extensions=extensions)
        if wait > buckets.nearly_s:
            self.nearly[id(arrival)] = _limited(buckets, key, 0.0, now)

    def _refuse(self, buckets: Buckets, key: Hashable, wait: float, now: float) -> Limited:
        self._count(buckets.name)
        return _limited(buckets, key, wait, now)


def _limited(buckets: Buckets, key: Hashable, wait: float, now: float) -> Limited:
    """In the words of draft-ietf-httpapi-ratelimit-headers-11: `q` at most in `w` seconds; `r` are
    left, and in `t` seconds all are."""
    rate, short_s = buckets.rate, buckets.short_s(key, now)
    name = buckets.name.encode()
    policy = b'"%b";q=%d;w=%d' % (name, rate.burst, max(1, round(rate.depth_s)))
    left = 0 if wait > 0.0 else buckets.left(short_s)
    return Limited(buckets.name, wait, policy, b'"%b";r=%d;t=%d' % (name, left, -(-short_s // 1)))


def limits_of(settings: Settings, platform: str, metrics: Metrics) -> Limits | None:
    """The limits that settings ask for. A supervisor tells its workers how many they are by
    FACET_WORKERS; more machines than one need Redis to count together."""
    if not settings.limits_enforced:
        return None
    config = settings.limits

    def ledger_of(kinds: list[Buckets]) -> Ledger:
        redis = connected(settings.store)
        every_s = config.settle_ms / 1000
        return Ledger(redis, platform, kinds, every_s=every_s, count=metrics.event)

    limits = Limits(
        config,
        metrics.limits.limited,
        processes=max(1, int(os.environ.get(WORKERS, "1"))),
        ledger_of=ledger_of if settings.store.redis_url is not None else None,
    )
    metrics.limits.watch_sharing(lambda: not limits.shared)
    return limits
