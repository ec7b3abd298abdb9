"""The whole product on PostgreSQL: the same screens and writes as on SQLite."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.commands.development import SERVICES
from tests.harness.databases import shared_postgres
from tests.harness.stack import PLATFORMS, Stack, ask, registered, running_stack

pytestmark = pytest.mark.modeless


@pytest.fixture(scope="module")
def on_postgresql(
    pytestconfig: pytest.Config, seeded: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """A stack whose services each have a PostgreSQL database of their own."""
    server = shared_postgres(pytestconfig)
    names = {service: server.new_database() for service in SERVICES}
    urls = {f"{s.upper()}__DATABASE_URL": server.url(name) for s, name in names.items()}
    with running_stack(tmp_path_factory.mktemp("pg"), None, environment=urls) as running:
        yield running
    for name in names.values():
        server.drop(name)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("name", ["Home", "Profile", "Content", "Inbox"])
async def test_screens_are_the_same(
    on_postgresql: Stack, stack: Stack, platform: str, name: str
) -> None:
    """Every screen of the demonstration account has the same data on both databases."""
    operation = registered(stack.settings(platform), platform, name)
    variables = {"id": "itm_00010"} if name == "Content" else None
    found = []
    for one in (on_postgresql, stack):
        async with httpx2.AsyncClient(base_url=one.url(platform), timeout=30) as client:
            body = await ask(client, operation.id, variables, one.token())
        assert "errors" not in body
        found.append(_without_sessions(body["data"]))
    assert found[0] == found[1]


def _without_sessions(value: Any) -> Any:
    """Devices come and go with sign-ins; everything else is the seed's."""
    if isinstance(value, dict):
        return {
            k: _without_sessions(v) for k, v in value.items() if k not in ("devices", "revision")
        }
    if isinstance(value, list):
        return [_without_sessions(one) for one in value]
    return value


async def test_writes_repeat_their_answer(on_postgresql: Stack) -> None:
    """A repeated key repeats the answer on PostgreSQL too."""
    document = registered(on_postgresql.settings("ios"), "ios", "SaveItem").id
    token = on_postgresql.token()
    variables = {"input": {"idempotencyKey": uuid.uuid4().hex, "itemId": "itm_00200"}}
    async with httpx2.AsyncClient(base_url=on_postgresql.url("ios"), timeout=30) as client:
        first = await ask(client, document, variables, token)
        again = await ask(client, document, variables, token)
    assert first["data"]["saveItem"]["state"] == "SAVED"
    assert again["data"] == first["data"]
