"""The fault proxy does what it is told, counts it, and passes all else on as it is."""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx2
import pytest

from tests.harness.faults.fault import OK, Fault, Kind
from tests.harness.faults.proxy import fault_proxy
from tests.harness.faults.route import Route

BODY = json.dumps({"items": ["right"] * 50}).encode()
REPLY = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%b"


@dataclass
class Honest:
    """A server that answers every request right, and counts them."""

    requests: int = 0
    writers: list[asyncio.StreamWriter] = field(default_factory=list)

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.writers.append(writer)
        while data := await reader.read(65_536):
            self.requests += data.count(b"HTTP/1.1\r\n")
            writer.write(REPLY % (len(BODY), BODY))
        writer.close()


def caller(port: int) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=0.5, trust_env=False)


@asynccontextmanager
async def standing(kind: str = "/http") -> AsyncIterator[tuple[Route, Honest, httpx2.AsyncClient]]:
    """A route before an honest server, and a client that keeps connections to it."""
    honest = Honest()
    server = await asyncio.start_server(honest, "127.0.0.1", 0)
    route = Route("content", f"{server.sockets[0].getsockname()[1]}{kind}")
    await route.open()
    async with caller(route.port) as client:
        yield route, honest, client
    await route.close()
    server.close()
    for writer in honest.writers:
        writer.close()


@pytest.mark.parametrize("kind", ["/http", ""])
async def test_all_passes_without_fault(kind: str) -> None:
    """Requests and replies go through as they are, on a connection that stays."""
    async with standing(kind) as (route, honest, client):
        answers = [await client.get("/v1/feed?first=1") for _ in range(3)]
    assert [answer.content for answer in answers] == [BODY] * 3
    assert (honest.requests, route.counts.connections, route.counts.injected) == (3, 1, 0)
    if kind:
        assert route.counts.paths == {"/v1/feed": 3}


BROKEN = {
    Kind.REFUSE: httpx2.ConnectError,
    Kind.RESET: httpx2.HTTPError,
    Kind.RESET_SOMETIMES: httpx2.HTTPError,
    Kind.BLACKHOLE: httpx2.ReadTimeout,
    Kind.STALL_AFTER: httpx2.ReadTimeout,
    Kind.RESET_AFTER: httpx2.HTTPError,
    Kind.TRUNCATED: httpx2.RemoteProtocolError,
    Kind.LOST: httpx2.HTTPError,
}
REACHES = {Kind.STALL_AFTER, Kind.RESET_AFTER, Kind.TRUNCATED, Kind.LOST}


@pytest.mark.parametrize("kind", BROKEN)
async def test_no_whole_reply_comes(kind: Kind) -> None:
    """These faults leave the caller without an answer, and the next one after them is there."""
    async with standing() as (route, honest, _):
        await route.set(Fault(kind, bytes=30))
        with pytest.raises(BROKEN[kind]):
            async with caller(route.port) as client:
                await client.get("/spoilt")
        assert honest.requests == (kind in REACHES)
        assert route.counts.injected == (kind is not Kind.REFUSE)
        await route.set(OK)
        async with caller(route.port) as client:
            assert (await client.get("/")).content == BODY


@pytest.mark.parametrize("kind", [Kind.REFUSE, Kind.RESET, Kind.BLACKHOLE])
async def test_open_connections_feel_it(kind: Kind) -> None:
    """A connection that was open before the fault is reset with it, and again at its end where
    somebody still hangs on it."""
    async with standing() as (route, honest, client):
        await client.get("/")
        await route.set(Fault(kind))
        with pytest.raises(httpx2.HTTPError):
            await client.get("/")
        assert honest.requests == 1
        await asyncio.sleep(0)
        assert route.counts.open == 0


@pytest.mark.parametrize("kind", [Kind.BLACKHOLE, Kind.STALL_AFTER, Kind.RESET_AFTER, Kind.RESET])
async def test_bytes_are_spoilt_too(kind: Kind) -> None:
    """Without reading HTTP the route can do the same to any protocol."""
    async with standing("") as (route, _, client):
        await route.set(Fault(kind, bytes=30))
        with pytest.raises(httpx2.HTTPError):
            await client.get("/")
        assert route.counts.injected == 1


def _is(status: int, body: bytes) -> Callable[[httpx2.Response], bool]:
    return lambda answer: answer.status_code == status and answer.content == body


WRONG: dict[Kind, Callable[[httpx2.Response], bool]] = {
    Kind.STATUS: lambda answer: answer.status_code == 503,
    Kind.MALFORMED: lambda answer: answer.content.endswith(b"[1, 2,"),
    Kind.WRONG_TYPE: lambda answer: answer.headers["content-type"] == "text/html",
    Kind.WRONG_SHAPE: lambda answer: "unexpected" in answer.json(),
    Kind.WRONG_VALUE: _is(200, b"[]"),
    Kind.EMPTY: _is(200, b""),
    Kind.REDIRECT: lambda answer: answer.headers["location"] == "http://127.0.0.1:9/",
    Kind.HUGE: lambda answer: len(answer.content) == 3 << 20,
    Kind.HUGE_CHUNKED: lambda answer: len(answer.content) >= (3 << 20) - 65_536,
    Kind.HEADER_FLOOD: lambda answer: "x-flood-127" in answer.headers,
}


@pytest.mark.parametrize("kind", WRONG)
async def test_reply_is_made_up(kind: Kind) -> None:
    """These replies are whole and wrong; the server hears nothing of the request."""
    mb = 1 if kind is Kind.HEADER_FLOOD else 3
    async with standing() as (route, honest, client):
        await route.set(Fault(kind, mb=mb, text="[]", to="http://127.0.0.1:9/"))
        try:
            assert WRONG[kind](await client.get("/v1/feed"))
        except httpx2.RemoteProtocolError:
            assert kind is Kind.HEADER_FLOOD  # too much for this client, as it should be
        assert (honest.requests, route.counts.injected_paths) == (0, {"/v1/feed": 1})


async def test_gzip_bomb_unpacks_large() -> None:
    """A few kilobytes that say they are gzip, and are megabytes."""
    async with standing() as (route, _, client):
        await route.set(Fault(Kind.GZIP_BOMB, mb=5))
        async with client.stream("GET", "/") as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
    assert answer.headers["content-encoding"] == "gzip"
    assert len(raw) < 50_000
    assert len(gzip.decompress(raw)) > 5 << 20


async def test_server_may_be_asked_first() -> None:
    """With `after` the call has its effect and the caller is told it failed; `twice` doubles the
    call and answers once."""
    async with standing() as (route, honest, client):
        await route.set(Fault(Kind.STATUS, status=500, after=True))
        assert (await client.post("/", content=b"x")).status_code == 500
        assert honest.requests == 1
        await route.set(Fault(Kind.TWICE))
        assert (await client.post("/", content=b"x")).content == BODY
    assert (honest.requests, route.counts.forwarded) == (3, 3)


async def test_some_requests_alone_are_spoilt() -> None:
    """A ratio spoils about its share, `only` just the requests it names."""
    async with standing() as (route, _, client):
        await route.set(Fault(Kind.STATUS, ratio=0.5))
        found = [(await client.get("/")).status_code for _ in range(100)]
        assert 25 < found.count(503) < 75
        assert found.count(503) == route.counts.injected
        await route.set(Fault(Kind.STATUS, only="/v1/stats"))
        assert (await client.get("/v1/feed")).status_code == 200
        assert (await client.get("/v1/stats/batch")).status_code == 503


@pytest.mark.parametrize("kind", ["/http", ""])
@pytest.mark.parametrize(
    "fault",
    [
        Fault(Kind.LATENCY, ms=150, jitter_ms=20),
        Fault(Kind.BANDWIDTH, rtt_ms=100, down_kbps=100, up_kbps=100),
    ],
    ids=["latency", "bandwidth"],
)
async def test_reply_comes_later(kind: str, fault: Fault) -> None:
    """A reply is whole and late: by the latency, or by its way and its bits."""
    async with standing(kind) as (route, _, client):
        await route.set(fault)
        started = time.monotonic()
        answer = await client.get("/")
        took = time.monotonic() - started
    assert answer.content == BODY
    assert took > 0.12, "the fault was not injected"
    assert route.counts.injected >= 1


async def test_bytes_drip() -> None:
    """A reply that comes byte by byte never ends a read, and is not there in time."""
    async with standing() as (route, _, client):
        await route.set(Fault(Kind.DRIP, ms=5))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                await client.get("/")
    assert 5 < route.counts.down_bytes < 200


async def test_anything_may_be_said() -> None:
    """A route of bytes can answer whatever it is told, for any protocol."""
    async with standing("") as (route, _, _client):
        await route.set(Fault(Kind.SAYS, text="-LOADING not yet\r\n"))
        reader, writer = await asyncio.open_connection("127.0.0.1", route.port)
        writer.write(b"PING HTTP/1.1\r\n")
        assert await reader.readline() == b"-LOADING not yet\r\n"
        writer.close()


async def test_round_trips_are_counted() -> None:
    """One question and its answer on an open connection are one turn."""
    async with standing("") as (route, _, client):
        await client.get("/")
        route.zero()
        await client.get("/")
        assert route.counts.turns == 1


async def test_http_faults_need_http() -> None:
    """A route of bytes refuses what it could not do."""
    async with standing("") as (route, _, _client):
        with pytest.raises(ValueError, match="http"):
            await route.set(Fault(Kind.LOST))


async def test_process_follows_orders() -> None:
    """The same over a process of its own: faults switch, counts come back, ports stay."""
    honest = Honest()
    server = await asyncio.start_server(honest, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    with fault_proxy({"content": f"{port}/http"}) as proxy:
        async with httpx2.AsyncClient(base_url=proxy.url("content"), trust_env=False) as client:
            assert (await client.get("/a")).content == BODY
            proxy.set("content", Fault(Kind.STATUS, status=500))
            assert (await client.get("/b")).status_code == 500
            assert proxy.counts("content").injected_paths == {"/b": 1}
            proxy.set("content", Fault(Kind.REFUSE))
        async with httpx2.AsyncClient(base_url=proxy.url("content"), trust_env=False) as client:
            with pytest.raises(httpx2.ConnectError):
                await client.get("/c")
            proxy.clear("content")
            assert (await client.get("/d")).content == BODY
    server.close()
    for writer in honest.writers:
        writer.close()
