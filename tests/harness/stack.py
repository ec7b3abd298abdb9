"""The whole product as real processes on free ports, and gateways in this process beside them."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import httpx2

from bff import config as settings_module
from bff.app import build
from bff.commands.development import DEMO_HANDLE, SERVICES, Layout, layout
from bff.commands.launch import prepare, start_bff, start_service
from bff.commands.processes import Children
from bff.commands.token import access_token
from bff.config import Settings
from bff.documents.releases import releases_of
from bff.upstreams.transport import Transport, make_transport
from persisted_queries.manifest import ManifestOperation

PLATFORMS = ("ios", "android", "web")


@dataclass
class Stack:
    """Three core services and, where asked for, gateways, all running."""

    where: Layout
    children: Children

    def url(self, platform: str) -> str:
        return f"http://127.0.0.1:{self.where.bff_port(platform)}"

    def token(self, handle: str = DEMO_HANDLE) -> str:
        return access_token(self.where, handle)

    def settings(self, platform: str, **environment: str) -> Settings:
        """The settings a gateway of this stack gets, with BFF__* variables on top."""
        with mock.patch.dict(os.environ, {**self.where.bff_environment(platform), **environment}):
            return settings_module.load()

    @asynccontextmanager
    async def gateway(
        self,
        platform: str,
        wrap: Callable[[Transport], Transport] = lambda real: real,
        **environment: str,
    ) -> AsyncIterator[httpx2.AsyncClient]:
        """A gateway in this process over the real services; `wrap` may put a transport around the
        real one."""
        settings = self.settings(
            platform, BFF__TELEMETRY__TRACES_FILE=str(self.where.data / "here.jsonl"), **environment
        )
        app = build(settings, platform, transport=wrap(make_transport(settings.upstreams)))
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app=app), base_url=f"http://{platform}"
            ) as client,
        ):
            while (await client.get("/readyz")).status_code != 200:
                await asyncio.sleep(0.01)
            yield client


@contextmanager
def running_stack(data: Path, platforms: tuple[str, ...] = PLATFORMS) -> Iterator[Stack]:
    """Prepare and start everything; stopped at the end."""
    where = layout(settings_module.load(), free_block(), data)
    where.make_folders()
    where.make_keys()
    for service in SERVICES:
        prepare(where, service, quiet=True)
    with Children() as children:
        started = [start_service(where, children, service) for service in SERVICES]
        started += [start_bff(where, children, platform) for platform in platforms]
        for child in started:
            children.wait_ready(child)
        yield Stack(where, children)


def free_block(size: int = 104) -> int:
    """A base port above which the stack's ports are free."""
    for base in range(20_000, 60_000, 200):
        if all(_is_free(base + offset) for offset in (1, 2, 3, 101, 102, 103)):
            return base
    raise RuntimeError(f"no free block of {size} ports between 20000 and 60000")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


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
    return found
