"""A browser app of a named origin may ask from elsewhere; no other origin may read an answer."""

from __future__ import annotations

import httpx2
import pytest

from tests.harness.stack import Stack

pytestmark = pytest.mark.modeless

APP = "https://app.example"
PREFLIGHT = {
    "access-control-request-method": "POST",
    "access-control-request-headers": "content-type,authorization,apollographql-client-name",
}


async def _preflight(stack: Stack, origin: str, **settings: str) -> httpx2.Response:
    async with stack.gateway("web", environment=settings) as client:
        return await client.options("/graphql", headers={"origin": origin, **PREFLIGHT})


async def test_named_origin_may_ask(stack: Stack) -> None:
    """The preflight of a named origin is granted for what clients send; answers are readable."""
    settings = {"BFF__EDGE__CORS_ORIGINS": f'["{APP}"]'}
    granted = await _preflight(stack, APP, **settings)
    async with stack.gateway("web", environment=settings) as client:
        answer = await client.post(
            "/graphql", json={"query": "{ __typename }"}, headers={"origin": APP}
        )
    assert granted.status_code == 200
    assert granted.headers["access-control-allow-origin"] == APP
    assert answer.headers["access-control-allow-origin"] == APP
    assert "origin" in answer.headers["vary"].lower()


@pytest.mark.parametrize("settings", [{}, {"BFF__EDGE__CORS_ORIGINS": f'["{APP}"]'}])
async def test_other_origins_may_not(stack: Stack, settings: dict[str, str]) -> None:
    """Without the setting, or from another origin, no permission is given."""
    refused = await _preflight(stack, "https://evil.example", **settings)
    assert refused.status_code in (400, 405)
    assert "access-control-allow-origin" not in refused.headers
