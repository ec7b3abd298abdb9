"""Revocation epochs: polled, remembered long enough, and never trusted when too old."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.access.revocations import MOST_LIFE_S, REMEMBER_S
from bff.errors import UpstreamUnavailable
from bff.request import Viewer
from bff.upstreams.transport import TransportFailure
from tests.unit.bff.access.conftest import Clock
from tests.unit.bff.access.tokens import AS_OF, Access, Identity
from tests.unit.bff.upstreams.fakes import problem, sample


def viewer(epoch: int, account_id: str = "account-1") -> Viewer:
    return Viewer(account_id, None, None, epoch, ())


def listed(*epochs: tuple[str, int], as_of: str = AS_OF) -> dict[str, Any]:
    return {
        "revocations": [{"account_id": name, "epoch": epoch} for name, epoch in epochs],
        "as_of": as_of,
    }


async def test_epoch_below_is_refused() -> None:
    """A token below its account's epoch is dead, one at it or above lives; others' epochs do not
    matter."""
    access = Access(Identity(revocations=listed(("account-1", 5), ("account-2", 9))))
    await access.revocations.refresh(access.caller)
    assert access.revocations.revoked(viewer(4))
    assert not access.revocations.revoked(viewer(5))
    assert not access.revocations.revoked(viewer(6))
    assert not access.revocations.revoked(viewer(0, "account-3"))


async def test_epoch_never_moves_back() -> None:
    """An older epoch that arrives late changes nothing."""
    access = await Access().ready()
    access.revocations.moved("account-1", 5)
    access.revocations.moved("account-1", 4)
    access.identity.revocations = listed(("account-1", 3))
    await access.revocations.refresh(access.caller)
    assert access.revocations.revoked(viewer(4))


async def test_first_poll_reaches_back() -> None:
    """A process that starts asks as far back as tokens live: a restart revives no signed-out
    token."""
    access = await Access().ready()
    asked = datetime.fromisoformat(access.identity.since[0])
    assert datetime.now(UTC) - asked > timedelta(seconds=MOST_LIFE_S + access.config.leeway_s)


async def test_later_polls_overlap() -> None:
    """Each poll goes on a little before the last answer's time: a sign-out committed late is not
    missed."""
    access = await Access().ready()
    await access.revocations.refresh(access.caller)
    assert access.identity.since[1] == "2026-11-01T00:09:30Z"


async def test_epoch_outlives_its_tokens(clock: Clock) -> None:
    """An epoch is remembered until the last token it kills has expired, leeway included."""
    access = await Access(revocations_max_age_s=10_000).ready()
    access.revocations.moved("account-1", 5)
    clock.move(MOST_LIFE_S + 60)
    await access.revocations.refresh(access.caller)
    assert access.revocations.revoked(viewer(4))


async def test_old_epochs_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """An epoch that refuses nothing any more goes with the next poll, one that moved again stays,
    and of too many the oldest go."""
    monkeypatch.setattr("bff.access.revocations.MAX_EPOCHS", 3)
    access = await Access(revocations_max_age_s=100_000).ready()
    revocations = access.revocations
    for account in ("account-1", "account-2"):
        revocations.moved(account, 5)
    clock.move(REMEMBER_S - 10)
    revocations.moved("account-1", 6)
    clock.move(20)
    await revocations.refresh(access.caller)
    assert not revocations.revoked(viewer(4, "account-2"))
    assert revocations.revoked(viewer(5, "account-1"))
    for number in range(3, 6):
        revocations.moved(f"account-{number}", 5)
    assert not revocations.revoked(viewer(4, "account-1"))
    assert revocations.revoked(viewer(4, "account-3"))


@pytest.mark.parametrize(
    "answer",
    [
        TransportFailure("refused"),
        problem(500, "INTERNAL"),
        {"revocations": []},
        listed(as_of="yesterday"),
        listed(as_of="0001-01-01T00:00:00Z"),
        {"revocations": [{"account_id": "account-1"}], "as_of": AS_OF},
        {"revocations": [{"account_id": "account-1", "epoch": "5"}], "as_of": AS_OF},
    ],
)
async def test_failed_poll_says_so(clock: Clock, answer: Any) -> None:
    """A poll that fails, or brings one entry that cannot be read, makes nothing newer: what is
    known holds until it is too old, then viewers are refused."""
    access = await Access(revocations_max_age_s=300).ready()
    access.revocations.moved("account-2", 5)
    access.identity.revocations = answer
    clock.move(200)
    with capture_logs():
        assert not await access.revocations.refresh(access.caller)
    assert sample(access.metrics, "facet_events_total", event="revocations_poll_failed") == 1
    assert access.revocations.revoked(viewer(4, "account-2"))
    assert access.revocations.age() >= 200
    clock.move(101)
    with pytest.raises(UpstreamUnavailable):
        access.revocations.revoked(viewer(4, "account-2"))


async def test_age_is_shown() -> None:
    """Operators see how old the knowledge is, and readiness whether there is any."""
    access = Access()
    name = "facet_revocations_age_seconds"
    assert not access.revocations.ever_read
    assert sample(access.metrics, name) == float("inf")
    await access.revocations.refresh(access.caller)
    assert access.revocations.ever_read
    assert sample(access.metrics, name) < 60


async def test_watch_survives_anything() -> None:
    """Polling goes on after failures of every kind: without it all viewers would be refused for
    good."""
    access = Access(Identity(revocations=TransportFailure("refused")), revocations_poll_s=0.001)
    callers = iter([access.caller, None, access.caller])

    def new_caller() -> Any:
        found = next(callers, access.caller)
        if found is None:
            raise KeyError("a fault of ours")
        return found

    with capture_logs():
        watching = asyncio.create_task(access.revocations.watch(new_caller))
        async with asyncio.timeout(10):
            while len(access.identity.asked) < 3:
                await asyncio.sleep(0)
            access.identity.revocations = listed(("account-1", 5))
            while not access.revocations.ever_read:
                await asyncio.sleep(0)
        assert not watching.done()
        watching.cancel()
        with pytest.raises(asyncio.CancelledError):
            await watching
    assert access.revocations.revoked(viewer(4))
