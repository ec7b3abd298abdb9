"""The least Python can do: a bare ASGI application, the screen by hand, no GraphQL, no features.

Four calls, list-wise, over the same client library as our gateway, with typed decoding.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
import orjson
from isal import igzip
from pyreqwest.client import Client, ClientBuilder

from tests.bench import screen

Message = MutableMapping[str, Any]

settings: dict[str, Any] = orjson.loads(os.environ["BENCH"])
accounts, content, notifications = (
    settings["services"][name] for name in ("accounts", "content", "notifications")
)
decode_feed = msgspec.json.Decoder(screen.Feed).decode
decode_head = msgspec.json.Decoder(screen.Head).decode
decode_cards = msgspec.json.Decoder(screen.Cards).decode
decode_stats = msgspec.json.Decoder(screen.StatsList).decode
JSON = {"content-type": "application/json"}


class Upstream:
    """One pooled client, made on the loop that uses it."""

    def __init__(self) -> None:
        self._client: Client | None = None

    def _made(self) -> Client:
        if self._client is None:
            self._client = ClientBuilder().error_for_status(True).build()
        return self._client

    async def get(self, url: str, viewer: str) -> bytes:
        request = self._made().get(url).header("x-viewer", viewer).build()
        return bytes(await (await request.send()).bytes())

    async def post(self, url: str, ids: list[str]) -> bytes:
        body = orjson.dumps({"ids": ids})
        request = self._made().post(url).headers(JSON).body_bytes(body).build()
        return bytes(await (await request.send()).bytes())


upstream = Upstream()


async def home(viewer: str, first: int, latest: int) -> bytes:
    """The screen as JSON."""
    feed_bytes, head_bytes = await asyncio.gather(
        upstream.get(f"{content}/v1/feed?first={first}", viewer),
        upstream.get(f"{notifications}/v1/inbox/head?first={latest}", viewer),
    )
    feed, head = decode_feed(feed_bytes), decode_head(head_bytes)
    people, items = screen.wanted(viewer, feed, head)
    cards_bytes, stats_bytes = await asyncio.gather(
        upstream.post(f"{accounts}/v1/cards/batch", people),
        upstream.post(f"{content}/v1/stats/batch", items),
    )
    cards, stats = decode_cards(cards_bytes).cards, decode_stats(stats_bytes).stats
    return orjson.dumps(screen.home(viewer, feed, head, cards, stats))


async def app(
    scope: Message,
    receive: Callable[[], Awaitable[Message]],
    send: Callable[[Message], Awaitable[None]],
) -> None:
    if scope["type"] != "http":
        await _lifespan(receive, send)
        return
    headers = dict(scope["headers"])
    variables = await _variables(scope, receive)
    body = await home(headers[b"x-user"].decode(), variables["first"], variables["latest"])
    told = [(b"content-type", b"application/json")]
    if headers.get(b"accept-encoding") == b"gzip":
        body = igzip.compress(body, 1)
        told.append((b"content-encoding", b"gzip"))
    told.append((b"content-length", b"%d" % len(body)))
    await send({"type": "http.response.start", "status": 200, "headers": told})
    await send({"type": "http.response.body", "body": body})


async def _variables(scope: Message, receive: Callable[[], Awaitable[Message]]) -> Any:
    if scope["method"] == "GET":
        return orjson.loads(parse_qs(scope["query_string"])[b"variables"][0])
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return orjson.loads(body)["variables"]


async def _lifespan(
    receive: Callable[[], Awaitable[Message]], send: Callable[[Message], Awaitable[None]]
) -> None:
    while (message := await receive())["type"] != "lifespan.shutdown":
        await send({"type": f"{message['type']}.complete"})
    await send({"type": "lifespan.shutdown.complete"})
