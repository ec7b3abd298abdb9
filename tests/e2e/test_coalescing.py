"""Requests that share upstream calls share nothing else: whoever leaves, whatever is aborted."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import re
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest

from bff.commands.processes import Child, Children
from bff.upstreams.transport import Transport
from tests.harness.databases import free_port
from tests.harness.stack import PATIENT, Stack, ask, registered
from tests.harness.transports import HoldingTransport

READERS = ("acc_00003", "acc_00777")
SCREENS: dict[str, dict[str, str]] = {"Home": {}, "Content": {"id": "itm_00042"}, "Inbox": {}}
AT_ONCE = 16
LEAVE = 0.3  # of the requests
SHORT, LONG = 300, 30_000


@dataclass(frozen=True)
class Ask:
    """One viewer's request for a screen, and its answer when nobody else asks."""

    request: bytes
    answer: bytes


@dataclass
class Crowd:
    """What came of many requests at once."""

    answered: int = 0
    left: int = 0
    foreign: list[bytes] = field(default_factory=list)


@pytest.fixture(scope="module")
def gateway(stack: Stack) -> Iterator[Child]:
    """A gateway process as in production, where answers hold nothing about their calls."""
    port = free_port()
    environment = {
        **stack.where.bff_environment("ios"),
        **PATIENT,
        "BFF_ENV": "production",
        "BFF__EDGE__OPERATOR_PORT": str(port),
        "BFF__EDGE__LAME_DUCK_S": "0",
        "BFF__LIMITS__ENFORCED": "false",  # two viewers ask more here than anybody may
    }
    command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port)]
    log = stack.where.log_file("bff-ios-production")
    with Children() as children:
        url = f"http://127.0.0.1:{port}"
        child = children.start("bff-ios-production", command, environment, url, log)
        children.wait_ready(child)
        yield child


async def test_no_foreign_byte(stack: Stack, gateway: Child) -> None:
    """Two viewers, three screens, connections cut at random: every answer is byte for byte what
    the viewer gets alone."""
    await _holds(stack, gateway, SHORT)


@pytest.mark.verify
@pytest.mark.timeout(3_000)
async def test_no_foreign_byte_of_many(stack: Stack, gateway: Child) -> None:
    """The same in 30,000 answers."""
    await _holds(stack, gateway, LONG)


async def _holds(stack: Stack, gateway: Child, answers: int) -> None:
    asks = await _alone(stack, gateway)
    assert len({one.answer for one in asks if b"home" in one.answer[:40]}) == len(READERS)
    before = await _joins(gateway)
    crowd = await _crowd(gateway, asks, answers)
    assert crowd.foreign == []
    assert crowd.answered >= answers
    assert crowd.left > answers * LEAVE / 3, "too few requests were abandoned"
    assert await _joins(gateway) - before > answers / 3, "too few calls were shared"


async def _alone(stack: Stack, gateway: Child) -> list[Ask]:
    """Every viewer's request for every screen, asked one after another."""
    asks = []
    for screen, variables in SCREENS.items():
        operation = registered(stack.settings("ios"), "ios", screen)
        body = json.dumps({"documentId": operation.id, "variables": variables}).encode()
        for reader in READERS:
            request = _request(body, stack.token(stack.handle(reader)))
            answer = await _answer(gateway, request, None)
            assert answer is not None
            assert b'"errors"' not in answer
            asks.append(Ask(request, answer))
    return asks


def _request(body: bytes, token: str) -> bytes:
    lines = (
        "POST /graphql HTTP/1.1",
        "host: 127.0.0.1",
        "connection: close",
        "content-type: application/json",
        f"authorization: Bearer {token}",
        f"content-length: {len(body)}",
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def _answer(gateway: Child, request: bytes, leave_after_s: float | None) -> bytes | None:
    """The body of the answer; None when the connection was cut before it came."""
    port = int(gateway.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        async with asyncio.timeout(leave_after_s):
            whole = await reader.read(-1)
    except TimeoutError:
        writer.transport.abort()
        return None
    finally:
        writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 "), whole[:500]
    return body


async def _crowd(gateway: Child, asks: list[Ask], answers: int) -> Crowd:
    """Many ask at once, and again, until so many were answered; some leave before that."""
    crowd, dice = Crowd(), random.Random(3)

    async def one() -> None:
        while crowd.answered < answers and not crowd.foreign:
            asked = dice.choice(asks)
            leaves = dice.random() < LEAVE
            answer = await _answer(
                gateway, asked.request, dice.uniform(0, 0.03) if leaves else None
            )
            if answer is None:
                crowd.left += 1
                continue
            crowd.answered += 1
            if answer != asked.answer:
                crowd.foreign.append(answer)

    async with asyncio.TaskGroup() as group:
        for _ in range(AT_ONCE):
            group.create_task(one())
    return crowd


async def _joins(gateway: Child) -> float:
    """Loads that went along in another request's call so far."""
    async with httpx2.AsyncClient(base_url=gateway.url, timeout=30) as client:
        text = (await client.get("/metrics")).text
    found = re.findall(r"^facet_upstream_joins_total\{.*\} (\S+)$", text, re.MULTILINE)
    return sum(map(float, found))


# graphql-core leaves coroutines behind that it had no time to start.
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
async def test_cancelled_requests_cost_nobody(stack: Stack) -> None:
    """Requests given up while their shared calls are under way leave the others' data whole."""
    home = registered(stack.settings("ios"), "ios", "Home")
    tokens = [stack.token(stack.handle(reader)) for reader in READERS]
    dice = random.Random(5)
    async with stack.gateway("ios") as client:
        alone = [(await ask(client, home.id, token=token))["data"] for token in tokens]
        given_up = joins = 0
        for _ in range(10):
            tasks = [asyncio.create_task(ask(client, home.id, token=token)) for token in tokens * 6]
            leaving = dice.sample(tasks, 4)
            await asyncio.sleep(dice.uniform(0, 0.05))
            for task in leaving:
                given_up += task.cancel()
            with suppress(asyncio.CancelledError):
                await asyncio.gather(*leaving)
            bodies = [(n, await task) for n, task in enumerate(tasks) if task not in leaving]
            joins += sum(body["extensions"]["upstream"]["joins"] for _, body in bodies)
            wrong = [n for n, body in bodies if _whole(body) != alone[n % 2]]
            assert wrong == []
    del tasks, leaving, task
    gc.collect()  # what was left behind speaks up here, not in the next test
    assert given_up > 0, "no request was given up"
    assert joins > 0, "no call was shared"


def _whole(body: dict[str, Any]) -> Any:
    """The data of an answer without errors."""
    return body["data"] if "errors" not in body else body["errors"]


@pytest.mark.parametrize(("switch", "calls"), [("true", 1), ("false", 8)])
async def test_switch_shares_or_not(stack: Stack, switch: str, calls: int) -> None:
    """Feeds that arrive at one moment have their stats from one call, and with
    `upstreams.coalesce` off from a call each."""
    home = registered(stack.settings("ios"), "ios", "Home")
    told = {"BFF__UPSTREAMS__COALESCE": switch}
    held: list[HoldingTransport] = []

    def hold(real: Transport) -> Transport:
        held.append(HoldingTransport(real))
        return held[0]

    async with stack.gateway("ios", hold, told) as client:
        token = stack.token()
        bodies = await asyncio.gather(*(ask(client, home.id, token=token) for _ in range(8)))
    assert [body["data"] for body in bodies] == [bodies[0]["data"]] * 8
    assert held[0].paths.count("/v1/feed") == 8
    assert held[0].paths.count("/v1/stats/batch") == calls
