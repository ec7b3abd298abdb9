"""A service as a process: it drains, flushes and says what is wrong with its start."""

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from tests.harness.callers import Caller, write_callers_file
from tests.harness.databases import free_port
from tests.harness.services import prepare_service, running_service

_ROOT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def caller() -> Caller:
    """The BFF that the processes know."""
    return Caller.new()


@pytest.fixture(scope="module")
def environ(caller: Caller, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The environment of a prepared accounts service."""
    folder = tmp_path_factory.mktemp("server")
    found = {
        "ACCOUNTS__DATABASE_URL": f"sqlite+aiosqlite:///{folder}/accounts.db",
        "ACCOUNTS__CALLERS_FILE": str(write_callers_file(folder / "callers.json", [caller])),
        "ACCOUNTS__TRACES_FILE": str(folder / "traces.jsonl"),
    }
    prepare_service("accounts", found)
    return found


def half_sent(url: str, caller: Caller, body: bytes) -> socket.socket:
    """Send a call but for the last byte of its body, so that it is certainly in flight."""
    host, port = url.removeprefix("http://").split(":")
    connection = socket.create_connection((host, int(port)), timeout=10)
    credential = caller.credential("accounts")
    head = (
        f"POST /v1/cards/batch HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"authorization: Bearer {credential}\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    connection.sendall(head.encode() + body[:-1])
    return connection


def in_flight(url: str) -> float:
    """Return how many calls the service is answering, the one that asks included."""
    text = httpx2.get(f"{url}/metrics").text
    prefix = "core_service_requests_in_flight{"
    [line] = [line for line in text.splitlines() if line.startswith(prefix)]
    return float(line.rpartition(" ")[2])


def test_sigterm_drains_and_exits_zero(
    environ: dict[str, str], caller: Caller, tmp_path: Path
) -> None:
    """After SIGTERM the call in flight is answered, spans are written, and the exit code is 0."""
    body = b'{"ids":["acc_00001"]}'
    log = tmp_path / "log"
    with running_service("accounts", environ, log) as (url, process):
        connection = half_sent(url, caller, body)
        while in_flight(url) < 2:
            pass
        process.send_signal(signal.SIGTERM)
        await_closed_to_newcomers(url)
        connection.sendall(body[-1:])
        with connection, connection.makefile("rb") as stream:
            answer = stream.read()
        assert process.wait(10) == 0
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b'"handle":"demo"' in answer
    spans = Path(environ["ACCOUNTS__TRACES_FILE"]).read_text().splitlines()
    assert "POST /v1/cards/batch" in {json.loads(span)["name"] for span in spans}


def await_closed_to_newcomers(url: str) -> None:
    """Wait until the service takes no new connection: it has seen the signal."""
    host, port = url.removeprefix("http://").split(":")
    for _ in range(10_000):
        try:
            socket.create_connection((host, int(port)), timeout=5).close()
        except OSError:
            return
    raise AssertionError("the service still takes connections")


def test_idle_service_stops_at_once(environ: dict[str, str], tmp_path: Path) -> None:
    """SIGINT ends an idle service with exit code 0 as well, also with a kept-alive connection."""
    with (
        running_service("accounts", environ, tmp_path / "log") as (url, process),
        httpx2.Client() as client,
    ):
        client.get(f"{url}/healthz")
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_slow_requests_and_a_slow_end(
    environ: dict[str, str], caller: Caller, tmp_path: Path
) -> None:
    """A request that does not arrive is refused, a connection that says nothing closed, and a kept
    one left alone; after SIGTERM the service is not ready, answers on, and asks its callers to come
    back on other connections."""
    told = environ | {"ACCOUNTS__RECEIPT_TIMEOUT_S": "0.5", "ACCOUNTS__LAME_DUCK_S": "1"}
    with (
        running_service("accounts", told, tmp_path / "log") as (url, process),
        httpx2.Client(base_url=url) as kept,
    ):
        kept.get("/healthz")
        host, port = url.removeprefix("http://").split(":")
        with (
            half_sent(url, caller, b"{}") as slow,
            socket.create_connection((host, int(port)), timeout=10) as silent,
        ):
            with slow.makefile("rb") as stream:
                refused = stream.read()
            assert silent.recv(1) == b""
        assert refused.startswith(b"HTTP/1.1 408 ")
        assert b'"code":"REQUEST_TIMEOUT"' in refused
        assert "connection" not in kept.get("/healthz").headers
        process.send_signal(signal.SIGTERM)
        while (ready := httpx2.get(f"{url}/readyz")).status_code == 200:
            pass
        assert (ready.status_code, ready.json()["code"]) == (503, "DRAINING")
        answer = httpx2.get(f"{url}/healthz")
        assert (answer.status_code, answer.headers["connection"]) == (200, "close")
        assert process.wait(10) == 0


def test_log_is_json_without_secrets(
    environ: dict[str, str], caller: Caller, tmp_path: Path
) -> None:
    """Each request is one JSON line with its facts; tokens, handles and passwords are not in it."""
    log = tmp_path / "log"
    headers = caller.headers("accounts", key="k1") | {"x-request-id": "req-77"}
    body = {
        "handle": "demo",
        "password": "facet-demo",
        "device": {"platform": "ios", "model": "m", "name": "Ada's own phone"},
    }
    with running_service("accounts", environ, log) as (url, _):
        response = httpx2.post(f"{url}/v1/sign-in", headers=headers, json=body)
        assert response.status_code == 200
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    [line] = [line for line in lines if line.get("request_id") == "req-77"]
    assert (line["event"], line["service"], line["caller"]) == ("request", "accounts", "bff-ios")
    assert (line["method"], line["route"], line["status"]) == ("POST", "/v1/sign-in", 200)
    assert {"ms", "trace_id", "timestamp", "level"} <= line.keys()
    secrets = (headers["authorization"][7:], response.json()["access_token"], "demo", "Ada")
    assert not [secret for secret in secrets if secret in log.read_text()]


def run(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command that is expected to end by itself."""
    return subprocess.run(
        [sys.executable, "-m", "core_services", *arguments],
        env=environ,
        cwd=_ROOT,
        capture_output=True,
        text=True,
        timeout=30,
    )


def test_taken_port_is_explained(environ: dict[str, str]) -> None:
    """A taken port ends the start with the address and what to do."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        result = run(environ, "serve", "accounts", "--port", port)
    assert result.returncode == 1
    assert f"--port {port}: " in result.stderr
    assert "choose another one" in result.stderr
    assert "Traceback" not in result.stderr


def test_wrong_setting_is_explained(environ: dict[str, str]) -> None:
    """A wrong setting ends the start with the variable's name and no traceback."""
    wrong = environ | {"ACCOUNTS__CALLERS_FILE": "/nonexistent/callers.json"}
    result = run(wrong, "serve", "accounts", "--port", str(free_port()))
    assert result.returncode == 1
    assert "ACCOUNTS__CALLERS_FILE=/nonexistent/callers.json: no such file" in result.stderr
    assert "Traceback" not in result.stderr


def test_prepare_twice_changes_nothing(environ: dict[str, str]) -> None:
    """Preparing a prepared service says so and succeeds."""
    result = run(environ, "prepare", "accounts")
    assert result.returncode == 0
    assert "already filled" in result.stderr
