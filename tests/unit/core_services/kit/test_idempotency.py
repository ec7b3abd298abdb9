"""Repeat-safe writes, on SQLite and PostgreSQL."""

import asyncio
import signal
import subprocess
import sys
import textwrap
import time
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path

import orjson
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from core_services.kit import times
from core_services.kit.database import Database
from core_services.kit.errors import (
    Conflict,
    IdempotencyInProgress,
    IdempotencyKeyReused,
)
from core_services.kit.idempotency import KEEP, KeyedCall, Outcome, forget_old_keys, once
from core_services.kit.revisions import current_revision, next_revision
from core_services.kit.tables import idempotency_keys
from core_services.kit.times import now

CALL = KeyedCall("acc_00001", "save_item", "key-1", {"item_id": "itm_00001"})
_ROOT = Path(__file__).parents[4]


async def move(connection: AsyncConnection) -> Outcome:
    """Have an effect that can be counted: the account's revision moves by one."""
    return Outcome({"revision": await next_revision(connection, "acc_00001")}, status=201)


async def effects(database: Database) -> int:
    """Count the effects that were committed."""
    async with database.reader() as connection:
        return await current_revision(connection, "acc_00001")


async def test_repeat_replays_first_answer(database: Database) -> None:
    """A repeat has no second effect and gets the stored status and body, marked as a replay."""
    first = await once(database, CALL, move)
    second = await once(database, CALL, move)
    assert (first.replayed, second.replayed) == (False, True)
    assert (second.status, second.body) == (first.status, first.body) == (201, {"revision": 1})
    assert second.headers() == {"idempotency-replayed": "true"}
    assert await effects(database) == 1


async def test_replay_is_the_same_bytes(database: Database) -> None:
    """A replay differs from the first answer in no byte, whatever JSON its effect put in."""
    odd = orjson.Fragment(b'{ "b" : 1.0, "a":\t[1e2] }')

    async def effect(_: AsyncConnection) -> Outcome:
        return Outcome({"z": odd, "name": "Zo\u00eb \U0001f98a", "a": None})

    first, second = [await once(database, CALL, effect) for _ in range(2)]
    assert second.replayed
    assert first.content == second.content
    assert b'{ "b" : 1.0' in first.content


async def test_keys_keep_the_databases_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long a key is kept is the database's to say: a process whose clock is a month ahead
    deletes nothing, and one a month behind writes no key that is old already."""

    class Wrong(datetime):
        days = 30

        @classmethod
        def now(cls, tz: tzinfo | None = None) -> "Wrong":
            return cls.fromtimestamp(time.time() + cls.days * 86_400, tz)

    monkeypatch.setattr(times, "datetime", Wrong)
    assert times.now() > datetime.now(UTC) + timedelta(days=29), "VOID: the clock is right"
    await once(database, CALL, move)
    assert await forget_old_keys(database) == 0
    Wrong.days = -30
    await once(database, KeyedCall("acc_00002", "save_item", "key-1", {}), move)
    monkeypatch.undo()
    assert await forget_old_keys(database) == 0
    assert (await once(database, CALL, move)).replayed


async def test_other_input_is_refused(database: Database) -> None:
    """The same key with another input is refused and has no effect."""
    await once(database, CALL, move)
    other = KeyedCall(CALL.scope, CALL.operation, CALL.key, {"item_id": "itm_00002"})
    with pytest.raises(IdempotencyKeyReused):
        await once(database, other, move)
    assert await effects(database) == 1


@pytest.mark.parametrize("changed", ["scope", "operation", "key"])
async def test_scopes_do_not_meet(database: Database, changed: str) -> None:
    """Another account, operation or key is another call."""
    names = ("scope", "operation", "key", "given")
    values = {name: getattr(CALL, name) for name in names} | {changed: "other"}
    await once(database, CALL, move)
    assert not (await once(database, KeyedCall(**values), move)).replayed
    assert await effects(database) == 2


async def test_order_of_input_keys_is_nothing() -> None:
    """The fingerprint is of the canonical input: key order does not count, values do."""
    first = KeyedCall("a", "b", "c", {"x": 1, "y": {"p": 1, "q": 2}})
    second = KeyedCall("a", "b", "c", {"y": {"q": 2, "p": 1}, "x": 1})
    third = KeyedCall("a", "b", "c", {"x": 1, "y": {"p": 1, "q": 3}})
    assert first.fingerprint() == second.fingerprint() != third.fingerprint()


async def test_twenty_at_once_act_once(database: Database) -> None:
    """Twenty parallel calls with one key have one effect and one distinct answer."""
    outcomes = await asyncio.gather(*(once(database, CALL, move) for _ in range(20)))
    assert {(outcome.status, outcome.body["revision"]) for outcome in outcomes} == {(201, 1)}
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    assert await effects(database) == 1


async def test_refusal_is_not_remembered(database: Database) -> None:
    """A refused effect leaves nothing behind, so the key can be used again."""

    async def refuse(connection: AsyncConnection) -> Outcome:
        await next_revision(connection, "acc_00001")
        raise Conflict

    with pytest.raises(Conflict):
        await once(database, CALL, refuse)
    assert await effects(database) == 0
    assert not (await once(database, CALL, move)).replayed


async def test_long_first_call_is_reported(postgres_url: str) -> None:
    """On PostgreSQL a repeat waits no longer than the lock timeout, then is told so."""
    database = Database(postgres_url, lock_timeout_s=0.2)
    async with database.writer() as connection:
        await connection.run_sync(idempotency_keys.metadata.create_all)
    holding, release = asyncio.Event(), asyncio.Event()

    async def hold(connection: AsyncConnection) -> Outcome:
        holding.set()
        await release.wait()
        return await move(connection)

    first = asyncio.create_task(once(database, CALL, hold))
    await holding.wait()
    with pytest.raises(IdempotencyInProgress):
        await once(database, CALL, move)
    release.set()
    await first
    assert (await once(database, CALL, move)).replayed
    await database.close()


async def test_old_keys_are_forgotten(database: Database) -> None:
    """Keys are deleted after seven days, and only those."""
    await once(database, CALL, move)
    await once(database, KeyedCall("acc_00002", "save_item", "key-1", {}), move)
    async with database.writer() as connection:
        await connection.execute(
            update(idempotency_keys)
            .where(idempotency_keys.c.scope == "acc_00001")
            .values(created_at=now() - KEEP - timedelta(seconds=1))
        )
    assert await forget_old_keys(database) == 1
    async with database.reader() as connection:
        left = (
            await connection.execute(select(func.count()).select_from(idempotency_keys))
        ).scalar()
    assert left == 1


KILLED = textwrap.dedent(
    """
    import asyncio, sys
    from core_services.kit.database import Database
    from core_services.kit.idempotency import KeyedCall, once
    from core_services.kit.revisions import next_revision

    async def hang(connection):
        await next_revision(connection, "acc_00001")
        print("effect written", flush=True)
        await asyncio.sleep(600)

    call = KeyedCall("acc_00001", "save_item", "key-1", {"item_id": "itm_00001"})
    asyncio.run(once(Database(sys.argv[1]), call, hang))
    """
)


async def test_killed_process_leaves_nothing(database: Database, database_url: str) -> None:
    """A process killed after its effect and before its commit leaves neither effect nor key."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, database_url], cwd=_ROOT, stdout=subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        assert await asyncio.to_thread(process.stdout.readline) == b"effect written\n"
    finally:
        process.send_signal(signal.SIGKILL)
        await asyncio.to_thread(process.communicate)
    outcome = await once(database, CALL, move)
    assert (outcome.replayed, outcome.body) == (False, {"revision": 1})
