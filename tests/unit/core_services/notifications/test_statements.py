"""The number of SQL statements of an endpoint: written down, and the same for one row and many."""

from typing import Any

import pytest

from core_services.notifications.seed import rows
from core_services.notifications.tables import metadata, notifications
from tests.unit.core_services.content.seeded import Seeded, scanned, statements

HEAVY = "acc_00002"
_READS: list[tuple[str, dict[str, Any]]] = [
    ("/inbox/head", {"first": 0}),
    ("/inbox/head", {"first": 10}),
    ("/inbox", {"first": 1}),
    ("/inbox", {"first": 50}),
    ("/inbox", {"first": 50, "kind": "like"}),
    ("/preferences", {}),
]


@pytest.mark.parametrize(("path", "params"), _READS)
async def test_reads_are_one_statement(inbox: Seeded, path: str, params: dict[str, Any]) -> None:
    """A read is one statement, which finds its rows through an index and counts nothing."""
    with statements() as seen:
        answer = await inbox.call("GET", path, HEAVY, params=params)
    assert answer.status_code == 200
    assert len(seen) == 1, seen
    assert "count(" not in seen[0].text.lower()
    assert await scanned(inbox.database, seen[0], metadata.tables) == []


@pytest.mark.parametrize("size", [1, 100])
async def test_marking_ids_has_constant_statements(inbox: Seeded, size: int) -> None:
    """Marking is key, revision, owner, rows, count and answer, for one id and for a hundred."""
    told = [row["id"] for row in dict(rows())[notifications] if row["account_id"] == HEAVY]
    body = {"ids": told[size : 2 * size]}
    assert len(body["ids"]) == size
    with statements() as seen:
        answer = await inbox.call("POST", "/inbox/read", HEAVY, f"size-{size}", json=body)
    assert answer.status_code == 200, answer.text
    assert len(seen) == 6, seen
    for statement in seen:
        assert await scanned(inbox.database, statement, metadata.tables) == []


async def test_marking_up_to_has_same_statements(inbox: Seeded) -> None:
    """Marking up to a notification takes as many statements as marking ids."""
    told = [row["id"] for row in dict(rows())[notifications] if row["account_id"] == HEAVY]
    with statements() as seen:
        await inbox.call("POST", "/inbox/read", HEAVY, "up-to", json={"up_to": told[-1]})
    assert len(seen) == 6, seen
    for statement in seen:
        assert await scanned(inbox.database, statement, metadata.tables) == []
