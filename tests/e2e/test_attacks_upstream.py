"""S8: no request makes a gateway ask anybody but its core services, at the paths it knows.

Nothing is fetched by an address that an app gives: there are no uploads, no avatars by URL, no
webhooks. What is tried is to bend a call that is made anyway.
"""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from bff.commands.development import SERVICES
from bff.upstreams.transport import Outgoing
from tests.harness.attacks import Closed
from tests.harness.stack import Stack, registered

pytestmark = pytest.mark.modeless

# The paths of bff/upstreams, `{…}` as one segment.
KNOWN = re.compile(
    r"/v1/(saved/[^/]+|saved|continue|feed|profile|addresses|sign-in|sign-out|revocations|preferences|"
    r"inbox|inbox/(head|read)|(cards|items|item-details|stats|comments|related|viewer-states)/batch)"
    r"|/\.well-known/jwks\.json"
)


@dataclass
class Listener:
    """Waits for a call that must never come."""

    url: str = ""
    answer: bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    seen: list[bytes] = field(default_factory=list)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Listener]:
        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            while head := await reader.read(65_536):
                self.seen.append(head)
                writer.write(self.answer)
                await writer.drain()
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        try:
            yield self
        finally:
            server.close()


@pytest.fixture
async def listener() -> AsyncIterator[Listener]:
    async with Listener().listening() as made:
        yield made


SPELLINGS: dict[str, Callable[[str], str]] = {
    "address": lambda host: f"http://{host}/",
    "address without scheme": lambda host: f"//{host}/",
    "backslashes": lambda host: f"\\\\{host}\\",
    "user part": lambda host: f"@{host}/",
    "user and password": lambda host: f"x:y@{host}",
    "dots": lambda _: "..",
    "a dot": lambda _: ".",
    "up and on": lambda _: "../sign-out",
    "up far": lambda _: "../../../../healthz",
    "escaped dots": lambda _: "%2e%2e",
    "escaped slash": lambda _: "..%2fprofile",
    "twice escaped": lambda _: "%252e%252e%252fprofile",
    "dots in full width": lambda _: "\uff0e\uff0e/profile",
    "query": lambda _: "itm_00001?admin=true",
    "fragment": lambda _: "itm_00001#x",
    "semicolon": lambda _: "itm_00001;/../profile",
    "line break": lambda host: f"x HTTP/1.1\r\nhost: {host}\r\nx-viewer: forged\r\n\r\n",
    "NUL": lambda host: f"itm\0http://{host}",
    "blanks": lambda host: f" http://{host}",
    "bytes beyond ASCII": lambda _: "\u2025/\u2044profile",
    "empty": lambda _: "",
}


@pytest.mark.parametrize("operation", ["SaveItem", "UnsaveItem"])
@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_ids_choose_no_address(
    stack: Stack,
    closed: Closed,
    listener: Listener,
    token: str,
    spelling: str,
    operation: str,
) -> None:
    """An id that goes into a path stays one segment of it, however it is spelt."""
    closed.asked.clear()
    given = SPELLINGS[spelling](listener.url.removeprefix("http://"))
    answer = await closed.client.post(
        "/graphql",
        json={
            "documentId": registered(stack.settings("ios"), "ios", operation).id,
            "variables": {"input": {"idempotencyKey": uuid.uuid4().hex, "itemId": given}},
        },
        headers={"authorization": f"Bearer {token}"},
    )
    assert answer.status_code == 200
    assert answer.json()["errors"]
    _only_services(stack, closed.asked)
    assert all(
        call.url.partition("?")[0].count("/") == 5 for call in closed.asked if "saved/" in call.url
    )
    assert listener.seen == []


def _only_services(stack: Stack, asked: list[Outgoing]) -> None:
    hosts = {urlsplit(stack.where.service_url(service)).netloc for service in SERVICES}
    for call in asked:
        target = urlsplit(call.url)
        assert target.netloc in hosts, call.url
        assert KNOWN.fullmatch(target.path), call.url
        assert not re.search(r"/\.\.?(/|$)|[\s\x00-\x1f]", target.path), call.url
        assert not any("\r" in value or "\n" in value for value in call.headers.values())


@pytest.mark.parametrize(
    "headers",
    [
        {"host": "HOST"},
        {"x-forwarded-host": "HOST"},
        {"x-forwarded-server": "HOST", "x-host": "HOST"},
        {"forwarded": "host=HOST;proto=http"},
        {"x-original-url": "http://HOST/", "x-rewrite-url": "http://HOST/"},
        {"referer": "http://HOST/", "origin": "http://HOST"},
        {"proxy": "http://HOST/", "x-proxy": "http://HOST/"},
    ],
)
async def test_headers_choose_no_address(
    stack: Stack,
    closed: Closed,
    listener: Listener,
    token: str,
    headers: dict[str, str],
) -> None:
    """No header of an app leads a call elsewhere, or travels on to a service."""
    closed.asked.clear()
    host = listener.url.removeprefix("http://")
    told = {name: value.replace("HOST", host) for name, value in headers.items()}
    home = registered(stack.settings("ios"), "ios", "Home").id
    answer = await closed.client.post(
        "/graphql",
        json={"documentId": home},
        headers={"authorization": f"Bearer {token}", **told},
    )
    assert answer.json()["data"]["home"]["viewer"]["displayName"] == "Demo Reader"
    assert closed.asked
    _only_services(stack, closed.asked)
    assert not any(host in value for call in closed.asked for value in call.headers.values())
    assert listener.seen == []


@pytest.mark.parametrize(
    "status",
    [307, *(pytest.param(other, marks=pytest.mark.verify) for other in (301, 302, 303, 308))],
)
async def test_redirects_lead_nowhere(
    stack: Stack, listener: Listener, token: str, status: int
) -> None:
    """A service that redirects is a bad answer; its credential and viewer travel nowhere."""
    turning = Listener()
    turning.answer = (
        f"HTTP/1.1 {status} Go\r\nlocation: {listener.url}/v1/feed\r\ncontent-length: 0\r\n\r\n"
    ).encode()
    home = registered(stack.settings("ios"), "ios", "Home").id
    async with turning.listening():
        told = {"BFF__UPSTREAMS__SERVICES__CONTENT__URL": turning.url}
        async with stack.gateway("ios", environment=told) as client:
            answer = await client.post(
                "/graphql",
                json={"documentId": home},
                headers={"authorization": f"Bearer {token}"},
            )
    assert b"authorization: Bearer " in b"".join(turning.seen).replace(
        b"Authorization", b"authorization"
    )
    codes = {error["extensions"]["code"] for error in answer.json()["errors"]}
    assert codes <= {"UPSTREAM_BAD_RESPONSE", "UPSTREAM_OVERLOADED"}
    assert listener.seen == []
