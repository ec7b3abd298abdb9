"""The number of SQL statements of an endpoint: written down, and the same for one row and many."""

from typing import Any

import pytest

from core_services.content.tables import metadata
from tests.unit.core_services.content.seeded import Seeded, scanned, statements

DEMO = "acc_00001"


def _ids(size: int) -> list[str]:
    # Numbers 1 to 3 are one of each kind, so that each size meets every table.
    return [f"itm_{number:05}" for number in range(1, size + 1)]


def _threads(size: int) -> dict[str, Any]:
    return {"threads": [{"item_id": id_} for id_ in _ids(size)], "first": size}


_READS: list[tuple[str, str, Any, int]] = [
    ("GET", "/feed", lambda size: {"params": {"first": size}}, 1),
    ("GET", "/saved", lambda size: {"params": {"first": size}}, 1),
    ("GET", "/continue", lambda size: {"params": {"first": min(size, 20)}}, 1),
    ("POST", "/items/batch", lambda size: {"json": {"ids": _ids(size)}}, 1),
    ("POST", "/item-details/batch", lambda size: {"json": {"ids": _ids(size)}}, 3),
    ("POST", "/stats/batch", lambda size: {"json": {"ids": _ids(size)}}, 1),
    ("POST", "/viewer-states/batch", lambda size: {"json": {"ids": _ids(size)}}, 1),
    ("POST", "/comments/batch", lambda size: {"json": _threads(size)}, 2),
    ("POST", "/related/batch", lambda size: {"json": {"ids": _ids(size), "first": 5}}, 2),
]


@pytest.mark.parametrize("size", [3, 50])
@pytest.mark.parametrize(("method", "path", "given", "expected"), _READS)
async def test_reads_have_constant_statements(
    content: Seeded, method: str, path: str, given: Any, expected: int, size: int
) -> None:
    """A read runs the same few statements whatever the page or batch."""
    with statements() as seen:
        answer = await content.call(method, path, DEMO, **given(size))
    assert answer.status_code == 200, answer.text
    assert len(seen) == expected, seen


@pytest.mark.parametrize(("method", "path", "given", "_expected"), _READS)
async def test_reads_never_scan_tables(
    content: Seeded, method: str, path: str, given: Any, _expected: int
) -> None:
    """Every read finds its rows through an index, however large the tables become."""
    with statements() as seen:
        await content.call(method, path, DEMO, **given(3))
    assert seen
    for statement in seen:
        assert await scanned(content.database, statement, metadata.tables) == []


async def test_writes_have_constant_statements(content: Seeded) -> None:
    """Saving is key, revision, look-up, effect and answer; a replay only key and answer."""
    path = "/saved/itm_00007"
    with statements() as first:
        await content.call("PUT", path, "acc_02400", "statements-1")
    with statements() as replay:
        await content.call("PUT", path, "acc_02400", "statements-1")
    assert len(first) == 5, first
    assert len(replay) == 2, replay
