"""bff/edge/server.py and drain.py over real sockets: an end that loses nothing."""

from __future__ import annotations

import socket
from dataclasses import dataclass

import pytest

from bff.config import EdgeConfig
from bff.edge import server
from bff.edge.drain import Drain
from bff.edge.server import _accepted
from tests.harness.edge_server import Slow, serving, until
from tests.harness.raw_http import Wire

GET = b"GET /plain HTTP/1.1\r\nhost: facet\r\n\r\n"


@dataclass
class Clock:
    """Stands until it is moved."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port)).close()
    except ConnectionError:
        return True
    return False


def answers(wire: Wire) -> dict[str, str]:
    """The headers of one more answer on a connection."""
    wire.send(GET)
    answer = wire.read()
    assert answer.status == 200
    return answer.headers


def test_stopping_says_so_first() -> None:
    """Drain: leaving is told at once, the door closes later; said twice, at once too."""
    clock = Clock()
    drain = Drain(5, clock)
    assert not drain.leaving
    drain.stop()
    assert drain.leaving
    assert not drain.is_due()
    clock.now = 5
    assert drain.is_due()
    assert drain.lingers
    again = Drain(5, clock)
    again.stop()
    again.stop()
    assert again.is_due()
    assert not again.lingers


def test_retiring_says_nothing() -> None:
    """Drain: a process whose successor serves closes at once, and the gateway stays ready."""
    drain = Drain(0, Clock())
    assert not drain.lingers
    drain.retire()
    assert drain.is_due()
    assert not drain.leaving
    assert drain.lingers


def test_nothing_is_lost() -> None:
    """A lame duck serves as before; then new connections are refused, and what is under way is
    answered, a request on a kept connection too, each as the last of its connection."""
    clock, app = Clock(), Slow()
    app.go.set()
    drain = Drain(5, clock)
    with serving(EdgeConfig(), app, drain=drain) as served:
        with Wire(served.port) as kept, Wire(served.port) as waits:
            drain.stop()
            assert "connection" not in answers(kept)
            with Wire(served.port) as newcomer:
                assert "connection" not in answers(newcomer)
            app.go.clear()
            waits.send(GET)
            until(lambda: app.begun == 3)
            clock.now = 5
            until(lambda: refuses(served.port))
            app.go.set()
            assert waits.read().headers["connection"] == "close"
            assert answers(kept)["connection"] == "close"
            assert waits.is_ended()
            assert kept.is_ended()
        until(served.is_over)


def test_cold_connections_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A kept connection that nobody uses does not hold up the end."""
    monkeypatch.setattr(server, "IDLE_BEFORE_CLOSE_S", 0.1)
    clock, app = Clock(), Slow()
    app.go.set()
    drain = Drain(5, clock)
    with serving(EdgeConfig(), app, drain=drain) as served, Wire(served.port) as kept:
        answers(kept)
        drain.stop()
        clock.now = 5
        assert kept.is_ended()
        until(served.is_over)


def test_nobody_waits_for_ever() -> None:
    """A request that outlasts the grace is told so with a code, and the server ends."""
    app = Slow()
    drain = Drain(0)
    served = serving(EdgeConfig(shutdown_grace_s=1), app, drain=drain)
    with served as found, Wire(found.port) as waits:
        waits.send(GET)
        until(lambda: app.begun == 1)
        drain.stop()
        answer = waits.read()
        assert (answer.status, answer.headers["connection"]) == (503, "close")
        assert b'"OVERLOADED"' in answer.body
        assert waits.is_ended()
        until(found.is_over)


def test_slow_senders_do_not_hold_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits of time hold while the server ends: half a head is not waited for."""
    monkeypatch.setattr(server, "SWEEP_TICKS", 1)
    app = Slow()
    drain = Drain(0)
    with serving(EdgeConfig(head_timeout_s=0.2, shutdown_grace_s=600), app, drain=drain) as served:
        with Wire(served.port) as slow, Wire(served.port) as used:
            app.go.set()
            answers(used)
            slow.send(b"GET / HTTP/1.1\r\nhost")
            until(lambda: any(one.phase == "head" for one in served.connections()))
            drain.stop()
            assert slow.read().status == 408
        until(served.is_over)


def test_half_a_request_is_cut_off() -> None:
    """Once the grace is over a connection without any request ends too, and the server with it."""
    drain, app = Drain(0), Slow()
    app.go.set()
    served = serving(EdgeConfig(head_timeout_s=600, shutdown_grace_s=1), app, drain=drain)
    with served as found, Wire(found.port) as slow:
        slow.send(b"GET / HTTP/1.1\r\nhost")
        until(lambda: any(one.phase == "head" for one in found.connections()))
        drain.stop()
        assert slow.is_ended()
        until(found.is_over)


def test_operators_are_answered_to_the_end() -> None:
    """The operators' port answers while the door is shut already."""
    app, operator = Slow(), Slow(answer=b"metrics")
    operator.go.set()
    drain = Drain(0)
    with serving(EdgeConfig(), app, operator=operator, drain=drain) as served:
        with Wire(served.port) as waits:
            waits.send(GET)
            until(lambda: app.begun == 1)
            drain.stop()
            until(lambda: refuses(served.port))
            with Wire(served.operator_port) as scrape:
                scrape.send(GET)
                assert scrape.read().body == b"metrics"
            app.go.set()
            assert waits.read().status == 200
        until(served.is_over)
    assert refuses(served.operator_port)


def test_the_waiting_are_taken_in() -> None:
    """Whoever stands in the system's queue as the door closes is not reset."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        address = listener.getsockname()
        knocking = [socket.create_connection(address) for _ in range(3)]
        taken = _accepted(listener)
        assert len(taken) == 3
        assert _accepted(listener) == []
        for one in (*knocking, *taken):
            one.close()


def test_no_door_before_the_word() -> None:
    """A server that is told not to begin ends without having listened."""

    async def stay_out() -> bool:
        return False

    with serving(EdgeConfig(), Slow(), go=stay_out) as served:
        until(served.is_over)
        assert refuses(served.port)
