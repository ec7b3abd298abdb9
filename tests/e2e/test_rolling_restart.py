"""Gateways are restarted one after the other behind the project's own edge proxy: nobody notices.

Each gateway is a real process; its content service answers 150 ms late, so that there is always
something under way when the signal comes.
"""

from __future__ import annotations

import asyncio
import json
import signal
import ssl
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bff.commands.processes import Child, Children
from tests.harness.databases import free_port
from tests.harness.edge_proxy import Edge, running_edge
from tests.harness.stack import PATIENT, Stack, registered

pytestmark = pytest.mark.modeless

LATE_S = 0.15
LAME_DUCK_S = 2.0
DRAINED_WITHIN_S = 30.0
PER_SECOND = 100
CLIENTS = 40


@asynccontextmanager
async def late(port: int) -> AsyncIterator[str]:
    """The URL of a service whose answers come late."""

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            answers, upstream = await asyncio.open_connection("127.0.0.1", port)
            await asyncio.gather(_pumped(reader, upstream, 0), _pumped(answers, writer, LATE_S))
        except OSError:
            writer.close()

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def _pumped(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, pause_s: float
) -> None:
    try:
        while data := await reader.read(262_144):
            await asyncio.sleep(pause_s)
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()


@dataclass
class Phones:
    """Clients of the proxy, each with a connection of its own that it keeps."""

    edge: Edge
    request: bytes
    told: Counter[str] = field(default_factory=Counter)

    async def ask_for(self, stopped: asyncio.Event, pause_s: float) -> None:
        """One phone, until it is told to stop."""
        connection = None
        while not stopped.is_set():
            begun = time.monotonic()
            try:
                async with asyncio.timeout(20):
                    connection = connection or await self._connected()
                    self.told[await self._asked(*connection)] += 1
            except (OSError, asyncio.IncompleteReadError) as error:
                self.told[type(error).__name__] += 1
                connection = None
            await asyncio.sleep(max(0.0, pause_s - (time.monotonic() - begun)))
        if connection is not None:
            connection[1].close()

    async def _connected(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        context: ssl.SSLContext = self.edge.tls()
        name = self.edge.url("ios").split("/")[2].split(":")[0]
        return await asyncio.open_connection(
            "127.0.0.1", self.edge.port, ssl=context, server_hostname=name
        )

    async def _asked(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> str:
        writer.write(self.request)
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        size = head.split(b"content-length: ")[1].split(b"\r\n")[0]
        body = json.loads(await reader.readexactly(int(size)))
        if head[9:12] != b"200":
            return head[9:12].decode()
        return "errors" if "errors" in body else "whole"


@dataclass
class Fleet:
    """The gateways behind the proxy, by port."""

    stack: Stack
    children: Children
    content: str
    folder: Path
    arguments: tuple[str, ...]
    running: dict[int, Child] = field(default_factory=dict)
    drains: list[float] = field(default_factory=list)

    def start(self, port: int) -> None:
        environment = {
            **self.stack.where.bff_environment("ios"),
            **PATIENT,
            "BFF__UPSTREAMS__SERVICES__CONTENT__URL": self.content,
            "BFF__EDGE__LAME_DUCK_S": str(LAME_DUCK_S),
            "BFF__ADMISSION__MAX_IN_FLIGHT": "0",
            "BFF__TELEMETRY__TRACES_FILE": str(self.folder / f"{port}.jsonl"),
        }
        command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port)]
        log = self.folder / f"{port}.log"
        url = f"http://127.0.0.1:{port}"
        child = self.children.start(
            f"bff-{port}", [*command, *self.arguments], environment, url, log
        )
        self.running[port] = child

    def restart(self, port: int) -> None:
        """Stop one in good order, start it anew, wait until it is ready."""
        child = self.running[port]
        begun = time.monotonic()
        child.process.send_signal(signal.SIGTERM)
        assert child.process.wait(DRAINED_WITHIN_S + 5) == 0
        self.drains.append(time.monotonic() - begun)
        self.children.children.remove(child)
        self.start(port)
        self.children.wait_ready(self.running[port])


@pytest.mark.verify
@pytest.mark.timeout(600)
@pytest.mark.parametrize("arguments", [(), ("--workers", "2")], ids=["alone", "workers"])
async def test_restarts_lose_nothing(
    stack: Stack, token: str, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """100 requests a second of 150 ms each, two gateways behind the edge proxy, each restarted
    twice: none fails, every exit code is 0, every drain takes less than 30 s."""
    home = registered(stack.settings("ios"), "ios", "Home").id
    body = json.dumps({"documentId": home}).encode()
    head = (
        f"POST /graphql HTTP/1.1\r\nhost: ios.facet.example\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {token}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    ports = [free_port(), free_port()]
    with Children() as children:
        async with late(stack.where.service_port("content")) as content:
            fleet = Fleet(stack, children, content, tmp_path, arguments)
            for port in ports:
                fleet.start(port)
            for port in ports:
                await asyncio.to_thread(children.wait_ready, fleet.running[port])
            gateways = {"ios": [f"127.0.0.1:{port}" for port in ports]}
            with running_edge(tmp_path / "edge", gateways) as edge:
                phones = Phones(edge, head.encode() + body)
                await _restarted(phones, fleet, ports)
    _proven(phones, fleet)


async def _restarted(phones: Phones, fleet: Fleet, ports: list[int]) -> None:
    stopped = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(CLIENTS):
            group.create_task(phones.ask_for(stopped, CLIENTS / PER_SECOND))
        await asyncio.sleep(3)
        for port in ports * 2:
            await asyncio.to_thread(fleet.restart, port)
            await asyncio.sleep(1)
        stopped.set()


def _proven(phones: Phones, fleet: Fleet) -> None:
    """What was injected, and what came of it."""
    print(dict(phones.told), [round(seconds, 1) for seconds in fleet.drains])  # noqa: T201
    assert len(fleet.drains) == 4
    assert min(fleet.drains) >= LAME_DUCK_S
    assert max(fleet.drains) <= DRAINED_WITHIN_S
    assert phones.told["whole"] >= 1_000
    assert phones.told == {"whole": phones.told["whole"]}
    logs = [path.read_text() for path in fleet.folder.glob("*.log*")]
    closing = [line for log in logs for line in log.splitlines() if '"event":"closing"' in line]
    assert any(json.loads(line)["connections"] > 0 for line in closing)  # under load
    assert not any('"event":"cut_off"' in log for log in logs)
