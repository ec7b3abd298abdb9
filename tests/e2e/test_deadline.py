"""A silent core service costs its own fields: the answer leaves by the deadline with the rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.harness.stack import Stack, ask, registered

DEADLINE_MS = 400
# Where nothing is timed: what the others take on a busy machine must not pass it.
AMPLE_MS = 1_500


class Silence:
    """A service that accepts calls and never answers."""

    def __init__(self) -> None:
        self.url = ""
        self.accepted = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def _accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        self._writers.append(writer)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Silence]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        try:
            yield self
        finally:
            server.close()
            for writer in self._writers:
                writer.close()


@pytest.mark.parametrize("kind", ["pyreqwest", "httpx2"])
@pytest.mark.parametrize(
    ("timeout_ms", "code"), [(100, "UPSTREAM_TIMEOUT"), (5_000, "DEADLINE_EXCEEDED")]
)
async def test_silent_service_costs_its_fields(
    stack: Stack, token: str, kind: str, timeout_ms: int, code: str
) -> None:
    """Whether its own time-out or the deadline ends the call: coded fields, the rest whole."""
    home = registered(stack.settings("ios"), "ios", "Home")
    async with Silence().listening() as silence:
        environment = {
            "BFF__UPSTREAMS__TRANSPORT": kind,
            "BFF__SCREENS__DEADLINE_MS": str(AMPLE_MS),
            "BFF__UPSTREAMS__SERVICES__NOTIFICATIONS__URL": silence.url,
            "BFF__UPSTREAMS__SERVICES__NOTIFICATIONS__TIMEOUT_MS": str(timeout_ms),
        }
        async with stack.gateway("ios", environment=environment) as client:
            body = await ask(client, home.id, token=token)
        # A read that timed out with time left is made once more.
        assert silence.accepted in ((1, 2) if code == "UPSTREAM_TIMEOUT" else (1,)), (
            "the fault was not injected"
        )
    assert [error["extensions"]["code"] for error in body["errors"]] == [code]
    assert body["errors"][0]["path"] == ["home", "inbox"]
    assert body["data"]["home"]["inbox"] is None
    assert len(body["data"]["home"]["feed"]["entries"]) == 12


@pytest.mark.verify
async def test_answer_leaves_by_the_deadline(stack: Stack, token: str) -> None:
    """The quickest of three answers with a silent service is at most 150 ms past the deadline."""
    home = registered(stack.settings("ios"), "ios", "Home")
    took = []
    async with Silence().listening() as silence:
        environment = {
            "BFF__SCREENS__DEADLINE_MS": str(DEADLINE_MS),
            "BFF__UPSTREAMS__SERVICES__NOTIFICATIONS__URL": silence.url,
            "BFF__UPSTREAMS__SERVICES__NOTIFICATIONS__TIMEOUT_MS": "5000",
        }
        async with stack.gateway("ios", environment=environment) as client:
            for _ in range(3):
                started = time.monotonic()
                await ask(client, home.id, token=token)
                took.append((time.monotonic() - started) * 1000)
        assert silence.accepted == 3, "the fault was not injected"
    assert DEADLINE_MS - 50 <= min(took) <= DEADLINE_MS + 150
