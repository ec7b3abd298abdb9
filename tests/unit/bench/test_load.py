"""The load generator against real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.bench.answers import Answer, Batch, http
from tests.bench.load import Ask, arrivals, ask_once, closed_loop, open_loop
from tests.bench.stubs import Connection, State

BODY = b'{"ids":["a"]}'
REQUEST = b"POST /cards HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(BODY) + BODY
RIGHT = b'{"cards":[{"id":"a"}]}'


@asynccontextmanager
async def stub() -> AsyncIterator[tuple[int, State]]:
    """A stub service in this process: its port, and what it counts."""
    state = State({"accounts": 0})
    paths: dict[bytes, Answer] = {b"/cards": Batch("cards", {"a": {"id": "a"}})}
    server = await asyncio.get_running_loop().create_server(
        lambda: Connection("accounts", paths, state), "127.0.0.1", 0
    )
    async with server:
        yield server.sockets[0].getsockname()[1], state


async def test_closed_loop_counts_answers() -> None:
    """Every request is answered, counted once on either side, and found right."""
    async with stub() as (port, state):
        load = await closed_loop(port, [Ask(REQUEST, RIGHT)], 3, 0.05)
        assert load.done == state.calls["accounts"] == len(load.latencies) > 3
        assert load.bad == 0
        assert load.body_bytes == load.done * len(RIGHT)


async def test_wrong_body_is_counted() -> None:
    """An answer that differs by a byte is a bad one; one that differs before `skip` is not."""
    async with stub() as (port, _):
        wrong = await closed_loop(port, [Ask(REQUEST, RIGHT + b" ")], 1, 0.02)
        skipped = await closed_loop(port, [Ask(REQUEST, b"X" + RIGHT[1:], skip=1)], 1, 0.02)
    assert wrong.bad == wrong.done > 0
    assert (skipped.bad, skipped.done > 0) == (0, True)


async def test_open_loop_keeps_its_rate() -> None:
    """As many requests leave as the plan has instants, however slow the answers are."""
    async with stub() as (port, state):
        state.delay_s = 0.05
        load = await open_loop(port, [Ask(REQUEST, RIGHT)], 400.0, 0.2)
    assert load.done == len(arrivals(400.0, 0.2)) > 40
    assert load.bad == 0


async def test_hanging_up_ends_the_load() -> None:
    """A gateway that closes its connections is an error, not a short measurement."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionError, match="hung up"):
            await closed_loop(port, [Ask(REQUEST, RIGHT)], 1, 0.05)


async def test_stub_tells_its_counts() -> None:
    """Counts and delay are had over HTTP, and asking for them is not counted."""
    async with stub() as (port, state):
        await ask_once(port, REQUEST)
        told = await ask_once(port, b"GET /__counts HTTP/1.1\r\n\r\n")
        await ask_once(port, b"GET /__delay?ms=5 HTTP/1.1\r\n\r\n")
        nothing = await ask_once(port, b"GET /other HTTP/1.1\r\n\r\n")
    assert told.body == b'{"accounts":1}'
    assert (state.delay_s, nothing.status) == (0.005, 404)


def test_arrivals_are_a_steady_rate() -> None:
    """Instants rise, stay inside the time, are as many as the rate says, and are the same again."""
    found = arrivals(100.0, 50.0)
    assert found == sorted(found) == arrivals(100.0, 50.0)
    assert found[0] > 0
    assert found[-1] < 50.0
    assert 4_700 < len(found) < 5_300


def test_http_frames_a_body() -> None:
    """A stub's answer says how long it is."""
    assert http(b"[]").endswith(b"content-length: 2\r\n\r\n[]")
