"""bff/edge/receipt.py over real sockets: who takes too long is let go, who is too many told so."""

from __future__ import annotations

import inspect
import json
import socket
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bff.config import EdgeConfig
from bff.edge import receipt, server
from bff.edge.receipt import MOST_PIPELINED, Guard, Told
from tests.harness.edge_server import Serving, Slow, serving, until
from tests.harness.raw_http import RawAnswer, Wire

GET = b"GET /plain HTTP/1.1\r\nhost: facet\r\n\r\n"
POST = b"POST /x HTTP/1.1\r\nhost: facet\r\ncontent-length: 4\r\n\r\n"
SHORT = EdgeConfig(head_timeout_s=0.2, body_timeout_s=0.2, idle_timeout_s=0.2, write_timeout_s=0.2)
# More than the kernel's buffers of both ends take.
LARGE = b"x" * 16_000_000


@pytest.fixture(autouse=True)
def _swept_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "SWEEP_TICKS", 1)


def answering(answer: bytes | None = None) -> Slow:
    """An application that answers at once."""
    app = Slow(answer=answer)
    app.go.set()
    return app


@pytest.fixture
def served() -> Iterator[Serving]:
    """A server with short limits."""
    with serving(SHORT, answering()) as found:
        yield found


def _drained(reader: socket.socket) -> None:
    while reader.recv(1_000_000):
        pass


def refusal(answer: RawAnswer) -> str:
    """The code of a refusal in the form clients parse."""
    assert answer.headers["content-type"] == "application/json; charset=utf-8"
    assert answer.headers["connection"] == "close"
    assert answer.headers["x-content-type-options"] == "nosniff"
    [error] = json.loads(answer.body)["errors"]
    return str(error["extensions"]["code"])


def test_slow_requests_are_let_go(served: Serving) -> None:
    """A head or a body that does not come whole is answered 408; a connection that says nothing,
    or nothing more after its answer, is closed without a word; a request in time is answered."""
    wires = [Wire(served.port) for _ in range(4)]
    _, head, body, idle = wires
    head.send(b"GET /slow HTTP/1.1\r\nhost: fa")
    body.send(POST + b"12")
    idle.send(POST + b"1234")
    assert idle.read().body == b"1234"
    for slow in (head, body):
        answer = slow.read()
        assert (answer.status, refusal(answer)) == (408, "REQUEST_TIMEOUT")
    assert all(wire.is_ended() for wire in wires)
    assert served.refused == {408: 2}
    assert served.closed == {"silent": 1, "idle": 1}
    with Wire(served.port) as later:
        later.send(GET)
        assert later.read().status == 200
    for wire in wires:
        wire.__exit__()


def test_drip_feeding_is_no_progress(served: Serving) -> None:
    """A byte now and then does not move a limit: the whole head counts."""
    with Wire(served.port) as wire:
        assert wire.send_until_answered(b"G", 1) == 1
        wire.send(b"ET / HTTP/1.1\r\n")
        while not wire.is_readable(0.1):
            wire.send(b"x: y\r\n")
        assert wire.read().status == 408


def test_busy_connections_are_left_alone() -> None:
    """While the application answers, no limit runs, however long it takes."""
    app = Slow()
    with serving(SHORT, app) as served, Wire(served.port) as waits, Wire(served.port) as silent:
        waits.send(GET)
        until(lambda: app.begun == 1)
        assert silent.is_ended()  # the limits run
        assert not waits.is_readable(0.3)
        app.go.set()
        assert waits.read().status == 200


def test_used_connections_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request begins its limits anew: a kept connection that is used stays open for ever."""
    monkeypatch.setattr(server, "SWEEP_TICKS", 1_000_000)
    with serving(SHORT, answering()) as served, Wire(served.port) as wire:
        for second in range(10):
            wire.send(GET)
            assert wire.read().status == 200
            served.sweep(second)
        assert not wire.is_readable(0.01)
        served.sweep(10)
        assert wire.is_ended()


def test_slow_readers_are_cut(served: Serving) -> None:
    """Whoever does not take an answer loses it, and the memory it holds is free."""
    with serving(SHORT, answering(LARGE)) as large:
        reader = socket.create_connection(("127.0.0.1", large.port))
        reader.sendall(GET)
        until(lambda: large.closed["slow_reader"] == 1)
        with reader, pytest.raises(ConnectionError):
            _drained(reader)
        with Wire(large.port) as wire:
            wire.send(GET)
            assert len(wire.read().body) == len(LARGE)


def test_connections_are_capped() -> None:
    """One connection too many is answered 503 with Retry-After when it asks; when another one has
    left, the next is served."""
    with serving(EdgeConfig(max_connections=2), answering()) as served:
        first, second = Wire(served.port), Wire(served.port)
        for wire in (first, second):
            wire.send(GET)
            assert wire.read().status == 200
        with Wire(served.port) as third:
            third.send(GET)
            answer = third.read()
            assert (answer.status, refusal(answer)) == (503, "OVERLOADED")
            assert 1 <= int(answer.headers["retry-after"]) <= 3
            assert third.is_ended()
        first.__exit__()
        until(lambda: len(served.server.server_state.connections) == 1)
        with Wire(served.port) as fourth:
            fourth.send(GET)
            assert fourth.read().status == 200
        second.__exit__()
        assert served.refused == {503: 1}


def test_a_flood_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Far beyond the cap nobody is told anything, so that the flood holds no memory."""
    monkeypatch.setattr(receipt, "MOST_TURNED_AWAY", 1)
    monkeypatch.setattr(receipt, "LINGER_S", 60)
    served = serving(EdgeConfig(max_connections=1), answering())
    with served as found, Wire(found.port) as first, Wire(found.port), Wire(found.port) as cut:
        first.send(GET)
        assert first.read().status == 200
        until(lambda: found.closed["crowded"] == 1)
        assert cut.is_let_go()


@pytest.mark.parametrize("proxies", [(), ("127.0.0.0/8",)])
def test_one_address_is_capped(proxies: tuple[str, ...]) -> None:
    """A peer has connections of its own limit, unless it is a proxy that speaks for many."""
    edge = EdgeConfig(max_connections_per_address=1, trusted_proxies=proxies)
    with serving(edge, answering()) as served:
        with Wire(served.port) as first, Wire(served.port) as second:
            first.send(GET)
            assert first.read().status == 200
            second.send(GET)
            assert second.read().status == (200 if proxies else 503)
        until(lambda: not served.server.server_state.connections)
        with Wire(served.port) as again:
            again.send(GET)
            assert again.read().status == 200


@pytest.mark.parametrize(
    ("addresses", "admitted"),
    [
        (("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1"), [True, False, True]),
        (("192.0.2.1", "::ffff:192.0.2.1", "192.0.2.2"), [True, False, True]),
    ],
)
def test_subscribers_count_as_one(addresses: tuple[str, ...], admitted: list[bool]) -> None:
    """Connections of one IPv6 /64 count together, as limits count them, and make room together."""
    told = Told(lambda status: None, lambda reason: None)
    guard = Guard(EdgeConfig(max_connections_per_address=1), told, b"")
    peers: list[Any] = [SimpleNamespace(address=address) for address in addresses]
    for _ in range(2):
        assert [guard.admits(peer, 1) for peer in peers] == admitted
        for peer in peers:
            guard.left(peer)
    assert not guard._by_address


def test_idle_connections_make_room() -> None:
    """Near the cap an idle connection ends sooner than it may otherwise."""
    edge = EdgeConfig(max_connections=2, idle_timeout_s=600)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(receipt, "IDLE_UNDER_PRESSURE_S", 0.1)
        with serving(edge, answering()) as served, Wire(served.port) as first:
            first.send(GET)
            assert first.read().status == 200
            assert not first.is_readable(0.5)
            with Wire(served.port) as second:
                second.send(GET)
                assert second.read().status == 200
                assert first.is_ended()


def test_pipelining_is_bounded() -> None:
    """Of thousands of requests in one piece the first few are answered, then the connection ends:
    none of the others is held in memory."""
    app = Slow()
    with serving(EdgeConfig(), app) as served, Wire(served.port) as wire:
        wire.send(GET * 5000)
        until(lambda: served.closed["pipelined"] == 1)
        app.go.set()
        assert wire.rest().count(b"HTTP/1.1 200 OK") == 1 + MOST_PIPELINED
        assert app.begun == 1 + MOST_PIPELINED


def test_uvicorn_keeps_no_timers() -> None:
    """What uvicorn does after an answer is what our protocol does, but for its timer."""
    theirs = inspect.getsource(HttpToolsProtocol.on_response_complete)
    for part in ("total_requests += 1", "is_closing()", "resume_reading()", "pipeline.pop()"):
        assert part in theirs
        assert part in inspect.getsource(receipt.WatchedProtocol.on_response_complete)
    assert theirs.count("call_later") == 1
    began = inspect.getsource(HttpToolsProtocol.on_message_begin)
    assert "self.scope = {" in began
