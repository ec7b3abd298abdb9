"""Asks a gateway over a connection of its own, and tells whatever comes of it."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.bench.http1 import Reply, read_reply

HANGS_AFTER_S = 5.0


@dataclass(frozen=True)
class Answer:
    """What came: an HTTP answer, or `failure` in its place."""

    took_s: float
    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    failure: str | None = None

    @property
    def json(self) -> Any:
        """The body; None where it is no JSON."""
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError:
            return None


def request(
    body: Mapping[str, Any] | None,
    token: str | None = None,
    *,
    target: str = "/graphql",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """A POST of this JSON as bytes, or a GET of the target."""
    content = b"" if body is None else json.dumps(body).encode()
    told = {"host": "facet.test", "content-type": "application/json", **(headers or {})}
    if token is not None:
        told["authorization"] = f"Bearer {token}"
    if body is not None:
        told["content-length"] = str(len(content))
    lines = [f"{'GET' if body is None else 'POST'} {target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in told.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


async def ask(port: int, asked: bytes, hangs_after_s: float = HANGS_AFTER_S) -> Answer:
    """One request and its answer; never raises for what the other side does."""
    started = time.perf_counter()
    failure = "hung"
    writer = None
    try:
        async with asyncio.timeout(hangs_after_s):
            reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
            writer.write(asked)
            return await _read(reader, started)
    except TimeoutError:
        pass
    except (OSError, ValueError) as error:
        failure = f"{type(error).__name__}: {error}"
    finally:
        if writer is not None:
            writer.close()
    return Answer(time.perf_counter() - started, failure=failure)


async def _read(reader: asyncio.StreamReader, started: float) -> Answer:
    data = b""
    while True:
        reply = whole_reply(data)
        if reply is not None:
            took = time.perf_counter() - started
            return Answer(took, reply.status, headers_of(reply.head), reply.body)
        more = await reader.read(65_536)
        if not more:
            raise ConnectionError(f"hung up after {len(data)} bytes")
        data += more


def whole_reply(data: bytes) -> Reply | None:
    """The first answer in `data`, None while it is not whole; also one that never has a body."""
    end = data.find(b"\r\n\r\n")
    if end >= 0 and data[9:12] in (b"204", b"304"):
        return Reply(int(data[9:12]), data[:end], b"", end + 4)
    return read_reply(data)


def headers_of(head: bytes) -> dict[str, str]:
    """The headers of an answer, names in lower case."""
    found = {}
    for line in head.decode("latin-1").split("\r\n")[1:]:
        name, _, value = line.partition(":")
        found[name.lower()] = value.strip()
    return found
