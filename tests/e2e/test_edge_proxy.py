"""The edge proxy of deploy/edge, a real nginx: what it passes on, keeps, strips and refuses."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pyreqwest.client import Client
from pyreqwest.response import Response
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.harness.databases import free_port
from tests.harness.edge_proxy import DOMAIN, Edge, running_edge
from tests.harness.raw_http import Seen, echoing
from tests.harness.stack import PLATFORMS, Stack, registered

pytestmark = pytest.mark.modeless

EDGE_HEADERS = {
    "strict-transport-security": "max-age=63072000; includeSubDomains",
    "x-content-type-options": "nosniff",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    "referrer-policy": "no-referrer",
}


@pytest.fixture(scope="module")
def edge(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    """Before the session's gateways; each platform has a second one that is down."""
    gateways = {
        platform: [f"127.0.0.1:{free_port()}", f"127.0.0.1:{stack.where.bff_port(platform)}"]
        for platform in PLATFORMS
    }
    with running_edge(tmp_path_factory.mktemp("edge"), gateways) as running:
        yield running


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Edge, Seen]]:
    """Before a server that answers with what it saw, as iOS; nobody answers for the others."""
    app = Seen()
    with (
        echoing(HttpToolsProtocol, app) as port,
        running_edge(tmp_path_factory.mktemp("mirror"), {"ios": [f"127.0.0.1:{port}"]}) as running,
    ):
        yield running, app


async def post(
    client: Client, url: str, body: Any, headers: dict[str, str] | None = None
) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    named = {"content-type": "application/json", **(headers or {})}
    return await client.post(f"{url}/graphql").headers(named).body_bytes(content).build().send()


@pytest.mark.parametrize("platform", PLATFORMS)
async def test_home_comes_through(stack: Stack, edge: Edge, token: str, platform: str) -> None:
    """Every platform's home screen is answered over TLS and HTTP/2, to its viewer; each time,
    though one of the two gateways is down."""
    home = registered(stack.settings(platform), platform, "Home").id
    told = {"authorization": f"Bearer {token}"}
    async with edge.client() as client:
        for _ in range(6):
            answer = await post(client, edge.url(platform), {"documentId": home}, told)
            body = await answer.json()
            assert (answer.status, answer.version) == (200, "HTTP/2.0")
            assert body["data"]["home"]["viewer"]["displayName"] == "Demo Reader"
    for name, value in EDGE_HEADERS.items():
        assert answer.get_header_all(name) == [value]


async def test_public_answers_are_kept(stack: Stack, edge: Edge, token: str) -> None:
    """A public document is asked of a gateway once, and what a viewer gets is never kept."""
    settings = stack.settings("web")
    public = registered(settings, "web", "PublicContent").id
    home = registered(settings, "web", "Home").id
    variables = '?variables={"id":"itm_00011"}'
    told = {"authorization": f"Bearer {token}"}
    async with edge.client() as client:
        shared = f"{edge.url('web')}/documents/{public}/PublicContent{variables}"
        seen = [await client.get(shared).build().send() for _ in range(3)]
        own = f"{edge.url('web')}/documents/{home}/Home"
        mine = [await client.get(own).headers(told).build().send() for _ in range(2)]
        guest = await client.get(own).build().send()
        assert [one.get_header("x-cache") for one in seen] == ["MISS", "HIT", "HIT"]
        assert len({await one.text() for one in seen}) == 1
        assert {one.get_header("x-cache") for one in (*mine, guest)} == {"MISS"}
        assert "Demo Reader" in await mine[1].text()
        assert "Demo Reader" not in await guest.text()


@pytest.mark.parametrize(
    "path",
    [
        "/metrics",
        "/readyz",
        "/healthz",
        "/",
        "/graphql/",
        "/documents",
        "/documents/../metrics",
        "/documents/%2e%2e/metrics",
        "/documents/a/..%2f..%2fmetrics",
        "//metrics",
        "/openapi.json",
    ],
)
async def test_other_paths_end_here(edge: Edge, path: str) -> None:
    """Nothing but the two paths for apps is reached from outside, however it is spelt."""
    with tls(edge) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nhost: ios.{DOMAIN}\r\n\r\n".encode())
        answer = connection.recv(65_536)
    assert answer.split(b" ")[1] in (b"404", b"400"), answer
    assert b"facet_" not in answer
    assert b'"code":"' in answer


def tls(edge: Edge, name: str = f"ios.{DOMAIN}", context: ssl.SSLContext | None = None) -> Any:
    """A connection written by hand; HTTP/1.1, since no other protocol is asked for."""
    plain = socket.create_connection(("127.0.0.1", edge.port), timeout=20)
    return (context or edge.tls()).wrap_socket(plain, server_hostname=name)


async def test_internal_headers_are_stripped(mirror: tuple[Edge, Seen]) -> None:
    """What our own processes tell each other, an app cannot say; the address is the connection's,
    and one request id goes all the way."""
    edge, _ = mirror
    forged = {
        "x-viewer": "forged",
        "forwarded": "for=1.2.3.4",
        "x-forwarded-for": "1.2.3.4",
        "x-real-ip": "1.2.3.4",
        "x-forwarded-host": "evil.example",
        "x-request-id": "mine",
        "authorization": "Bearer kept",
    }
    async with edge.client() as client:
        answer = await post(client, edge.url("ios"), {}, forged)
        saw = dict((await answer.json())["headers"])
        unnamed = dict((await (await post(client, edge.url("ios"), {})).json())["headers"])
    assert not {"x-viewer", "forwarded", "x-real-ip", "x-forwarded-host"} & saw.keys()
    assert (saw["x-forwarded-for"], saw["x-forwarded-proto"]) == ("127.0.0.1", "https")
    assert (saw["x-request-id"], saw["authorization"]) == ("mine", "Bearer kept")
    assert saw["host"] == f"ios.{DOMAIN}"
    assert len(unnamed["x-request-id"]) == 32


async def test_slow_bodies_stay_here(mirror: tuple[Edge, Seen]) -> None:
    """A gateway hears of a request when it is whole, and not before."""
    edge, app = mirror
    begun = app.begun
    with tls(edge) as connection:
        connection.sendall(
            f"POST /graphql HTTP/1.1\r\nhost: ios.{DOMAIN}\r\ncontent-length: 4\r\n\r\nab".encode()
        )
        async with edge.client() as client:  # the proxy has had time: others were answered
            await post(client, edge.url("ios"), {})
        assert app.begun == begun + 1
        connection.sendall(b"cd")
        assert b"200" in await asyncio.to_thread(connection.recv, 64)
    assert app.begun == begun + 2


async def test_refusals_are_typed(mirror: tuple[Edge, Seen]) -> None:
    """Too large a body, a platform without any gateway, and too large a head: each has the code an
    app knows, and every answer the headers of the edge."""
    edge, app = mirror
    begun = app.begun
    async with edge.client() as client:
        large = await post(client, edge.url("ios"), b"x" * 65_537)
        gone = await post(client, edge.url("web"), b"{}")
        for answer, status, code in (
            (large, 413, "REQUEST_TOO_LARGE"),
            (gone, 503, "OVERLOADED"),
        ):
            assert answer.status == status
            assert (await answer.json())["errors"][0]["extensions"]["code"] == code
            for name, value in EDGE_HEADERS.items():
                assert answer.get_header_all(name) == [value], (status, name)
            assert "nginx/" not in (answer.get_header("server") or "")
    assert gone.get_header("retry-after") == "1"
    with tls(edge) as connection:
        long = f"GET /graphql HTTP/1.1\r\nhost: ios.{DOMAIN}\r\nlong: {'x' * 40_000}\r\n\r\n"
        connection.sendall(long.encode())
        told = connection.recv(65_536)
    assert told.startswith(b"HTTP/1.1 431 ")
    assert b"strict-transport-security" in told
    assert app.begun == begun


def test_plain_http_is_refused(edge: Edge) -> None:
    """Without TLS nothing is answered or redirected, only whether the proxy runs."""
    base = f"http://127.0.0.1:{edge.probe_port}"
    assert httpx2.get(f"{base}/graphql").status_code == 403
    assert httpx2.get(f"{base}/healthz").json() == {"status": "ok"}


def test_strangers_get_no_handshake(edge: Edge) -> None:
    """Another name, and TLS older than 1.2, end before any certificate is shown."""
    with pytest.raises(ssl.SSLError), tls(edge, "other.example"):
        pass
    old = edge.tls()
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError), tls(edge, context=old):
        pass


def test_other_hosts_are_refused(mirror: tuple[Edge, Seen]) -> None:
    """Who shakes hands with one of our names and then asks for another host is refused like
    anybody, by the proxy, and no gateway hears of it."""
    edge, app = mirror
    before = app.begun
    with tls(edge) as connection:
        connection.sendall(b"GET /graphql HTTP/1.1\r\nhost: other.example\r\n\r\n")
        answer = connection.recv(65_536)
    assert answer.startswith(b"HTTP/1.1 421 ")
    assert b'"code":"NOT_FOUND"' in answer
    for name, value in EDGE_HEADERS.items():
        assert f"{name}: {value}".encode() in answer.replace(b"\r", b"")
    assert app.begun == before


def test_log_names_nobody(stack: Stack, edge: Edge, token: str) -> None:
    """The proxy's log is one JSON object a request, joined to the others' by the request id,
    without address, query string or token."""
    home = registered(stack.settings("ios"), "ios", "Home").id
    target = f"/documents/{home}/Home?variables=%7B%22secret%22%3A1%7D"
    with tls(edge) as connection:
        connection.sendall(
            f"GET {target} HTTP/1.1\r\nhost: ios.{DOMAIN}\r\nx-request-id: logged-here\r\n"
            f"authorization: Bearer {token}\r\nconnection: close\r\n\r\n".encode()
        )
        while connection.recv(65_536):
            pass
    lines = (Path(edge.folder) / "access.log").read_text().splitlines()
    mine = [one for one in map(json.loads, lines) if one["request_id"] == "logged-here"]
    assert len(mine) == 1
    assert mine[0]["service"] == "edge"
    assert not {"secret", token, "variables"} & set(mine[0].values())
    assert "secret" not in edge.log()
    assert token not in edge.log()
