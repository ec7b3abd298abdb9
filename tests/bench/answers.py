"""The stub services' answers as ready HTTP bytes: joined from encoded pieces, never encoded twice.

Paths, parameters and shapes are those of `bff/upstreams`; `stubs.py` only moves the bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import orjson

from core_services.kit.times import to_wire
from tests.bench.data import Data
from tests.bench.growth_data import node

NOT_FOUND = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"
Answer = Callable[[bytes, bytes, bytes], bytes]  # query, x-viewer, body


def http(body: bytes) -> bytes:
    """A 200 of a JSON body."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % len(body) + body


def viewer_of(value: bytes) -> str:
    """The account an `x-viewer` header speaks for: a gateway's signed assertion, or the plain id
    of a peer that has no signing. A stub trusts everybody."""
    if value.count(b".") != 2:
        return value.decode()
    payload = value.split(b".")[1]
    claims = orjson.loads(base64.urlsafe_b64decode(payload + b"=" * (-len(payload) % 4)))
    return str(claims["sub"])


class Batch:
    """A list-wise method: pieces by id, in the order asked for; unknown ids are left out."""

    def __init__(self, name: str, records: Mapping[str, Any]) -> None:
        self._begin = orjson.dumps(name).join((b"{", b":["))
        self._pieces = {id_: orjson.dumps(record) for id_, record in records.items()}

    def __call__(self, query: bytes, viewer: bytes, body: bytes) -> bytes:
        pieces = self._pieces
        found = b",".join([pieces[id_] for id_ in orjson.loads(body)["ids"] if id_ in pieces])
        return http(self._begin + found + b"]}")


class Nodes:
    """The nodes of the growth figures, by number; made on first use, then the same bytes."""

    def __init__(self) -> None:
        self._pieces: dict[str, bytes] = {}
        self._pages: dict[bytes, bytes] = {}

    def batch(self, query: bytes, viewer: bytes, body: bytes) -> bytes:
        """Nodes by id, in the order asked for."""
        return self._answer(orjson.loads(body)["ids"])

    def page(self, query: bytes, viewer: bytes, body: bytes) -> bytes:
        """The first so many."""
        found = self._pages.get(query)
        if found is None:
            first = int(query.removeprefix(b"first="))
            found = self._pages[query] = self._answer([f"n_{number}" for number in range(first)])
        return found

    def _answer(self, ids: list[str]) -> bytes:
        return http(b'{"nodes":[' + b",".join([self._piece(id_) for id_ in ids]) + b"]}")

    def _piece(self, id_: str) -> bytes:
        found = self._pieces.get(id_)
        if found is None:
            found = self._pieces[id_] = orjson.dumps(node(int(id_.removeprefix("n_"))))
        return found


class Page:
    """A viewer's own page: made on first use for each viewer and size, then the same bytes."""

    def __init__(self, make: Callable[[str, int], Any], default: int) -> None:
        self._make = make
        self._default = default
        self._made: dict[tuple[bytes, bytes], bytes] = {}

    def __call__(self, query: bytes, viewer: bytes, body: bytes) -> bytes:
        found = self._made.get((query, viewer))
        if found is None:
            first = int(parse_qs(query.decode()).get("first", [str(self._default)])[0])
            found = http(orjson.dumps(self._make(viewer_of(viewer), first)))
            self._made[query, viewer] = found
        return found


def _revocations(query: bytes, viewer: bytes, body: bytes) -> bytes:
    return http(orjson.dumps({"revocations": [], "as_of": to_wire(datetime.now(UTC))}))


def answers(data: Data, public_keys: Mapping[str, Any]) -> dict[str, dict[bytes, Answer]]:
    """By service and path; `public_keys` is the JWK set that verifies access tokens."""

    def feed(viewer: str, first: int) -> Any:
        entries = data.feeds[viewer][:first]
        return {"entries": entries, "next_cursor": f"after-{first}", "has_more": True}

    def head(viewer: str, first: int) -> Any:
        found = data.heads[viewer]
        return {**found, "latest": found["latest"][:first]}

    nodes = Nodes()
    keys = http(orjson.dumps(public_keys))
    return {
        "accounts": {
            b"/v1/cards/batch": Batch("cards", data.cards),
            b"/.well-known/jwks.json": lambda query, viewer, body: keys,
            b"/v1/revocations": _revocations,
        },
        "content": {
            b"/v1/feed": Page(feed, 20),
            b"/v1/stats/batch": Batch("stats", data.stats),
            b"/v1/bench/nodes": nodes.page,
            b"/v1/bench/nodes/batch": nodes.batch,
        },
        "notifications": {b"/v1/inbox/head": Page(head, 3)},
    }


# What a gateway asks for by itself, and no request pays for.
BACKGROUND = frozenset({b"/.well-known/jwks.json", b"/v1/revocations"})
