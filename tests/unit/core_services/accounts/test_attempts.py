"""Guessing passwords: how many guesses are looked at, whoever makes them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httpx2
import pytest
import pytest_asyncio
from sqlalchemy import select, update

from core_services.accounts import passwords
from core_services.accounts.attempts import (
    AT_ONCE,
    EVERY_S,
    Attempts,
    forget_attempts,
    name_of,
)
from core_services.accounts.seed import DEMO_PASSWORD
from core_services.accounts.tables import sign_in_attempts
from core_services.kit.app import open_database
from core_services.kit.database import Database
from core_services.kit.errors import InvalidCredentials, RateLimited

from .conftest import Accounts
from .test_sign_in import PHONE, sign_in

MOST_A_MINUTE = 10


@dataclass
class Guessing:
    """A service, and the passwords whose hash was looked at."""

    service: Accounts
    database: Database
    evaluated: list[str] = field(default_factory=list)

    async def guess(self, handle: str, password: str | None = None) -> httpx2.Response:
        """One attempt, from a new device each time."""
        device = PHONE | {"id": uuid.uuid4().hex, "name": uuid.uuid4().hex}
        return await sign_in(self.service, handle, password or uuid.uuid4().hex, device=device)

    async def pass_by(self, handle: str, seconds: float) -> None:
        """Let so much time pass, for this handle."""
        async with self.database.writer() as connection:
            await connection.execute(
                update(sign_in_attempts)
                .where(sign_in_attempts.c.handle == name_of(handle))
                .values(free_at=sign_in_attempts.c.free_at - int(seconds * 1000))
            )


@pytest_asyncio.fixture
async def guessing(service: Accounts, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Guessing]:
    """Hashes that are instant, and never match but for the demonstration password."""
    database = open_database(service.settings)
    found = Guessing(service, database)

    def instant(password: str, _: str) -> bool:
        found.evaluated.append(password)
        return password == DEMO_PASSWORD

    monkeypatch.setattr(passwords, "_matches", instant)
    yield found
    await database.close()


async def test_guesses_are_limited(guessing: Guessing) -> None:
    """Of forty guesses at once in a row five are looked at; the others are told when to come back,
    the right password among them."""
    answers = [await guessing.guess("reader00100") for _ in range(40)]
    codes = [answer.json()["code"] for answer in answers]
    assert codes == ["INVALID_CREDENTIALS"] * AT_ONCE + ["RATE_LIMITED"] * (40 - AT_ONCE)
    assert len(guessing.evaluated) == AT_ONCE
    right = await guessing.guess("reader00100", DEMO_PASSWORD)
    assert (right.status_code, right.json()["code"]) == (429, "RATE_LIMITED")
    assert 1 <= int(right.headers["retry-after"]) <= EVERY_S
    assert len(guessing.evaluated) == AT_ONCE


async def test_unknown_handle_is_limited_alike(guessing: Guessing) -> None:
    """A handle nobody has runs out of attempts like any other, with the very same answers."""
    known = [await guessing.guess("reader00101") for _ in range(8)]
    unknown = [await guessing.guess("nobody-at-all") for _ in range(8)]
    assert [one.content for one in known] == [one.content for one in unknown]
    for one, two in zip(known, unknown, strict=True):
        assert (one.status_code, one.headers.keys()) == (two.status_code, two.headers.keys())
    assert len(guessing.evaluated) == 2 * AT_ONCE


async def test_no_minute_has_more_than_ten(guessing: Guessing) -> None:
    """Whoever guesses every three seconds for two minutes has at most ten looked at in any one."""
    looked_at = []
    for _ in range(40):
        before = len(guessing.evaluated)
        await guessing.guess("reader00102")
        looked_at.append(len(guessing.evaluated) - before)
        await guessing.pass_by("reader00102", 3)
    assert sum(looked_at) > MOST_A_MINUTE, "VOID: nothing was let through later on"
    assert max(sum(looked_at[at : at + 20]) for at in range(21)) <= MOST_A_MINUTE


async def test_parallel_guesses_are_limited(guessing: Guessing) -> None:
    """Thirty different guesses at once are no more than thirty in a row; equal ones are one."""
    answers = await asyncio.gather(*(guessing.guess("reader00103") for _ in range(30)))
    assert len(guessing.evaluated) == AT_ONCE
    assert {one.status_code for one in answers} == {401, 429}
    same = await asyncio.gather(*(guessing.guess("reader00104", "x") for _ in range(20)))
    assert {one.status_code for one in same} == {401}
    assert len(guessing.evaluated) == AT_ONCE + 1


async def test_success_is_no_guess(guessing: Guessing) -> None:
    """Who knows the password signs in as often as wanted."""
    for _ in range(3 * AT_ONCE):
        assert (await guessing.guess("reader00105", DEMO_PASSWORD)).status_code == 200


async def test_processes_share_the_count(guessing: Guessing) -> None:
    """Another process of the service counts on: the count is in the database."""
    for _ in range(AT_ONCE):
        await guessing.guess("reader00106")
    other, another = Attempts(), open_database(guessing.service.settings)
    with pytest.raises(RateLimited):
        await other.evaluate(another, "reader00106", "guess")
    with pytest.raises(InvalidCredentials):
        await other.evaluate(another, "reader00107", "guess")
    await another.close()


async def test_old_attempts_are_forgotten(guessing: Guessing) -> None:
    """What limits nobody any more is deleted, and nothing else; no handle is stored as it is."""
    for handle in ("reader00108", "secret-typed-here"):
        await guessing.guess(handle)
    await guessing.pass_by("reader00108", EVERY_S + 1)
    assert await forget_attempts(guessing.database) >= 1
    async with guessing.database.reader() as connection:
        kept = (await connection.execute(select(sign_in_attempts.c.handle))).scalars().all()
    assert name_of("reader00108") not in kept
    assert name_of("secret-typed-here") in kept
    assert "secret" not in str(kept)
