"""Gateways and services bound the head of a request, read no trailers, and go on serving."""

from __future__ import annotations

import json
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.harness.raw_http import RawAnswer, Wire, head_of
from tests.harness.stack import Stack, registered

pytestmark = pytest.mark.modeless

LARGEST_HEAD = 32_768
NAMES = ["ios", "accounts"]


def url(stack: Stack, name: str) -> str:
    """The base URL of a gateway or a service."""
    return stack.url(name) if name == "ios" else stack.where.service_url(name)


def connected(base: str) -> Wire:
    return Wire(urlsplit(base).port or 0)


def code(answer: RawAnswer) -> str:
    """The code of a refusal, in the form of whoever refused."""
    told = json.loads(answer.body)
    if answer.headers["content-type"] == "application/problem+json":
        return str(told["code"])
    assert answer.headers["x-content-type-options"] == "nosniff"
    return str(told["errors"][0]["extensions"]["code"])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("target", ["/healthz", "/graphql", "/nowhere"])
def test_large_heads_are_refused(stack: Stack, name: str, target: str) -> None:
    """The largest head is answered, one byte more is 431 at every path, the next is answered."""
    with connected(url(stack, name)) as wire:
        wire.send(head_of(LARGEST_HEAD, target))
        assert wire.read().status != 431
        wire.send(head_of(LARGEST_HEAD + 1, target))
        refused = wire.read()
        assert wire.is_ended()
    assert (refused.status, code(refused)) == (431, "REQUEST_TOO_LARGE")
    assert httpx2.get(f"{url(stack, name)}/healthz").status_code == 200


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhuge: "])
def test_endless_heads_are_refused(stack: Stack, name: str, start: bytes) -> None:
    """A URL or a header of 100 MB is refused while it is sent, and costs nobody else anything."""
    with connected(url(stack, name)) as wire:
        wire.send(start)
        assert wire.send_until_answered(b"x" * 65_536, 100_000_000) < 16_000_000
        assert wire.read().status == 431
    assert httpx2.get(f"{url(stack, name)}/readyz").status_code == 200


def test_a_token_in_trailers_is_none(stack: Stack, token: str) -> None:
    """An access token, a request id or a media type sent as trailers have no effect."""
    home = registered(stack.settings("ios"), "ios", "Home")
    body = json.dumps({"documentId": home.id}).encode()
    head = (
        b"POST /graphql HTTP/1.1\r\nhost: facet\r\ncontent-type: application/json\r\n"
        b"transfer-encoding: chunked\r\n"
    )
    chunk = b"\r\n%x\r\n%b\r\n0\r\n" % (len(body), body)
    signed_in = b"authorization: Bearer " + token.encode() + b"\r\n"
    trailers = signed_in + b"x-request-id: forged\r\ncontent-type: text/plain\r\n"
    with connected(stack.url("ios")) as wire:
        wire.send(head + chunk + trailers + b"\r\n")
        guest = wire.read()
        wire.send(head + signed_in + chunk + b"\r\n")
        viewer = wire.read()
    assert (guest.status, viewer.status) == (200, 200)
    assert guest.headers["x-request-id"] != "forged"
    assert "Demo Reader" in viewer.body.decode()
    assert "Demo Reader" not in guest.body.decode()


def test_a_credential_in_trailers_is_none(stack: Stack) -> None:
    """A service does not know a caller whose credential comes as a trailer."""
    with connected(stack.where.service_url("accounts")) as wire:
        wire.send(
            b"POST /v1/cards/batch HTTP/1.1\r\nhost: facet\r\ncontent-type: application/json\r\n"
            b'transfer-encoding: chunked\r\n\r\nf\r\n{"ids":["a"]}  \r\n0\r\n'
            b"authorization: Bearer x\r\nx-request-id: forged\r\n\r\n"
        )
        answer = wire.read()
    assert (answer.status, code(answer)) == (401, "CALLER_UNKNOWN")
    assert answer.headers["x-request-id"] != "forged"


@pytest.mark.parametrize(
    ("line", "status", "named"),
    [
        (b"OPTIONS * HTTP/1.1", 404, "NOT_FOUND"),
        (b"GET /nowhere HTTP/1.1", 404, "NOT_FOUND"),
        (b"DELETE /graphql HTTP/1.1", 405, "METHOD_NOT_ALLOWED"),
        (b"CONNECT facet:80 HTTP/1.1", 400, "BAD_REQUEST"),
    ],
)
def test_odd_targets_are_answered(stack: Stack, line: bytes, status: int, named: str) -> None:
    """Whatever is asked of a gateway, the answer is JSON with a code, and is not sniffed."""
    with connected(stack.url("ios")) as wire:
        wire.send(line + b"\r\nhost: facet\r\nx-request-id: mine\r\n\r\n")
        answer = wire.read()
    assert (answer.status, code(answer)) == (status, named)
    assert status == 400 or answer.headers["x-request-id"] == "mine"


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/graphql", "/nowhere"])
def test_no_answer_is_sniffed(stack: Stack, path: str) -> None:
    """Every answer of a gateway tells browsers to take its media type as it is."""
    answer = httpx2.get(stack.url("ios") + path)
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
