"""What every request of every service meets before and after its route."""

import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from core_services.accounts.app import SERVICE
from core_services.accounts.settings import AccountsSettings
from core_services.kit import deadlines
from core_services.kit.app import build_app
from core_services.kit.deadlines import begin_deadline, check_deadline
from core_services.kit.errors import DeadlineSpent
from tests.harness.callers import Caller

CARDS = "/v1/cards/batch"


def problem(response: httpx2.Response) -> tuple[int, str]:
    """Return status and code, after checking that the answer is a complete problem."""
    assert response.headers["content-type"] == "application/problem+json"
    body = response.json()
    assert {"type", "title", "status", "code", "detail"} <= body.keys()
    assert body["status"] == response.status_code
    return response.status_code, body["code"]


async def test_public_paths_need_no_caller(client: httpx2.AsyncClient) -> None:
    """Health, readiness, metrics and the contract answer everybody."""
    for path in ("/healthz", "/readyz", "/metrics", "/openapi.json", "/.well-known/jwks.json"):
        assert (await client.get(path)).status_code == 200


@pytest.mark.parametrize("path", [CARDS, "/v1/profile", "/v1/nothing", "/", "/healthz/"])
async def test_other_paths_need_caller(client: httpx2.AsyncClient, path: str) -> None:
    """Without a credential nothing else answers, not even with 404 or 422."""
    response = await client.post(path, content=b"{")
    assert problem(response) == (401, "CALLER_UNKNOWN")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_viewer_is_required_where_declared(
    client: httpx2.AsyncClient, caller: Caller
) -> None:
    """A viewer operation without assertion, or with a bad one, is refused with its own code."""
    headers = caller.headers("accounts")
    assert problem(await client.get("/v1/profile", headers=headers)) == (401, "VIEWER_REQUIRED")
    headers["x-viewer"] = Caller.new("bff-ios").assertion("acc_00001")
    assert problem(await client.get("/v1/profile", headers=headers)) == (401, "VIEWER_INVALID")


async def test_unknown_path_and_method(client: httpx2.AsyncClient, caller: Caller) -> None:
    """404 and 405 are problems too, and 405 says what is allowed."""
    headers = caller.headers("accounts")
    assert problem(await client.get("/v1/nothing", headers=headers)) == (404, "NOT_FOUND")
    refused = await client.request("DELETE", CARDS, headers=headers)
    assert problem(refused) == (405, "METHOD_NOT_ALLOWED")
    assert refused.headers["allow"] == "POST"


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "", "application/jsonx"])
async def test_other_media_is_refused(
    client: httpx2.AsyncClient, caller: Caller, content_type: str
) -> None:
    """A body that does not say it is JSON is 415."""
    headers = caller.headers("accounts") | {"content-type": content_type}
    refused = await client.post(CARDS, headers=headers, content=b'{"ids":["a"]}')
    assert problem(refused) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def test_encoded_body_is_refused(client: httpx2.AsyncClient, caller: Caller) -> None:
    """A compressed body is 415: the size cap holds what arrives, not what it swells to."""
    headers = caller.headers("accounts") | {
        "content-type": "application/json",
        "content-encoding": "gzip",
    }
    refused = await client.post(CARDS, headers=headers, content=b"xyz")
    assert problem(refused) == (415, "UNSUPPORTED_MEDIA_TYPE")


async def endless() -> AsyncIterator[bytes]:
    """Send a body without announcing its length."""
    for _ in range(70):
        yield b" " * 1024


@pytest.mark.parametrize("announced", [True, False])
async def test_large_body_is_refused(
    client: httpx2.AsyncClient, caller: Caller, announced: bool
) -> None:
    """More than 64 KiB is 413, announced by content-length or found while reading."""
    headers = caller.headers("accounts") | {"content-type": "application/json"}
    content = b" " * 65_537 if announced else endless()
    refused = await client.post(CARDS, headers=headers, content=content)
    assert problem(refused) == (413, "REQUEST_TOO_LARGE")


async def test_largest_body_is_read(client: httpx2.AsyncClient, caller: Caller) -> None:
    """Exactly 64 KiB is still read."""
    headers = caller.headers("accounts") | {"content-type": "application/json"}
    content = b'{"ids":["a"]}'.ljust(65_536)
    assert (await client.post(CARDS, headers=headers, content=content)).status_code == 200


HOSTILE: dict[str, bytes] = {
    "nul character": b'{"ids":["a\\u0000b"]}',
    "lone surrogate": b'{"ids":["\\ud800"]}',
    "surrogate as key": b'{"ids":["a"],"\\udfff":1}',
    "number": b'{"ids":[1]}',
    "huge number": b'{"ids":[' + b"9" * 400 + b"]}",
    "infinity": b'{"ids":[Infinity]}',
    "null": b"null",
    "list": b"[]",
    "no ids": b"{}",
    "empty ids": b'{"ids":[]}',
    "too many ids": json.dumps({"ids": [str(n) for n in range(201)]}).encode(),
    "long id": json.dumps({"ids": ["x" * 65]}).encode(),
    "unknown key": b'{"ids":["a"],"more":1}',
}
UNREADABLE: dict[str, bytes] = {
    "half": b'{"ids":',
    "not utf-8": b'{"ids":["\xff"]}',
    "deep": b"[" * 60_000,
    "number of 5000 digits": b'{"ids":[' + b"9" * 5000 + b"]}",
    "nothing": b" ",
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_wrong_values_are_named(
    client: httpx2.AsyncClient, caller: Caller, body: bytes
) -> None:
    """Readable JSON with a wrong value is 422 and names the field, never the value."""
    headers = caller.headers("accounts") | {"content-type": "application/json"}
    refused = await client.post(CARDS, headers=headers, content=body)
    assert problem(refused) == (422, "BAD_INPUT")
    for error in refused.json()["errors"]:
        assert error.keys() == {"field", "code", "message"}
        assert error["field"]


@pytest.mark.parametrize("body", UNREADABLE.values(), ids=UNREADABLE)
async def test_unreadable_body_is_refused(
    client: httpx2.AsyncClient, caller: Caller, body: bytes
) -> None:
    """What is not JSON at all is 400, never 500."""
    headers = caller.headers("accounts") | {"content-type": "application/json"}
    refused = await client.post(CARDS, headers=headers, content=body)
    assert problem(refused) == (400, "BAD_REQUEST")


@pytest.mark.parametrize(
    ("given", "answer"),
    [
        ("4", (504, "DEADLINE_SPENT")),
        ("0", (504, "DEADLINE_SPENT")),
        ("-1", (400, "BAD_REQUEST")),
        ("1.5", (400, "BAD_REQUEST")),
        ("soon", (400, "BAD_REQUEST")),
        ("", (400, "BAD_REQUEST")),
        ("9" * 10, (400, "BAD_REQUEST")),
    ],
)
async def test_deadline_header_is_obeyed(
    client: httpx2.AsyncClient, given: str, answer: tuple[int, str]
) -> None:
    """A spent or malformed deadline is answered before any work, even before the credential."""
    refused = await client.post(CARDS, headers={"x-deadline-ms": given})
    assert problem(refused) == answer


async def test_deadline_is_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work that waited past the deadline for a connection is not begun."""
    clock = iter([100.0, 100.9, 101.1])
    monkeypatch.setattr(deadlines, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    begin_deadline(b"1000")
    check_deadline()
    with pytest.raises(DeadlineSpent):
        check_deadline()
    begin_deadline(None)


@pytest.mark.parametrize("given", ["abc-123", "x" * 128])
async def test_request_id_is_echoed(client: httpx2.AsyncClient, given: str) -> None:
    """A well-formed request id comes back on every answer."""
    response = await client.get("/healthz", headers={"x-request-id": given})
    assert response.headers["x-request-id"] == given
    refused = await client.get("/v1/profile", headers={"x-request-id": given})
    assert refused.headers["x-request-id"] == given


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "<script>"])
async def test_odd_request_id_is_replaced(client: httpx2.AsyncClient, given: str) -> None:
    """A request id that could disturb a log is replaced, not refused."""
    response = await client.get("/healthz", headers={"x-request-id": given})
    assert len(response.headers["x-request-id"]) == 32


@pytest.mark.parametrize("given", [None, "", " ", "a b", "ä", "x" * 256])
async def test_write_needs_visible_key(
    client: httpx2.AsyncClient, caller: Caller, given: str | None
) -> None:
    """A mutation without 1 to 255 visible characters as its key is 400."""
    headers = caller.headers("accounts", viewer="acc_00001")
    if given is not None:
        headers["idempotency-key"] = given
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    refused = await client.post("/v1/sign-out", headers=encoded)
    assert problem(refused) == (400, "IDEMPOTENCY_KEY_REQUIRED")


async def test_defect_is_masked(settings: AccountsSettings, caller: Caller) -> None:
    """An unexpected error is 500 INTERNAL without a word of what happened."""
    app = build_app(SERVICE, settings)

    @app.get("/v1/defect")
    async def defect() -> None:
        raise RuntimeError("secret of the house")

    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        response = await client.get("/v1/defect", headers=caller.headers("accounts"))
    assert problem(response) == (500, "INTERNAL")
    assert "secret" not in response.text


async def test_unmigrated_database_is_not_ready(settings: AccountsSettings) -> None:
    """A process whose database is not at the newest version is alive and not ready."""
    app = build_app(SERVICE, settings)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        assert (await client.get("/healthz")).status_code == 200
        assert problem(await client.get("/readyz")) == (503, "DATABASE_UNAVAILABLE")
    await app.state.database.close()


async def test_unreachable_database_is_503(settings: AccountsSettings, caller: Caller) -> None:
    """A database that does not answer makes calls 503 and the process unready, not broken."""
    gone = settings.model_copy(
        update={"database_url": "postgresql+asyncpg://postgres@/none?host=/nonexistent"}
    )
    app = build_app(SERVICE, gone)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://service") as client:
        assert problem(await client.get("/readyz")) == (503, "DATABASE_UNAVAILABLE")
        headers = caller.headers("accounts")
        refused = await client.post(CARDS, headers=headers, json={"ids": ["acc_00001"]})
        assert problem(refused) == (503, "DATABASE_UNAVAILABLE")


async def test_metrics_count_by_template(client: httpx2.AsyncClient, caller: Caller) -> None:
    """Metrics carry the route template; what clients invent ends in one series."""
    headers = caller.headers("accounts")
    await client.post(CARDS, headers=headers, json={"ids": ["acc_00001"]})
    for number in range(5):
        await client.request(f"ODD{number}", f"/v1/{number}", headers=headers)
    text = (await client.get("/metrics")).text
    series = 'core_service_requests_total{method="POST",route="/v1/cards/batch",'
    assert f'{series}service="accounts",status="200"}} 1.0' in text
    assert text.count("core_service_requests_total{") <= 3


async def test_trace_is_continued(
    client: httpx2.AsyncClient, caller: Caller, settings: AccountsSettings
) -> None:
    """Each request is one server span under the caller's span, named by method and route."""
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = caller.headers("accounts") | {"traceparent": parent, "x-request-id": "r-1"}
    await client.post(CARDS, headers=headers, json={"ids": ["acc_00001"]})
    app: Any = client._transport.app  # type: ignore[attr-defined]
    app.state.traces.flush()
    assert settings.traces_file is not None
    spans = [json.loads(line) for line in settings.traces_file.read_text().splitlines()]
    [span] = [span for span in spans if span["name"] == f"POST {CARDS}"]
    assert span["context"]["trace_id"] == "0x0af7651916cd43dd8448eb211c80319c"
    assert span["parent_id"] == "0xb7ad6b7169203331"
    assert span["kind"] == "SpanKind.SERVER"
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["attributes"]["facet.caller"] == "bff-ios"


async def test_polls_are_no_news(client: httpx2.AsyncClient, caller: Caller) -> None:
    """What gateways ask every few seconds is logged for debugging alone, unless it fails."""
    with capture_logs() as logs:
        await client.get("/v1/revocations", headers=caller.headers("accounts"))
        await client.get("/.well-known/jwks.json")
        await client.get("/v1/revocations")
        await client.get("/healthz")
    news = [line for line in logs if line["log_level"] != "debug"]
    assert [line["status"] for line in news if line["event"] == "request"] == [401, 200]
    assert [line["event"] for line in news] == ["credential refused", "request", "request"]
