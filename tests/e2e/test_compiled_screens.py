"""Every registered query of every release runs by its compiled plan; nothing of it falls back."""

from __future__ import annotations

import httpx2
import pytest

from bff.documents.releases import releases_of
from persisted_queries.manifest import ManifestOperation
from tests.harness.modes import COMPILED, fallbacks
from tests.harness.stack import PLATFORMS, Stack, ask

pytestmark = pytest.mark.skipif(not COMPILED, reason="this run executes everything by graphql-core")


def _queries(stack: Stack, platform: str) -> list[ManifestOperation]:
    """The distinct queries that the releases of a platform ever registered."""
    found = {
        operation.hash: operation
        for release in releases_of(platform, stack.settings(platform).platforms[platform])
        for operation in release.manifest.operations
        if operation.type == "query"
    }
    return list(found.values())


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_query_runs_compiled(stack: Stack, token: str, platform: str) -> None:
    """Each answer says that it was compiled, none has errors, and no fallback was counted."""
    queries = _queries(stack, platform)
    assert {"Home", "Profile", "Content", "Inbox"} <= {query.name for query in queries}
    async with stack.gateway(platform) as client:
        for query in queries:
            variables = {"id": "itm_00042"} if "$id" in query.body else None
            body = await ask(client, query.id, variables, token)
            assert "errors" not in body, body
            assert body["extensions"]["plan"] == "compiled"
        assert fallbacks(await _metrics(client)) == {}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_a_text_of_nobody_runs_generic(stack: Stack, token: str, platform: str) -> None:
    """What no release registered is not compiled, and the reason is shown and counted."""
    async with stack.gateway(platform) as client:
        answer = await client.post("/graphql", json={"query": "{ home { __typename } }"})
        assert answer.json()["extensions"]["plan"] == "generic(not registered)"
        counted = fallbacks(await _metrics(client))
    assert counted == {'level="operation",reason="not registered"': 1.0}


async def _metrics(client: httpx2.AsyncClient) -> str:
    return (await client.get("/metrics")).text
