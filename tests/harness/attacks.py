"""One attack on a gateway as data, sent over a socket of its own, with what came back and how fast;
and a gateway that is closed as in production to send them to."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from unittest import mock
from urllib.parse import urlencode, urlsplit

import httpx2

from bff.commands.processes import Child, Children
from bff.upstreams.transport import Incoming, Outgoing, Transport
from tests.harness.databases import free_port
from tests.harness.raw_http import Wire
from tests.harness.stack import PATIENT, Stack

JSON = "application/json"
ANSWER_WITHIN_S = 1.0
# What no answer of a closed gateway may hold: names of the schema that were not asked for, words of
# the code, of libraries, of the machine.
LEAKS = re.compile(
    rb"Did you mean|Traceback|\.py\b|/home/|/usr/|site-packages|strawberry|uvicorn|starlette|"
    rb"msgspec|displayName|facet_\w+_total|core_service_|127\.0\.0\.1|graphiql",
    re.I,
)


@dataclass(frozen=True)
class Told:
    """What came back; status 0 where the connection was ended without a word."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def codes(self) -> set[str]:
        """Codes of the answer, of each member where it is an array."""
        found = json.loads(self.body)
        members = found if isinstance(found, list) else [found]
        return {error["extensions"]["code"] for one in members for error in one.get("errors", ())}

    @property
    def data(self) -> list[Any]:
        """What was answered beside errors."""
        found = json.loads(self.body)
        members = found if isinstance(found, list) else [found]
        return [one["data"] for one in members if one.get("data") is not None]


@dataclass(frozen=True)
class Attack:
    """A request. `body` is JSON unless it is bytes; `raw` replaces the whole request."""

    name: str
    body: Any = None
    method: str = "POST"
    path: str = "/graphql"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    raw: bytes | None = None

    def __str__(self) -> str:
        return self.name

    def bytes(self) -> bytes:
        """The request as it is sent; its connection is to be closed after the answer."""
        if self.raw is not None:
            return self.raw
        content = self.body if isinstance(self.body, bytes) else b""
        if self.body is not None and not isinstance(self.body, bytes):
            content = json.dumps(self.body).encode()
        target = self.path + (f"?{urlencode(self.query)}" if self.query else "")
        named = {"host": "facet.example", "connection": "close", **self.headers}
        if content or self.method == "POST":
            named = {"content-type": JSON, "content-length": str(len(content)), **named}
        lines = [f"{self.method} {target} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in named.items() if value]
        return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def send(url: str, attack: Attack) -> Told:
    """Send an attack on a connection of its own and read until the gateway has had its say."""
    with Wire(urlsplit(url).port or 0) as wire:
        begun = time.monotonic()
        wire.send(attack.bytes())
        try:
            answer = wire.read()
        except (EOFError, ConnectionError):
            return Told(0, {}, b"", time.monotonic() - begun)
        return Told(answer.status, answer.headers, answer.body, time.monotonic() - begun)


def survived(url: str, attack: Attack) -> Told:
    """The answer, that it came in time, tells nothing of the inside, and left the gateway able to
    answer the next one."""
    told = send(url, attack)
    assert told.seconds < ANSWER_WITHIN_S, attack
    assert told.status < 500, (attack, told)
    found = LEAKS.search(told.body)
    assert found is None, (attack, found)
    assert "server" not in told.headers
    assert told.status == 0 or told.headers["x-content-type-options"] == "nosniff"
    alive = send(url, Attack("alive", method="GET", path="/healthz"))
    assert alive.status == 200, attack
    return told


@dataclass(frozen=True)
class Closed:
    """A gateway in this process, as in production but for the policy: it takes any text. `asked` is
    every call it made to a core service."""

    client: httpx2.AsyncClient
    asked: list[Outgoing]


class _Watched:
    """A transport that remembers what was asked."""

    def __init__(self, real: Transport, asked: list[Outgoing]) -> None:
        self._real = real
        self._asked = asked

    async def send(self, call: Outgoing) -> Incoming:
        self._asked.append(call)
        return await self._real.send(call)

    async def close(self) -> None:
        await self._real.close()


@asynccontextmanager
async def closed_here(stack: Stack) -> AsyncIterator[Closed]:
    """One for several files of attacks: making a gateway takes a second."""
    asked: list[Outgoing] = []
    told = {
        "BFF_ENV": "production",
        "BFF__DOCUMENTS__POLICY": "open",
        "BFF__EDGE__COOKIE_CREDENTIAL": "true",
    }
    async with stack.gateway("ios", lambda real: _Watched(real, asked), told) as client:
        yield Closed(client, asked)


@contextmanager
def closed_gateway(
    stack: Stack, platform: str = "ios", more: Mapping[str, str] = MappingProxyType({})
) -> Iterator[Child]:
    """One more gateway process, with production's defaults and a browser's cookie as a credential,
    in front of the stack's services."""
    port = free_port()
    closed = {
        "BFF_ENV": "production",
        "BFF__EDGE__COOKIE_CREDENTIAL": "true",
        "BFF__EDGE__LAME_DUCK_S": "0",
        **more,
    }
    name = f"bff-{platform}-closed-{port}"
    command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port)]
    with Children() as children, mock.patch.dict(os.environ, closed):
        environment = {**PATIENT, **stack.where.bff_environment(platform), **closed}
        child = children.start(
            name, command, environment, f"http://127.0.0.1:{port}", stack.where.log_file(name)
        )
        children.wait_ready(child)
        yield child
        assert child.process.poll() is None
