"""bff/access/limits.py: who is charged for what, and what he is told."""

from __future__ import annotations

import re
from typing import Any

import msgspec
import pytest

from bff.access.limits import Limited, Limits
from bff.config import LimitsConfig
from bff.errors import FieldRateLimited, RateLimited
from bff.request import Arrival, ClientIdentity, Deadline, Viewer

HOME, ELSEWHERE = "192.0.2.1", "192.0.2.2"
ANNA, BEN = (Viewer(name, None, None, 0, ()) for name in ("anna", "ben"))
OFF = {name: 0 for name in LimitsConfig.model_fields if name.endswith("_per_minute")}


class Room:
    """Limits with a clock that stands still unless it is moved."""

    def __init__(self, processes: int = 1, **config: Any) -> None:
        self.now = 1_000.0
        self.refused: list[str] = []
        self.limits = Limits(
            LimitsConfig(**{**OFF, **config}),
            self.refused.append,
            processes=processes,
            clock=lambda: self.now,
        )

    def arrives(self, address: str = HOME, device: bytes | None = None, n: int = 1) -> bool:
        return self.limits.arrived(address, device, n) is None

    def spends(self, viewer: Viewer | None, cost: int = 1, address: str = HOME) -> bool:
        try:
            self.limits.spend(arrival(address), viewer, cost)
        except RateLimited:
            return False
        return True

    async def attempts(self, subject: str, address: str | None = HOME) -> bool:
        try:
            await self.limits.attempt("signIn", subject, address)
        except FieldRateLimited as error:
            return not error.extensions["retryAfterMs"]
        return True


def arrival(address: str | None = HOME) -> Arrival:
    return Arrival("r", ClientIdentity(), Deadline(0.0), address=address)


def test_nobody_is_limited_by_zero() -> None:
    """A limit of 0 a minute is none, of whatever kind."""
    room = Room()
    for _ in range(5_000):
        assert room.arrives(device=b"phone")
        assert room.spends(ANNA, 1_000_000)
        assert room.spends(None, 1_000_000)
    assert room.refused == []


def test_strangers_share_their_address() -> None:
    """Who is not signed in is counted by address; another address is somebody else's business."""
    room = Room(address_per_minute=60, address_burst=3)
    assert [room.arrives() for _ in range(4)] == [True] * 3 + [False]
    assert room.arrives(ELSEWHERE)
    room.now += 1
    assert [room.arrives() for _ in range(2)] == [True, False]
    assert room.refused == ["address"] * 2


def test_signed_in_leave_their_address_alone() -> None:
    """Thousands behind one address do not run short by each other once they are known."""
    room = Room(address_per_minute=60, address_burst=3, user_per_minute=60, user_burst=5)
    for number in range(100):
        viewer = Viewer(f"user-{number}", None, None, 0, ())
        assert room.arrives()
        assert room.spends(viewer)
    assert [room.arrives() and room.spends(ANNA) for _ in range(6)] == [True] * 5 + [False]
    assert [room.arrives() and room.spends(BEN) for _ in range(5)] == [True] * 5
    assert room.refused == ["user"]


def test_known_tokens_outlast_a_flood() -> None:
    """Where somebody floods from their address, callers with a token that was right before are
    vouched for; nobody else is."""
    room = Room()
    room.limits.knows = {"Bearer good": "anna"}.get
    assert room.limits.vouched(b"Bearer good") == "anna"
    assert room.limits.vouched(b"Bearer forged") is None
    assert room.limits.vouched(None) is None


def test_known_callers_refill_no_address() -> None:
    """Who came in by his account because his address ran out is charged there once, and gives the
    address nothing back: no stranger gets in by his coming."""
    room = Room(address_per_minute=60, address_burst=3, user_per_minute=60, user_burst=9)
    assert [room.arrives() for _ in range(4)] == [True] * 3 + [False]
    by_account = msgspec.structs.replace(arrival(), by_account=True)
    for _ in range(9):
        assert room.limits.arrived_as("anna") is None
        room.limits.spend(by_account, ANNA, 1)
    assert not room.arrives()
    assert room.limits.arrived_as("anna") is not None
    assert room.limits.arrived_as("ben", 9) is None


def test_devices_count_at_their_address() -> None:
    """A device that repeats itself is stopped before its address is; another id is no way around
    the address, and nobody can use up somebody else's device."""
    room = Room(device_per_minute=60, device_burst=2, address_per_minute=60, address_burst=6)
    assert [room.arrives(device=b"a") for _ in range(3)] == [True, True, False]
    assert [room.arrives(ELSEWHERE, b"a") for _ in range(3)] == [True, True, False]
    assert [room.arrives(device=b"%d" % number) for number in range(9)].count(True) == 4
    assert room.refused == ["device"] * 2 + ["address"] * 5


def test_device_keeps_what_address_refused() -> None:
    """An operation that the address refuses is not charged to the device."""
    room = Room(device_per_minute=60, device_burst=9, address_per_minute=60, address_burst=1)
    assert [room.arrives(device=b"a") for _ in range(5)] == [True] + [False] * 4
    room.now += 0.01
    assert [room.limits._device.take((HOME, b"a"), 1, room.now) <= 0 for _ in range(9)].count(  # type: ignore[union-attr]
        True
    ) == 8


def test_members_count_each() -> None:
    """An array of operations takes as many as it has members, or none."""
    room = Room(address_per_minute=60, address_burst=10)
    assert [room.arrives(n=4) for _ in range(3)] == [True, True, False]
    assert room.arrives(n=2)


def test_cost_is_the_users_or_the_addresses() -> None:
    """What a document costs is taken from the account, else from the address."""
    config = {"user_cost_per_minute": 6_000, "user_cost_burst": 10_000}
    room = Room(**config, address_cost_per_minute=6_000, address_cost_burst=20_000)
    assert [room.spends(ANNA, 5_000) for _ in range(3)] == [True, True, False]
    assert [room.spends(None, 5_000) for _ in range(5)] == [True] * 4 + [False]
    assert room.spends(BEN, 10_000_000)
    assert not room.spends(BEN, 1)
    assert room.refused == ["cost", "address_cost", "cost"]


async def test_long_names_are_not_remembered() -> None:
    """What is remembered of a name somebody tries is short, however long it is, and whatever
    characters it is made of."""
    room = Room(attempts_per_minute=10, attempts_burst=1)
    long = "\udfff" + "x" * 60_000
    assert await room.attempts(long)
    assert not await room.attempts(long.upper())
    assert room.limits._attempts is not None
    assert all(len(repr(key)) < 200 for key in room.limits._attempts._full_at)


async def test_attempts_count_by_subject() -> None:
    """Attempts on one name are few, wherever they come from; one address may try some names."""
    room = Room(
        attempts_per_minute=10,
        attempts_burst=10,
        address_attempts_per_minute=60,
        address_attempts_burst=15,
    )
    on_anna = [await room.attempts("anna", f"192.0.2.{number}") for number in range(100)]
    assert on_anna.count(True) == 10
    on_others = [await room.attempts(f"name-{number}", ELSEWHERE) for number in range(40)]
    assert on_others.count(True) in (14, 15)
    assert await room.attempts("somebody", None)
    assert set(room.refused) == {"attempts"}
    room.now += 6
    assert [await room.attempts("anna", "198.51.100.1") for _ in range(2)] == [True, False]


async def test_processes_allow_their_part() -> None:
    """Without Redis two processes allow half of each limit."""
    room = Room(processes=2, address_per_minute=60, address_burst=10, attempts_per_minute=10)
    assert [room.arrives() for _ in range(10)].count(True) == 5
    assert [await room.attempts("anna") for _ in range(10)].count(True) == 5


def test_refusals_say_when_and_how_much() -> None:
    """A refusal names policy and state as structured fields, and when the next one is taken."""
    room = Room(address_per_minute=60, address_burst=120)
    assert room.arrives(n=120)
    found = room.limits.arrived(HOME, None)
    assert found == Limited("address", 1.0, b'"address";q=120;w=120', b'"address";r=0;t=120')


def test_only_who_is_close_is_told() -> None:
    """Until three quarters are gone nothing is said; then how many are left."""
    room = Room(user_per_minute=60, user_burst=8)
    for left in (7, 6, 5, 4, 3, 2):
        assert room.spends(ANNA)
        assert room.limits.nearly == {}, left
    mine = arrival()
    room.limits.spend(mine, ANNA, 1)
    (told,) = room.limits.nearly.values()
    assert told.state == b'"user";r=1;t=7'
    assert room.limits.nearly.pop(id(mine)) is told


def test_refused_operations_come_back_spread() -> None:
    """Callers refused together are asked back at different times, none sooner than in a second."""
    room = Room(user_per_minute=60, user_burst=1)
    assert room.spends(ANNA)
    waits = set()
    for _ in range(50):
        with pytest.raises(RateLimited, match=re.escape("extensions.retryAfterMs")) as refused:
            room.limits.spend(arrival(), ANNA, 1)
        waits.add(refused.value.extensions["retryAfterMs"])
    assert min(waits) >= 1_000
    assert max(waits) <= 1_500
    assert len(waits) > 20
