"""The home screen over a mobile network: one round trip, few bytes, little of the time ours
(R19)."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.bench.http1 import Reply
from tests.chaos.record import Record
from tests.chaos.rig import Gateway, Rig, running_rig
from tests.chaos.wire import headers_of, request, whole_reply
from tests.harness.faults.fault import REGULAR_3G, SLOW_4G, Fault
from tests.harness.faults.proxy import FaultProxy, fault_proxy
from tests.harness.stack import PLATFORMS, registered

pytestmark = [pytest.mark.chaos, pytest.mark.modeless]
APP = "app"
MOST_BYTES = 14_000  # fits the ten segments a server may send at once (RFC 6928)
SERVER_MS = 100.0
SAMPLES = 60


@dataclass
class Phone:
    """One open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def connected(cls, port: int) -> Phone:
        return cls(*await asyncio.open_connection("127.0.0.1", port))

    async def ask(self, asked: bytes) -> tuple[Reply, float]:
        """The answer and the milliseconds it took."""
        started = time.perf_counter()
        self.writer.write(asked)
        data = b""
        while (reply := whole_reply(data)) is None:
            more = await self.reader.read(65_536)
            assert more, "hung up"
            data += more
        return reply, (time.perf_counter() - started) * 1000


@contextmanager
def platform_gateway(rig: Rig, platform: str) -> Iterator[Gateway]:
    rig.platform = platform
    gateway = rig.start(f"mobile-{platform}")
    rig.ready([gateway])
    try:
        yield gateway
    finally:
        rig.stop(gateway)


@pytest.fixture(scope="module")
def rig(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Its own: the platform is another for each test."""
    with running_rig(tmp_path_factory.mktemp("mobile"), seeded) as running:
        yield running


NETWORKS = {"Regular 3G": REGULAR_3G, "slow 4G": SLOW_4G}


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_is_one_round_trip(rig: Rig, record: Record, platform: str) -> None:
    """On a warm connection the home screen is one round trip and at most 14 KB; asked again with
    its tag it is a 304 of a few hundred bytes; the server's part is at most 100 ms at p95."""
    with platform_gateway(rig, platform) as gateway:
        asked = _home(rig, platform)
        server_ms = await _server_p95(gateway, asked)
        with fault_proxy({APP: str(gateway.port)}) as proxy:
            for name, network in NETWORKS.items():
                broken = await _measured(proxy, record, platform, name, network, asked, server_ms)
                assert broken == []


def _home(rig: Rig, platform: str) -> bytes:
    operation = registered(rig.stack.settings(platform), platform, "Home")
    headers = {"accept-encoding": "br, gzip", "apollo-require-preflight": "true"}
    target = f"/documents/{operation.id}/Home"
    return request(None, rig.stack.token(), target=target, headers=headers)


async def _server_p95(gateway: Gateway, asked: bytes) -> float:
    """What an answer takes without a network, the time of asking in it: the lowest of three
    measurements, as whatever else the machine does only adds."""
    phone = await Phone.connected(gateway.port)
    found = []
    for _ in range(3):
        took = sorted([(await phone.ask(asked))[1] for _ in range(SAMPLES)])
        found.append(took[int(SAMPLES * 0.95)])
    phone.writer.close()
    return min(found)


async def _measured(
    proxy: FaultProxy,
    record: Record,
    platform: str,
    name: str,
    network: Fault,
    asked: bytes,
    server_ms: float,
) -> list[str]:
    """A row for the whole answer and one for 304, and what broke in either."""
    proxy.set(APP, network)
    phone = await Phone.connected(proxy.ports[APP])
    await phone.ask(request(None, target="/healthz"))
    tag, all_broken = "", []
    for state in ("cold", "revalidated"):
        proxy.zero(APP)
        reply, took = await phone.ask(asked.replace(b"\r\n\r\n", f"{tag}\r\n\r\n".encode()))
        counts = proxy.counts(APP)
        tag = f"\r\nif-none-match: {headers_of(reply.head)['etag']}"
        broken = _broken(state, reply, counts.turns, server_ms)
        broken += ["VOID: the network was not emulated"] * (took < network.rtt_ms)
        all_broken += broken
        record.note(
            "screens",
            broken,
            platform=f"{platform}, {name}",
            state=state,
            status=reply.status,
            bytes=reply.size,
            head_bytes=len(reply.head) + 4,
            round_trips=counts.turns,
            ms=round(took),
            server_p95_ms=round(server_ms, 1),
        )
    phone.writer.close()
    proxy.clear(APP)
    return all_broken


def _broken(state: str, reply: Reply, turns: int, server_ms: float) -> list[str]:
    expected, most = (200, MOST_BYTES) if state == "cold" else (304, 1_000)
    found = [f"status {reply.status}"] * (reply.status != expected)
    if reply.size > most:
        found.append(f"{reply.size} bytes, at most {most}")
    if turns != 1:
        found.append(f"{turns} round trips")
    if server_ms > SERVER_MS:
        found.append(f"the server takes {server_ms:.0f} ms at p95, at most {SERVER_MS:.0f}")
    return found
