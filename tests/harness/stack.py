"""The whole product as real processes on free ports, and gateways in this process beside them."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from shutil import copyfile
from types import MappingProxyType
from typing import Any
from unittest import mock

import httpx2

from bff import config as settings_module
from bff.app import build
from bff.commands.development import DEMO_HANDLE, SERVICES, Layout, layout
from bff.commands.launch import prepare, start_bff, start_service
from bff.commands.processes import Child, Children
from bff.commands.token import access_token
from bff.config import Settings
from bff.documents.releases import releases_of
from bff.upstreams.transport import Transport, make_transport
from persisted_queries.manifest import ManifestOperation
from tests.harness.databases import free_port
from tests.harness.modes import assert_by_plan, until_compiled, wait_until_compiled
from tests.harness.ports import free_block

PLATFORMS = ("ios", "android", "web")
# What a test asserts must not hang on how busy the machine is: gateways wait long, unless a test
# is about just that and says otherwise.
# Nor on what was kept of answers before: only tests about that turn the cache on.
PATIENT = {
    "BFF__CACHE__ENABLED": "false",
    # Nor on how much a test asks at once: what is limited and shed, tests about that say.
    "BFF__LIMITS__ENFORCED": "false",
    "BFF__ADMISSION__MIN_IN_FLIGHT": "1000",
    "BFF__SCREENS__DEADLINE_MS": "20000",
    "BFF__SCREENS__STRETCH": "20",
    **{f"BFF__UPSTREAMS__SERVICES__{name.upper()}__TIMEOUT_MS": "20000" for name in SERVICES},
    **{f"BFF__UPSTREAMS__SERVICES__{name.upper()}__GUARD__SLOW_MS": "20000" for name in SERVICES},
}


@dataclass
class Stack:
    """Three core services and, where asked for, gateways, all running."""

    where: Layout
    children: Children

    def url(self, platform: str) -> str:
        return f"http://127.0.0.1:{self.where.bff_port(platform)}"

    def token(self, handle: str = DEMO_HANDLE) -> str:
        return access_token(self.where, handle)

    def handle(self, account_id: str) -> str:
        """The handle of a seeded account (SQLite stacks)."""
        return self.query("accounts", "select handle from accounts where id = ?", account_id)

    def query(self, service: str, statement: str, *values: str) -> str:
        """The first column of the first row, read from a service's SQLite file."""
        with closing(sqlite3.connect(self.where.data / f"{service}.db")) as connection:
            return str(connection.execute(statement, values).fetchone()[0])

    def settings(
        self, platform: str, environment: Mapping[str, str] = MappingProxyType({})
    ) -> Settings:
        """The settings a gateway of this stack gets, with BFF__* variables on top."""
        told = {**self.where.bff_environment(platform), **PATIENT, **environment}
        with mock.patch.dict(os.environ, told):
            return settings_module.load()

    @asynccontextmanager
    async def gateway(
        self,
        platform: str,
        wrap: Callable[[Transport], Transport] = lambda real: real,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A gateway in this process over the real services, with BFF__* variables on top; `wrap`
        may put a transport around the real one."""
        traces = str(self.where.data / "here.jsonl")
        settings = self.settings(platform, {"BFF__TELEMETRY__TRACES_FILE": traces, **environment})
        app = build(settings, platform, transport=wrap(make_transport(settings.upstreams)))
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app), base_url=f"http://{platform}"
            ) as client,
        ):
            await _until_ready(client)
            await until_compiled(partial(_metrics, client))
            yield client


async def _until_ready(client: httpx2.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while (await client.get("/readyz")).status_code != 200:
            await asyncio.sleep(0.01)


async def _metrics(client: httpx2.AsyncClient) -> str:
    return (await client.get("/metrics")).text


def prepare_databases(data: Path) -> None:
    """Migrate and seed the three SQLite files once; stacks start from copies."""
    where = layout(settings_module.load(), free_block(), data)
    where.make_folders()
    where.make_keys()
    with ThreadPoolExecutor() as pool:
        list(pool.map(partial(prepare, where, quiet=True), SERVICES))


@contextmanager
def running_stack(
    data: Path,
    seeded: Path | None,
    platforms: tuple[str, ...] = PLATFORMS,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Stack]:
    """Start everything on copies of seeded SQLite files, or (None) prepare the databases that
    `environment` names; stopped at the end. `environment` is what every process is told on top."""
    with mock.patch.dict(os.environ, environment):
        where = layout(settings_module.load(), free_block(), data)
        where.make_folders()
        where.make_keys()
        for service in SERVICES:
            if seeded is None:
                prepare(where, service, quiet=True)
            else:
                copyfile(seeded / f"{service}.db", data / f"{service}.db")
        with _started(where, platforms) as stack:
            yield stack


@contextmanager
def _started(where: Layout, platforms: tuple[str, ...]) -> Iterator[Stack]:
    with Children() as children:
        started = [start_service(where, children, service) for service in SERVICES]
        with mock.patch.dict(os.environ, PATIENT):
            started += [start_bff(where, children, platform) for platform in platforms]
        for child in started:
            children.wait_ready(child)
        stack = Stack(where, children)
        for platform in platforms:
            url = f"{stack.url(platform)}/metrics"
            wait_until_compiled(lambda url=url: httpx2.get(url).text)  # type: ignore[misc]
        yield stack


def registered(settings: Settings, platform: str, name: str) -> ManifestOperation:
    """The newest registered operation of that name."""
    for release in reversed(releases_of(platform, settings.platforms[platform])):
        for operation in release.manifest.operations:
            if operation.name == name:
                return operation
    raise LookupError(f"{platform} registered no operation {name}")


async def ask(
    client: httpx2.AsyncClient,
    document_id: str,
    variables: Mapping[str, Any] | None = None,
    token: str | None = None,
) -> dict[str, Any]:
    """POST one registered operation and give the whole body; the status must be 200."""
    headers = {"authorization": f"Bearer {token}"} if token else {}
    body: dict[str, Any] = {"documentId": document_id}
    if variables is not None:
        body["variables"] = variables
    answer = await client.post("/graphql", json=body, headers=headers)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    assert_by_plan(found)
    return found


@contextmanager
def start_policy_gateway(stack: Stack, platform: str, policy: str) -> Iterator[Child]:
    """One more gateway process of a platform, under another document policy, on a free port."""
    name = f"bff-{platform}-{policy}"
    port = free_port()
    environment = {
        **stack.where.bff_environment(platform),
        **PATIENT,
        "BFF__DOCUMENTS__POLICY": policy,
    }
    command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port)]
    with Children() as children:
        child = children.start(
            name, command, environment, f"http://127.0.0.1:{port}", stack.where.log_file(name)
        )
        children.wait_ready(child)
        wait_until_compiled(lambda: httpx2.get(f"http://127.0.0.1:{port}/metrics").text)
        yield child
