"""Both transports against a server that misbehaves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Literal

import pytest
from pyreqwest.exceptions import ReadError, RequestTimeoutError

from bff.config import GuardConfig, ServiceConfig, UpstreamsConfig
from bff.upstreams.transport import (
    AnswerTooLarge,
    CallUnsendable,
    Httpx2Transport,
    NotConnected,
    Outgoing,
    PyreqwestTransport,
    Transport,
    TransportFailure,
    TransportTimeout,
    make_transport,
)
from tests.harness.databases import free_port
from tests.unit.bff.upstreams.raw_server import CAP, RawServer, raw_server

KINDS: tuple[Literal["pyreqwest", "httpx2"], ...] = ("pyreqwest", "httpx2")
# What a call that must time out is given, and by when it must have done so: the server would go on
# for a minute.
SHORT_S = 0.15
MUST_END_S = 10


def config(kind: Literal["pyreqwest", "httpx2"]) -> UpstreamsConfig:
    """Of one service with one slot: the pool has five places."""
    service = ServiceConfig(url="http://127.0.0.1:1", guard=GuardConfig(max_in_flight=1))
    return UpstreamsConfig(transport=kind, services={"content": service}, max_answer_bytes=CAP)


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture
async def transport(kind: Any) -> AsyncIterator[Transport]:
    made = make_transport(config(kind))
    yield made
    await made.close()


@pytest.fixture
async def server() -> AsyncIterator[RawServer]:
    async with raw_server() as running:
        yield running


def get(server: RawServer, path: str, timeout: float = 10, **headers: str) -> Outgoing:
    return Outgoing("GET", server.url + path, headers, None, timeout)


def test_settings_choose_the_transport() -> None:
    """`upstreams.transport` names the implementation."""
    assert isinstance(make_transport(config("pyreqwest")), PyreqwestTransport)
    assert isinstance(make_transport(config("httpx2")), Httpx2Transport)


async def test_call_arrives_as_written(transport: Transport, server: RawServer) -> None:
    """Verb, path, query, headers and body reach the service unchanged."""
    headers = {"x-request-id": "request-1", "content-type": "application/json"}
    url = f"{server.url}/whole?first=2&after=a%2Fb"
    await transport.send(Outgoing("PUT", url, headers, b'{"ids":["1"]}', 10))
    (arrived,) = server.requests
    assert (arrived.verb, arrived.path) == ("PUT", "/whole?first=2&after=a%2Fb")
    assert arrived.body == b'{"ids":["1"]}'
    assert {name: arrived.headers[name] for name in headers} == headers


@pytest.mark.parametrize("path", ["/whole", "/chunked", "/until-close"])
async def test_answer_comes_whole(transport: Transport, server: RawServer, path: str) -> None:
    """However the body is framed, it arrives with status and content type."""
    answer = await transport.send(get(server, path))
    assert (answer.status, answer.content_type) == (200, "application/json")
    assert answer.body == b'{"a":1}'


async def test_empty_answer_is_an_answer(transport: Transport, server: RawServer) -> None:
    """204 has no body and no content type."""
    answer = await transport.send(get(server, "/empty"))
    assert (answer.status, answer.content_type, answer.body) == (204, "", b"")


async def test_error_status_is_an_answer(transport: Transport, server: RawServer) -> None:
    """What a status means is not the transport's: 500 is handed on with its body."""
    answer = await transport.send(get(server, "/broken"))
    assert (answer.status, answer.content_type, answer.body) == (500, "text/plain", b"no")


async def test_cap_itself_is_allowed(transport: Transport, server: RawServer) -> None:
    """A body of exactly the cap is read."""
    assert len((await transport.send(get(server, "/full"))).body) == CAP


@pytest.mark.parametrize(
    "path",
    ["/long", "/long-chunked", "/long-until-close", "/long-under-a-false-length", "/endless"],
)
async def test_long_answer_is_refused(transport: Transport, server: RawServer, path: str) -> None:
    """No framing lets a body past the cap, not even one that belies its own length."""
    with pytest.raises(AnswerTooLarge):
        await transport.send(get(server, path))


async def test_redirect_is_not_followed(transport: Transport, server: RawServer) -> None:
    """A redirect is the answer: credentials must not travel where a service points."""
    answer = await transport.send(get(server, "/redirect", authorization="Bearer secret"))
    assert answer.status == 307
    assert [request.path for request in server.requests] == ["/redirect"]


async def test_compression_is_not_asked_for(transport: Transport, server: RawServer) -> None:
    """Neither asks for compressed answers, nor decodes one that comes all the same."""
    answer = await transport.send(get(server, "/gzipped"))
    assert server.requests[0].headers.get("accept-encoding", "identity") == "identity"
    assert answer.body == b"not gzip at all"


async def test_freshness_is_handed_on(transport: Transport, server: RawServer) -> None:
    """What an answer says of how long it is good for, by what tags, and what it made old, comes
    along as it was written; of a read nothing can be old."""
    read = await transport.send(get(server, "/fresh"))
    assert (read.cache_control, read.cache_tags) == ("private, max-age=5", "account:1,feed:1")
    assert (read.invalidates, read.retry_after) == (None, None)
    write = await transport.send(Outgoing("PUT", f"{server.url}/fresh", {}, None, 10))
    assert write.invalidates == "feed:1"
    silent = await transport.send(get(server, "/undeclared"))
    assert (silent.cache_control, silent.cache_tags) == (None, None)


async def test_pause_is_handed_on(transport: Transport, server: RawServer) -> None:
    """A service that asks for a pause is heard."""
    assert (await transport.send(get(server, "/busy"))).retry_after == "7"


async def test_long_head_is_refused(transport: Transport, server: RawServer) -> None:
    """Headers without end are a failure, not memory."""
    with pytest.raises(TransportFailure):
        await transport.send(get(server, "/long-head"))


async def test_odd_header_blames_the_answer(transport: Transport, server: RawServer) -> None:
    """A header that is no text is the answer's fault: it is not taken for a call that cannot be
    sent."""
    try:
        answer = await transport.send(get(server, "/odd-header"))
    except CallUnsendable:
        pytest.fail("the call was sent")
    except TransportFailure:
        return
    assert "json" in answer.content_type


async def test_cookies_are_not_kept(transport: Transport, server: RawServer) -> None:
    """What a service sets for one viewer's call is never sent with another's."""
    for _ in range(2):
        await transport.send(get(server, "/cookie"))
    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("path", ["/silent", "/drip", "/drip-chunked"])
async def test_timeout_is_of_the_whole_call(
    transport: Transport, server: RawServer, path: str
) -> None:
    """A service that is silent, or sends a byte now and then, ends with the call's own time."""
    async with asyncio.timeout(MUST_END_S):
        with pytest.raises(TransportTimeout):
            await transport.send(get(server, path, SHORT_S))


async def test_waiting_for_the_pool_counts(kind: Any, server: RawServer) -> None:
    """A call that gets no connection in its time times out like any other."""
    transport = PyreqwestTransport(1, CAP) if kind == "pyreqwest" else Httpx2Transport(1, CAP)
    slow = asyncio.create_task(transport.send(get(server, "/silent", 0.6)))
    while not server.requests:
        await asyncio.sleep(0.01)
    async with asyncio.timeout(MUST_END_S):
        with pytest.raises(TransportTimeout):
            await transport.send(get(server, "/whole", SHORT_S))
        assert [request.path for request in server.requests] == ["/silent"]
        with pytest.raises(TransportTimeout):
            await slow
        assert (await transport.send(get(server, "/whole"))).status == 200
    await transport.close()


async def test_timeouts_free_the_pool(transport: Transport, server: RawServer) -> None:
    """After 50 timed-out calls through 5 connections, 20 good calls succeed."""
    slow = [transport.send(get(server, "/silent", SHORT_S)) for _ in range(50)]
    ended = await asyncio.gather(*slow, return_exceptions=True)
    assert {type(one) for one in ended} == {TransportTimeout}
    good = await asyncio.gather(*(transport.send(get(server, "/whole", 5)) for _ in range(20)))
    assert {answer.status for answer in good} == {200}


async def test_cancelled_calls_free_the_pool(transport: Transport, server: RawServer) -> None:
    """Calls given up from outside leave, at their own time at the latest, room for others."""
    slow = [asyncio.create_task(transport.send(get(server, "/silent", 0.5))) for _ in range(20)]
    while len(server.requests) < 5:
        await asyncio.sleep(0.01)
    for task in slow:
        task.cancel()
    await asyncio.gather(*slow, return_exceptions=True)
    good = await asyncio.gather(*(transport.send(get(server, "/whole", 5)) for _ in range(20)))
    assert {answer.status for answer in good} == {200}


async def test_long_answers_free_the_pool(transport: Transport, server: RawServer) -> None:
    """Answers cut off at the cap do not use up connections."""
    calls = [transport.send(get(server, "/endless", 5)) for _ in range(15)]
    ended = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(one) for one in ended} == {AnswerTooLarge}
    assert (await transport.send(get(server, "/whole", 5))).status == 200


async def test_refused_connection_is_a_failure(transport: Transport) -> None:
    """Nobody listening is told from nobody answering, and from a connection that broke: nothing
    was sent."""
    with pytest.raises(NotConnected):
        await transport.send(Outgoing("GET", f"http://127.0.0.1:{free_port()}/", {}, None, 5))


@pytest.mark.parametrize("path", ["/reset", "/cut", "/cut-chunked", "/hung-up", "/no-http"])
async def test_broken_connection_is_a_failure(
    transport: Transport, server: RawServer, path: str
) -> None:
    """A connection that breaks, or speaks no HTTP, is a failure, never half an answer; what was
    sent may have arrived."""
    with pytest.raises(TransportFailure) as raised:
        await transport.send(get(server, path))
    assert not isinstance(raised.value, NotConnected)


@pytest.mark.parametrize("path", ["/silent", "/reset", "/cut", "/no-http", "/long"])
async def test_errors_do_not_name_what_was_asked(
    transport: Transport, server: RawServer, path: str
) -> None:
    """Messages go to logs: no path and no query, which hold what a viewer asked for."""
    with pytest.raises((TransportTimeout, TransportFailure, AnswerTooLarge)) as raised:
        await transport.send(get(server, f"{path}?after=secret-cursor", SHORT_S))
    assert str(raised.value)
    assert "secret-cursor" not in str(raised.value)
    assert path not in str(raised.value)


async def test_bad_header_is_a_failure(transport: Transport, server: RawServer) -> None:
    """A header that could smuggle another is not sent, and its value is not repeated."""
    headers = {"idempotency-key": "secret\r\nx-viewer: a"}
    with pytest.raises(CallUnsendable) as raised:
        await transport.send(Outgoing("GET", f"{server.url}/whole", headers, None, 5))
    assert "secret" not in str(raised.value)
    assert server.requests == []


async def test_proxies_of_the_environment_are_ignored(
    kind: Any, server: RawServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Services are called directly, whatever HTTP_PROXY says."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    transport = make_transport(config(kind))
    assert (await transport.send(get(server, "/whole"))).status == 200
    await transport.close()


async def test_connections_are_reused(transport: Transport, server: RawServer) -> None:
    """Calls one after the other do not pay for a connection each."""
    for _ in range(3):
        await transport.send(get(server, "/whole"))
    assert len(server.requests) == 3
    assert server.connections == 1


async def test_closed_transport_fails_calls(kind: Any, server: RawServer) -> None:
    """A call after close is a failure of that call; closing twice is harmless."""
    transport = make_transport(config(kind))
    await transport.send(get(server, "/whole"))
    await transport.close()
    await transport.close()
    with pytest.raises(TransportFailure):
        await transport.send(get(server, "/whole"))


@pytest.mark.parametrize("path", ["/whole", "/hung-up", "/long"])
async def test_a_cancel_is_never_swallowed(
    transport: Transport, server: RawServer, path: str
) -> None:
    """Whoever cancels a call in the moment it ends is obeyed: no answer or error in its place."""
    await transport.send(get(server, "/whole"))
    ended: list[bool] = []
    for turns in range(240):
        task = asyncio.create_task(transport.send(get(server, path)))
        for _ in range(turns % 24):
            await asyncio.sleep(0)
        if turns % 3 == 0:
            await asyncio.sleep(turns % 12 * 0.0002)
        if task.cancel():
            await asyncio.wait([task])
            ended.append(task.cancelled())
        else:
            assert (task.exception() is None) is (path == "/whole")
    assert ended
    assert all(ended)


@pytest.mark.parametrize(
    "error",
    [
        RequestTimeoutError("late", {"causes": None}),
        ReadError("cut", {"causes": None}),
        AnswerTooLarge("long"),
    ],
    ids=lambda error: type(error).__name__,
)
async def test_a_cancel_outlives_an_error(
    server: RawServer, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """An error the binding gives in place of a cancel is not raised in its place."""
    transport = PyreqwestTransport(5, CAP)
    reading = asyncio.Event()
    given: list[Exception] = []

    async def read(_: object) -> bytes:
        reading.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            given.append(error)
        raise error

    monkeypatch.setattr(transport, "_read", read)
    task = asyncio.create_task(transport.send(get(server, "/whole")))
    await reading.wait()
    task.cancel()
    await asyncio.wait([task])
    assert given == [error]
    assert task.cancelled()
    await transport.close()
