"""The demo data: the same everywhere, large enough, varied, and consistent in itself."""

import hashlib
import os
import subprocess
import sys
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select

from core_services.content import seed
from core_services.content.records import EXAMPLE_IDS
from core_services.content.tables import (
    collection_entries,
    comments,
    followed_topics,
    item_details,
    item_stats,
    items,
    metadata,
    progress,
    saved,
)
from core_services.kit.seeding import load_seed
from core_services.kit.tables import revision_counters
from tests.unit.core_services.content.seeded import Seeded

_SEED = dict(seed.rows())
_DIGEST = (
    "import hashlib;from core_services.content.seed import rows;"
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
    """There are as many items, comments, saved and begun ones as the contract says."""
    sizes = {table: len(found) for table, found in _SEED.items()}
    assert sizes[items] == sizes[item_stats] == 6_000
    assert sizes[comments] == 15_000
    assert sizes[saved] == 12_000
    assert sizes[progress] == 10_000
    kinds = Counter(row["kind"] for row in _SEED[items])
    assert 0.5 < kinds["article"] / 6_000 < 0.6
    assert 0.25 < kinds["video"] / 6_000 < 0.35
    assert 0.1 < kinds["collection"] / 6_000 < 0.2


def test_seed_fills_every_table() -> None:
    """No table of the service is left empty."""
    assert {table for table, found in _SEED.items() if found} >= set(metadata.tables.values())


def test_seed_has_trouble_in_it() -> None:
    """Long, right-to-left and emoji titles, missing images and summaries, and big counts occur."""
    titles = [row["title"] for row in _SEED[items]]
    assert max(map(len, titles)) == 400
    assert min(map(len, titles)) == 1
    assert any("\u200d" in title for title in titles)
    assert any("א" <= letter <= "ت" for title in titles for letter in title)
    assert 0 < sum(row["image_json"] is None for row in _SEED[items]) < 1_500
    assert 0 < sum(row["summary"] is None for row in _SEED[items]) < 1_500
    assert max(row["views"] for row in _SEED[item_stats]) > 2**32


def test_seed_is_consistent() -> None:
    """Entries, details and comment counters agree with the items they belong to."""
    kinds = {row["id"]: row for row in _SEED[items]}
    entries = Counter(row["collection_id"] for row in _SEED[collection_entries])
    counted = {id_: row["item_count"] for id_, row in kinds.items() if row["kind"] == "collection"}
    assert entries == counted
    assert all(5 <= count <= 12 for count in counted.values())
    detailed = {row["item_id"] for row in _SEED[item_details]}
    assert detailed == kinds.keys() - counted.keys()
    said = Counter(row["item_id"] for row in _SEED[comments])
    assert all(row["comments"] == said[row["item_id"]] for row in _SEED[item_stats])


def test_seed_leaves_nothing_in_future() -> None:
    """Nothing happened after the base time, nor to an item before it was published."""
    published = {row["id"]: row["published_at"] for row in _SEED[items]}
    for table, column in (
        (comments, "created_at"),
        (saved, "updated_at"),
        (progress, "updated_at"),
    ):
        for row in _SEED[table]:
            assert published[row["item_id"]] <= row[column] <= seed.BASE_TIME


def test_demo_account_has_plenty() -> None:
    """The demo account has enough for every list; the example ids are one of each kind."""
    for table, least in ((followed_topics, 5), (saved, 40), (progress, 40)):
        assert sum(row["account_id"] == "acc_00001" for row in _SEED[table]) >= least
    kinds = {row["id"]: row["kind"] for row in _SEED[items]}
    assert [kinds[id_] for id_ in EXAMPLE_IDS] == ["article", "video", "collection"]


def test_revision_counters_match_rows() -> None:
    """Each account's counter stands at the highest revision its rows were given, none twice."""
    told: dict[str, list[int]] = {}
    for table in (saved, progress):
        for row in _SEED[table]:
            told.setdefault(row["account_id"], []).append(row["revision"])
    counters = {row["account_id"]: row["n"] for row in _SEED[revision_counters]}
    assert counters == {account: max(found) for account, found in told.items()}
    assert all(len(found) == len(set(found)) for found in told.values())


async def test_second_load_changes_nothing(content: Seeded) -> None:
    """Loading into a filled database does nothing and says so."""
    assert await load_seed(content.database, content.service.seed()) is False
    async with content.database.reader() as connection:
        count: Any = select(func.count()).select_from(items)
        assert (await connection.execute(count)).scalar_one() == 6_000
