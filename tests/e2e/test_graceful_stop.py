"""SIGTERM ends a gateway cleanly: what is under way is answered, and the exit code is 0."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from unittest import mock

import httpx2
import pytest

from tests.harness.stack import Stack, registered, start_policy_gateway

pytestmark = pytest.mark.modeless


@dataclass
class Gate:
    """Stands before a service: passes bytes on only once it is opened."""

    target_port: int
    url: str = ""
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await reader.read(65_536)
        self.reached.set()
        await self.opened.wait()
        upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.target_port)
        upstream.write(first)
        await asyncio.gather(_pump(reader, upstream), _pump(upstream_reader, writer))

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[Gate]:
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_requests_under_way_are_answered(stack: Stack, token: str) -> None:
    """A home screen whose feed is still being fetched at SIGTERM comes whole; then exit 0."""
    home = registered(stack.settings("ios"), "ios", "Home")
    async with Gate(stack.where.service_port("content")).standing() as gate:
        slow = {
            "BFF__UPSTREAMS__SERVICES__CONTENT__URL": gate.url,
            "BFF__UPSTREAMS__SERVICES__CONTENT__TIMEOUT_MS": "20000",
            "BFF__SCREENS__DEADLINE_MS": "20000",
        }
        with mock.patch.dict(os.environ, slow):
            started = start_policy_gateway(stack, "ios", "open")
            with started as child:
                async with httpx2.AsyncClient(base_url=child.url, timeout=30) as client:
                    asked = asyncio.create_task(
                        client.post(
                            "/graphql",
                            json={"documentId": home.id},
                            headers={"authorization": f"Bearer {token}"},
                        )
                    )
                    await asyncio.wait_for(gate.reached.wait(), 20)
                    child.process.send_signal(signal.SIGTERM)
                    await _refuses_newcomers(child.url)
                    assert not asked.done()
                    gate.opened.set()
                    answer = await asked
                code = await asyncio.to_thread(child.process.wait, 20)
    assert "errors" not in answer.json()
    assert len(answer.json()["data"]["home"]["feed"]["entries"]) == 12
    assert code == 0


async def _refuses_newcomers(url: str) -> None:
    """The signal has arrived once no new connection is accepted."""
    async with asyncio.timeout(20):
        while True:
            try:
                async with httpx2.AsyncClient(timeout=5) as client:
                    await client.get(f"{url}/healthz")
            except httpx2.TransportError:
                return
            await asyncio.sleep(0.02)
