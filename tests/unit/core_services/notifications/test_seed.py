"""The demo data: the same everywhere, large enough, varied, and consistent in itself."""

import hashlib
import os
import subprocess
import sys
from collections import Counter

import pytest

from core_services.kit.seeding import load_seed
from core_services.kit.tables import revision_counters
from core_services.notifications import seed
from core_services.notifications.tables import (
    inboxes,
    notifications,
    preference_sets,
    preferences,
)
from tests.unit.core_services.content.seeded import Seeded

_SEED = dict(seed.rows())
_DIGEST = (
    "import hashlib;from core_services.notifications.seed import rows;"
    "print(hashlib.sha256(repr([(t.name, r) for t, r in rows()]).encode()).hexdigest())"
)


@pytest.mark.parametrize("hash_seed", ["0", "4711"])
def test_seed_is_the_same_anywhere(hash_seed: str) -> None:
    """Another process, with another order of hashes, makes the very same rows."""
    here = repr([(table.name, found) for table, found in seed.rows()])
    there = subprocess.run(
        [sys.executable, "-c", _DIGEST],
        env=os.environ | {"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.getcwd()},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert there.stdout.strip() == hashlib.sha256(here.encode()).hexdigest()


def test_seed_sizes_are_promised() -> None:
    """There are as many notifications as promised, for the demo account and for everybody."""
    assert len(_SEED[notifications]) == 25_000
    assert len(_SEED[inboxes]) == len(_SEED[preference_sets]) == 2_500
    assert len(_SEED[preferences]) == 2_500 * len(seed.KINDS)
    owners = Counter(row["account_id"] for row in _SEED[notifications])
    assert owners[seed.DEMO] >= 60
    assert {row["kind"] for row in _SEED[notifications]} == set(seed.KINDS)


def test_unread_counters_are_true() -> None:
    """Each inbox counts exactly its unread notifications; some are empty, some all read."""
    unread = Counter(row["account_id"] for row in _SEED[notifications] if row["read_at"] is None)
    assert all(row["unread"] == unread[row["account_id"]] for row in _SEED[inboxes])
    told = {row["account_id"] for row in _SEED[notifications]}
    assert any(row["account_id"] not in told for row in _SEED[inboxes])
    assert any(row["unread"] == 0 for row in _SEED[inboxes] if row["account_id"] in told)


def test_revisions_follow_each_account() -> None:
    """An account's notifications are numbered in the order they came; its counter is the last."""
    last: dict[str, int] = {}
    for row in _SEED[notifications]:
        assert row["revision"] == last.get(row["account_id"], 0) + 1
        last[row["account_id"]] = row["revision"]
    counters = {row["account_id"]: row["n"] for row in _SEED[revision_counters]}
    assert counters == {row["account_id"]: row["revision"] for row in _SEED[inboxes]}
    assert all(counters[account] == revision for account, revision in last.items())


def test_seed_leaves_nothing_in_future() -> None:
    """Nothing was told after the base time, nor read before it was told."""
    for row in _SEED[notifications]:
        assert row["created_at"] <= seed.BASE_TIME
        assert row["read_at"] is None or row["created_at"] <= row["read_at"] <= seed.BASE_TIME


def test_seed_has_trouble_in_it() -> None:
    """Missing actors and items, right-to-left and emoji texts, and shared instants occur."""
    told = _SEED[notifications]
    assert any(row["actor_id"] is None for row in told)
    assert any(row["item_id"] is None for row in told)
    assert any("א" <= letter <= "ت" for row in told for letter in row["text"])
    assert any("\u200d" in row["text"] for row in told)
    assert max(len(row["text"]) for row in told) > 800
    instants = Counter((row["account_id"], row["created_at"]) for row in told)
    assert max(instants.values()) > 1


async def test_second_load_changes_nothing(inbox: Seeded) -> None:
    """Loading into a filled database does nothing and says so."""
    assert await load_seed(inbox.database, inbox.service.seed()) is False
