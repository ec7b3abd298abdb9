"""deploy/compose.yaml without containers: each service's own command with its own environment, as a
process of this machine, on free ports, with a real PostgreSQL, Redis and edge proxy."""

from __future__ import annotations

import gzip
import http.server
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from click.testing import CliRunner

from bff.commands.processes import Child, Children
from tests.contract import deploy
from tests.contract.deploy import DEPLOY, Process
from tests.contract.deploy_files import load_script
from tests.contract.sizes import ROOT
from tests.harness.databases import (
    PostgresServer,
    RedisServer,
    free_port,
    shared_postgres,
    shared_redis,
)
from tests.harness.edge_proxy import Edge, running_edge

READY_S = 60.0
SERVICES = ("accounts", "content", "notifications")
PLATFORMS = ("ios", "android", "web")


@dataclass
class Collector:
    """Stands for the OpenTelemetry collector: keeps every body it is sent."""

    port: int = 0
    bodies: list[bytes] = field(default_factory=list)

    def holds(self, text: str) -> bool:
        return any(text.encode() in body for body in self.bodies)


@dataclass
class Deployment:
    """Everything compose starts, running. `ports` are by container port and service."""

    folder: Path
    children: Children
    ports: Mapping[tuple[str, int], int]
    edge: Edge
    collector: Collector
    redis: RedisServer
    postgres: PostgresServer

    def child(self, name: str) -> Child:
        return next(one for one in self.children.children if one.name == name)

    def logs(self) -> str:
        """All that any process wrote, the edge proxy included."""
        files = sorted((self.folder / "logs").iterdir())
        return "".join(path.read_text(errors="replace") for path in files) + self.edge.log()


@contextmanager
def running_deployment(
    config: pytest.Config,
    folder: Path,
    extra: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Deployment]:
    """Secrets, databases, jobs, services, gateways, proxy, in the order compose would start them.
    `extra` is told to gateways on top."""
    secrets = folder / "secrets"
    made = CliRunner().invoke(load_script("make_secrets").main, [str(secrets)])
    assert made.exit_code == 0, made.output
    (folder / "logs").mkdir()
    postgres, redis = shared_postgres(config), shared_redis(config)
    redis.empty()
    with ExitStack() as stack:
        stack.enter_context(_databases(postgres, secrets))
        collector = stack.enter_context(_collecting())
        mapped = _Mapped(secrets, postgres, redis, collector, extra)
        children = stack.enter_context(Children())
        for tier in _tiers():
            _start(tier, mapped, children, folder)
        gateways = {
            one: [f"127.0.0.1:{mapped.port(f'bff-{one}', _port(one))}"] for one in PLATFORMS
        }
        edge = stack.enter_context(running_edge(folder / "edge", gateways, secrets))
        yield Deployment(folder, children, mapped.ports, edge, collector, redis, postgres)


def _port(platform: str) -> int:
    return 8001 + PLATFORMS.index(platform)


@contextmanager
def _databases(postgres: PostgresServer, secrets: Path) -> Iterator[None]:
    """What the first start of PostgreSQL's container does, by the same script."""
    environment = {
        "PATH": f"{postgres._binaries}:{os.environ['PATH']}",
        "PGHOST": str(postgres._home),
        "POSTGRES_USER": "postgres",
        "SECRETS": str(secrets),
    }
    subprocess.run(
        ["sh", DEPLOY / "postgres-init.sh"],
        env=environment,
        check=True,
        capture_output=True,
        timeout=60,
    )
    try:
        yield
    finally:
        for name in SERVICES:
            postgres.drop(name)
            postgres.execute(f"DROP ROLE {name}")


@contextmanager
def _collecting() -> Iterator[Collector]:
    collector = Collector()

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            packed = self.headers.get("content-encoding") == "gzip"
            assert self.path == "/v1/traces"
            collector.bodies.append(gzip.decompress(body) if packed else body)
            self.send_response(200)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    collector.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield collector
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _tiers() -> Iterator[list[Process]]:
    """Our processes in groups, each after all that it depends on; those of a group start together.
    Demonstration data is there before it is served."""
    ours = {one.name: one for one in deploy.composed() if one.ours}
    needs = {name: set(one.raw.get("depends_on", ())) & ours.keys() for name, one in ours.items()}
    seeds = {name for name in ours if name.startswith("seed-")}
    for name, one in ours.items():
        needs[name] |= seeds if one.serves else set()
    done: set[str] = set()
    while done != ours.keys():
        ready = [name for name in ours if name not in done and needs[name] <= done]
        yield [ours[name] for name in ready]
        done |= set(ready)


class _Mapped:
    """The words of compose.yaml in those of this machine."""

    def __init__(
        self,
        secrets: Path,
        postgres: PostgresServer,
        redis: RedisServer,
        collector: Collector,
        extra: Mapping[str, str],
    ) -> None:
        self.ports: dict[tuple[str, int], int] = {}
        self._extra = extra
        lines = (secrets / "gateways.env").read_text().splitlines()
        self._shared = dict(line.split("=", 1) for line in lines)
        self._fixed = {
            "/run/secrets/": f"{secrets}/",
            "/app/": f"{ROOT}/",
            "redis://redis:6379": redis.url.removesuffix("/0"),
            "http://collector:4318": f"http://127.0.0.1:{collector.port}",
            "0.0.0.0": "127.0.0.1",
            "172.30.1.0/24": "127.0.0.1/32",
        }
        self._socket = postgres._home

    def port(self, name: str, port: int) -> int:
        """The port of this machine for a port of a container."""
        return self.ports.setdefault((name, port), free_port())

    def text(self, name: str, text: str) -> str:
        """One word of a command or environment of the container `name`."""
        for theirs, ours in self._fixed.items():
            text = text.replace(theirs, ours)
        text = re.sub(r"@postgres:5432/(\w+)\?", rf"@/\1?host={self._socket}&", text)
        text = re.sub(r"http://(\w+):(\d{4})$", lambda m: self._url(m[1], int(m[2])), text)
        text = re.sub(
            r"http://127\.0\.0\.1:(8\d{3})/", lambda m: f"{self._url(name, int(m[1]))}/", text
        )
        if re.fullmatch(r"(8[01]0[1-3]|9100)", text):
            text = str(self.port(name, int(text)))
        return text

    def _url(self, name: str, port: int) -> str:
        return f"http://127.0.0.1:{self.port(name, port)}"

    def environment(self, process: Process) -> dict[str, str]:
        """Only what compose tells it, as in a container."""
        told = {key: self.text(process.name, value) for key, value in process.environment.items()}
        more = {**self._shared, **self._extra} if process.is_gateway else {}
        return {"PATH": os.environ["PATH"], "PYTHONWARNINGS": "default", **told, **more}


def _start(tier: list[Process], mapped: _Mapped, children: Children, folder: Path) -> None:
    """Run jobs to their end; start what serves and wait until it is healthy."""
    with ThreadPoolExecutor() as pool:
        jobs = [one for one in tier if not one.serves]
        list(pool.map(lambda one: _run(one, mapped, folder), jobs))
    started = [(one, _serve(one, mapped, children, folder)) for one in tier if one.serves]
    for process, child in started:
        probe = [mapped.text(process.name, w) for w in process.raw["healthcheck"]["test"][2:]]
        _await_healthy(child, [sys.executable, *probe])


def _command(process: Process, mapped: _Mapped) -> list[str]:
    return [sys.executable, "-m", *(mapped.text(process.name, word) for word in process.command)]


def _run(process: Process, mapped: _Mapped, folder: Path) -> None:
    done = subprocess.run(
        _command(process, mapped),
        env=mapped.environment(process),
        cwd=ROOT,
        capture_output=True,
        timeout=120,
        check=False,
    )
    log = folder / "logs" / f"{process.name}.log"
    log.write_bytes(done.stdout + done.stderr)
    assert done.returncode == 0, f"{process}: {log.read_text()}"


def _serve(process: Process, mapped: _Mapped, children: Children, folder: Path) -> Child:
    url = f"http://127.0.0.1:{mapped.port(process.name, process.ports[0])}"
    log = folder / "logs" / f"{process.name}.log"
    command, environment = _command(process, mapped), mapped.environment(process)
    return children.start(process.name, command, environment, url, log)


def _await_healthy(child: Child, probe: list[str]) -> None:
    """By the health check of compose."""
    deadline = time.monotonic() + READY_S
    said = b""
    while time.monotonic() < deadline:
        assert child.process.poll() is None, child.log_file.read_text()
        done = subprocess.run(probe, capture_output=True, timeout=20, check=False)
        if done.returncode == 0:
            return
        said = done.stderr
        time.sleep(0.1)
    raise AssertionError(f"{child.name}: {said.decode()} {child.log_file.read_text()[-2000:]}")
