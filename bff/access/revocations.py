"""Which access tokens died early: accounts whose revocation epoch moved, polled list-wise.

No request pays for this: one call every `access.revocations_poll_s` brings all moved epochs.
Failure policy: identity service down: the known epochs hold, counted and shown as an age, for
`access.revocations_max_age_s`; after that viewers are refused with UPSTREAM_UNAVAILABLE (closed).
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from bff.config import AccessConfig
from bff.contract import Scope
from bff.errors import FieldError, UpstreamUnavailable
from bff.request import Viewer
from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.calls import Caller
from bff.upstreams.method import Answer, Method, Record

log = logger(__name__)

# A commit may become visible after the service read its clock: each poll looks back a little.
OVERLAP = timedelta(seconds=30)
# The longest life of an access token; longer ones are refused (authenticate.py).
MOST_LIFE_S = 3600
# An epoch that moved before that refuses nothing any more; clocks and leeway are allowed for.
REMEMBER_S = MOST_LIFE_S + 300
MAX_EPOCHS = 1_000_000


class EpochRecord(Record, frozen=True):
    account_id: str
    epoch: int


class RevocationsAnswer(Answer, frozen=True):
    revocations: list[EpochRecord]
    as_of: str


class Revocations:
    """The epochs that moved lately, and how old that knowledge is."""

    def __init__(self, config: AccessConfig, metrics: Metrics) -> None:
        self._method = Method(
            config.identity_service,
            "revocations",
            "GET",
            config.revocations_path,
            Scope.SHARED,
            RevocationsAnswer,
            exact=True,
            critical=True,
        )
        self._poll_s = config.revocations_poll_s
        self._max_age = config.revocations_max_age_s
        self._metrics = metrics
        # Each with the instant we heard of it, the newest last.
        self._epochs: OrderedDict[str, tuple[int, float]] = OrderedDict()
        self._since: str | None = None
        self._read_at = float("-inf")
        # Hears of every epoch that moves: what is kept for the account is nobody's any more.
        self.told: Callable[[str, int], None] = _untold
        metrics.revocations_age.set_function(self.age)

    def age(self) -> float:
        """Seconds since the epochs were last known to be whole."""
        return time.monotonic() - self._read_at

    @property
    def ever_read(self) -> bool:
        """Whether the epochs were read at all since this process began."""
        return self._read_at > float("-inf")

    def moved(self, account_id: str, epoch: int) -> None:
        """Note one epoch; an epoch never moves back."""
        if epoch > self._epoch(account_id):
            self.told(account_id, epoch)
            self._epochs[account_id] = epoch, time.monotonic()
            self._epochs.move_to_end(account_id)
            if len(self._epochs) > MAX_EPOCHS:
                self._epochs.popitem(last=False)

    def revoked(self, viewer: Viewer) -> bool:
        """Whether the viewer's token is below its account's epoch.

        Raises UpstreamUnavailable when the epochs are too old to say.
        """
        if self.age() > self._max_age:
            raise UpstreamUnavailable("Sign-in cannot be checked right now; try again later.")
        return viewer.epoch < self._epoch(viewer.account_id)

    def _epoch(self, account_id: str) -> int:
        known = self._epochs.get(account_id)
        return 0 if known is None else known[0]

    def _forget(self) -> None:
        """Drop what refuses nothing any more."""
        oldest = time.monotonic() - REMEMBER_S
        while self._epochs and next(iter(self._epochs.values()))[1] < oldest:
            self._epochs.popitem(last=False)

    async def refresh(self, caller: Caller) -> bool:
        """One poll; False if it failed. The first one reaches back as far as tokens live: a
        restarted gateway must not forget who signed out."""
        started = time.monotonic()
        since = self._since or _wire(datetime.now(UTC) - timedelta(seconds=REMEMBER_S))
        try:
            answer = await caller.call(self._method, query={"since": since})
            known_until = datetime.fromisoformat(answer.as_of) - OVERLAP
        except (FieldError, ValueError, OverflowError) as error:
            self._metrics.event("revocations_poll_failed")
            log.warning("revocations_poll_failed", detail=str(error))
            return False
        self._forget()
        for moved in answer.revocations:
            self.moved(moved.account_id, moved.epoch)
        self._since = _wire(known_until)
        self._read_at = started
        return True

    async def watch(self, new_caller: Callable[[], Caller]) -> None:
        """Poll until cancelled. Nothing else ends this: without polls nobody could sign in after
        `access.revocations_max_age_s`."""
        while True:
            try:
                await self.refresh(new_caller())
            except Exception:
                self._metrics.event("revocations_poll_failed")
                log.exception("revocations_poll_broke")
            await asyncio.sleep(self._poll_s)


def _untold(_account_id: str, _epoch: int) -> None:
    """Nobody keeps anything."""


def _wire(instant: datetime) -> str:
    return instant.isoformat().replace("+00:00", "Z")
