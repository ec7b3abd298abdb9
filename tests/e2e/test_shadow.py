"""Shadow mode over the whole product: every screen's compiled answer is graphql-core's own."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff.documents.releases import releases_of
from bff.upstreams.transport import Incoming, Outgoing, Transport, TransportFailure
from persisted_queries.manifest import ManifestOperation
from tests.harness.modes import COMPILED
from tests.harness.stack import PLATFORMS, Stack, ask
from tests.harness.transports import HoldingTransport, RecordingTransport

EVERY = {"BFF__PLANS__SHADOW_ONE_IN": "1", "BFF__PLANS__SHADOW_CPU_SHARE": "1"}
FAILING = ("/v1/feed", "/v1/cards/batch", "/v1/inbox/head")


class FailingTransport(RecordingTransport):
    """Loses every call to one path, which a test may change."""

    path = ""
    lost = 0

    async def deliver(self, call: Outgoing, path: str) -> Incoming:
        if path == self.path:
            self.lost += 1
            raise TransportFailure("lost by the test")
        return await super().deliver(call, path)


def queries(stack: Stack, platform: str) -> list[ManifestOperation]:
    """Every registered query of every release, each text once."""
    releases = releases_of(platform, stack.settings(platform).platforms[platform])
    found = {
        operation.hash: operation
        for release in releases
        for operation in release.manifest.operations
        if operation.type == "query"
    }
    return list(found.values())


def variables(operation: ManifestOperation) -> Mapping[str, Any] | None:
    return {"id": "itm_00042"} if "$id" in operation.body else None


async def shadowed(client: httpx2.AsyncClient) -> dict[str, float]:
    """How many compiled answers were shadowed, by outcome."""
    metrics = (await client.get("/metrics")).text
    found = re.findall(r'^facet_plan_shadowed_total\{outcome="(\w+)"\} (\S+)$', metrics, re.M)
    differences = re.search(r"^facet_plan_differences_total (\S+)$", metrics, re.M)
    assert differences
    assert float(differences[1]) == dict(found).get("differs", 0)
    return {outcome: float(count) for outcome, count in found}


async def until_shadowed(client: httpx2.AsyncClient, count: int) -> dict[str, float]:
    """The same once there are so many; in generic mode there are never any."""
    async with asyncio.timeout(30):
        while sum((found := await shadowed(client)).values()) < (count if COMPILED else 0):
            await asyncio.sleep(0.01)
    return found


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_every_screen_is_shadowed_as_equal(
    stack: Stack, token: str, platform: str, tmp_path: Path
) -> None:
    """Each registered query, asked with and without a viewer, is answered again by graphql-core
    with the same bytes and errors, and not one call more leaves for it."""
    made: list[HoldingTransport] = []

    def wrap(real: Transport) -> Transport:
        made.append(HoldingTransport(real))
        return made[0]

    environment = {**EVERY, "BFF__PLANS__SHADOW_DIR": str(tmp_path / "differences")}
    answered = 0
    async with stack.gateway(platform, wrap, environment) as client:
        for operation in queries(stack, platform):
            for asker in (token, None):
                before = len(made[0].calls)
                body = await ask(client, operation.id, variables(operation), asker)
                answered += 1
                found = await until_shadowed(client, answered)
                assert found == ({"equal": answered} if COMPILED else {}), operation.name
                assert len(made[0].calls) - before == body["extensions"]["upstream"]["calls"]
    assert answered >= 8
    assert not (tmp_path / "differences").exists()


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_failures_are_no_differences(stack: Stack, token: str, platform: str) -> None:
    """Whichever call is lost, the screen with its errors is shadowed as equal too."""
    made: list[FailingTransport] = []

    def wrap(real: Transport) -> Transport:
        made.append(FailingTransport(real))
        return made[0]

    answered = failed = 0
    async with stack.gateway(platform, wrap, EVERY) as client:
        for path in FAILING:
            made[0].path = path
            for operation in queries(stack, platform):
                body = await ask(client, operation.id, variables(operation), token)
                answered += 1
                failed += "errors" in body
                found = await until_shadowed(client, answered)
    assert made[0].lost >= len(FAILING), "the faults were not injected"
    assert failed >= len(FAILING)
    assert found == ({"equal": answered} if COMPILED else {})
