"""The one request of the bench, as bytes: the registered operation by its id, in Apollo's form.

All rows get the same bytes but for who asks: rows that check tokens get one, the others an id.
"""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlencode

import orjson

from tests.bench.http1 import Reply
from tests.bench.setting import Setting


@dataclass(frozen=True)
class Variant:
    """One way of asking for the same data."""

    method: Literal["GET", "POST"] = "GET"
    gzip: bool = False


PLAIN, GZIP, POST = Variant(), Variant(gzip=True), Variant("POST")


def request(setting: Setting, variant: Variant, viewer: str, *, signed: bool) -> bytes:
    """The request of a viewer; `signed`: with an access token."""
    operation = setting.operation
    found = {"version": 1, "sha256Hash": operation.id}
    asked: dict[str, Any] = {
        "operationName": operation.name,
        "variables": setting.variables,
        "extensions": {"persistedQuery": found},
    }
    who = f"authorization: Bearer {setting.identities.tokens[viewer]}"
    headers = [
        "host: 127.0.0.1",
        "accept: application/json",
        f"accept-encoding: {'gzip' if variant.gzip else 'identity'}",
        "apollographql-client-name: dev.facet.ios",
        f"apollographql-client-version: {setting.release}",
        "apollo-require-preflight: true",  # Apollo Server refuses a GET without
        who if signed else f"x-user: {viewer}",
    ]
    body = b""
    target = "/graphql"
    if variant.method == "POST":
        body = orjson.dumps(asked)
        headers += ["content-type: application/json", f"content-length: {len(body)}"]
    else:
        target += "?" + urlencode(
            {k: v if isinstance(v, str) else orjson.dumps(v).decode() for k, v in asked.items()}
        )
    head = "\r\n".join([f"{variant.method} {target} HTTP/1.1", *headers])
    return head.encode() + b"\r\n\r\n" + body


def post(document_id: str, variables: dict[str, Any]) -> bytes:
    """The request of any registered document, by nobody."""
    body = orjson.dumps({"documentId": document_id, "variables": variables})
    head = (
        b"POST /graphql HTTP/1.1\r\nhost: 127.0.0.1\r\naccept: application/json\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n"
    )
    return head % len(body) + body


def difference(reply: Reply, variant: Variant, expected: dict[str, Any]) -> str | None:
    """What is wrong with an answer, None if nothing is: status, coding, errors, data."""
    if reply.status != 200:
        return f"status {reply.status}: {reply.body[:300]!r}"
    coded = b"\r\ncontent-encoding: gzip" in reply.head.lower()
    if coded != variant.gzip:
        return "the answer came compressed" if coded else "the answer did not come compressed"
    found = orjson.loads(gzip.decompress(reply.body) if coded else reply.body)
    if found.get("errors"):
        return f"errors: {found['errors'][:2]}"
    if found.get("data") == expected:
        return None
    return f"other data at {_first_difference(found.get('data'), expected, 'data')}"


def _first_difference(found: Any, expected: Any, path: str) -> str:
    if isinstance(found, dict) and isinstance(expected, dict) and found.keys() == expected.keys():
        for key in expected:
            if found[key] != expected[key]:
                return _first_difference(found[key], expected[key], f"{path}.{key}")
    if isinstance(found, list) and isinstance(expected, list) and len(found) == len(expected):
        for number, (one, other) in enumerate(zip(found, expected, strict=True)):
            if one != other:
                return _first_difference(one, other, f"{path}.{number}")
    return f"{path}: {str(found)[:200]} instead of {str(expected)[:200]}"
