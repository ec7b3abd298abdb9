"""Platforms whose releases a registry of the test's own governs: gateways as processes, `bff` as CI
runs it, and apps that ask as shipped ones do."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import httpx2

from bff.commands.processes import Child, Children
from bff.config import PROJECT
from persisted_queries.log import entry_path
from persisted_queries.manifest import read_manifest
from persisted_queries.signing import Signer, make_signer, write_signer
from persisted_queries.store import Store
from tests.harness.databases import free_port
from tests.harness.modes import COMPILED
from tests.harness.registries import Made
from tests.harness.stack import PATIENT, Stack

WITHIN_S = 20.0
COMMAND_S = 60.0
# Both mobile clients list multipart first on every query.
ACCEPT = {
    "ios": "multipart/mixed;deferSpec=20220824,application/graphql-response+json,application/json",
    "android": "multipart/mixed;deferSpec=20220824, application/graphql-response+json, "
    "application/json",
}
# Everything is soon, or a life would take its time.
FAST = {
    "BFF__DOCUMENTS__POLICY": "registered",
    "BFF__REGISTRY__POLL_S": "0.1",
    "BFF__USAGE__FLUSH_S": "0.5",
}


@dataclass(frozen=True)
class App:
    """One build of an app; `ids` are its documents by operation name."""

    platform: str
    release: str
    ids: Mapping[str, str]

    @classmethod
    def of(cls, platform: str, release: str, manifest: Path) -> App:
        """The build that was made with a manifest."""
        operations = read_manifest(manifest).operations
        return cls(platform, release, {one.name: one.id for one in operations})

    def headers(self, token: str | None, device: str | None) -> dict[str, str]:
        told = {
            "accept": ACCEPT[self.platform],
            "apollographql-client-name": f"app.facet.{self.platform}",
            "apollographql-client-version": self.release,
        }
        if token is not None:
            told["authorization"] = f"Bearer {token}"
        if device is not None:
            told["x-device-id"] = device
        return told

    def body(self, operation: str, variables: Mapping[str, Any] | None) -> dict[str, Any]:
        persisted = {"version": 1, "sha256Hash": self.ids[operation]}
        library = {"name": f"apollo-{self.platform}", "version": "2.4.0"}
        told: dict[str, Any] = {
            "operationName": operation,
            "extensions": {"persistedQuery": persisted, "clientLibrary": library},
        }
        return told if variables is None else {**told, "variables": variables}


class Done(NamedTuple):
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass
class Governance:
    """A registry, the keys to it, and what runs by it. `schemas` are the `schema_object`s of
    platforms that answer by another than their own; they change when a gateway is restarted."""

    stack: Stack
    folder: Path
    token: str
    platforms: tuple[str, ...] = ("ios", "android")
    url: str = ""  # of the registry; a folder's by default
    schemas: dict[str, str] = field(default_factory=dict)
    gateways: dict[str, Child] = field(default_factory=dict)
    client: httpx2.Client = field(
        # No connection is used again in the moment in which a server gives it up.
        default_factory=lambda: httpx2.Client(
            timeout=30, trust_env=False, limits=httpx2.Limits(keepalive_expiry=2)
        )
    )
    _running: dict[str, ExitStack] = field(default_factory=dict)
    _signers: dict[str, Signer] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.registry.mkdir()
        self.url = self.url or str(self.registry)
        for platform in self.platforms:
            signer = self._signers[platform] = make_signer(f"{platform}-1")
            write_signer(signer, self.key(platform))
            self.keys(platform).write_text(json.dumps({"keys": [signer.public()]}))

    @property
    def registry(self) -> Path:
        return self.folder / "registry"

    def key(self, platform: str) -> Path:
        return self.folder / f"{platform}.jwk"

    def keys(self, platform: str) -> Path:
        return self.folder / f"{platform}.jwks"

    def cache(self, platform: str) -> Path:
        return self.folder / "caches" / platform

    def made(self, platform: str = "ios") -> Made:
        """The same registry, for what no command does."""
        return Made(Store.of(self.url), platform, self._signers[platform])

    @property
    def told(self) -> dict[str, str]:
        """What every process is told by its environment."""
        found = {"BFF__REGISTRY__URL": self.url, **FAST}
        found["PYTHONPATH"] = os.pathsep.join((str(self.folder), str(PROJECT)))
        for platform in self.platforms:
            prefix = f"BFF__PLATFORMS__{platform.upper()}__"
            found[f"{prefix}REGISTRY_KEYS"] = str(self.keys(platform))
            if platform in self.schemas:
                found[f"{prefix}SCHEMA_OBJECT"] = self.schemas[platform]
        return found

    @contextmanager
    def running(self) -> Iterator[None]:
        """A gateway of each platform; they are stopped at the end, as are all requests."""
        try:
            for platform in self.platforms:
                self._start(platform)
            for child in self.gateways.values():
                Children([child]).wait_ready(child)
            yield
        finally:
            self.client.close()
            while self._running:
                self._running.popitem()[1].close()

    def restart(self, platform: str, schema_object: str | None = None) -> None:
        """Deploy: the gateway ends, and begins anew, with another schema if one is named."""
        self._running.pop(platform).close()
        if schema_object is not None:
            self.schemas[platform] = schema_object
        self._start(platform)
        child = self.gateways[platform]
        Children([child]).wait_ready(child)

    def _start(self, platform: str) -> None:
        port = free_port()
        environment = {
            **self.stack.where.bff_environment(platform),
            **PATIENT,
            **self.told,
            "BFF__REGISTRY__CACHE_DIR": str(self.cache(platform)),
        }
        command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port)]
        log = self.stack.where.log_file(f"bff-{platform}-governed")
        self._running[platform] = running = ExitStack()
        children = running.enter_context(Children())
        url = f"http://127.0.0.1:{port}"
        self.gateways[platform] = children.start(platform, command, environment, url, log)

    def bff(self, *words: str, schema: str | None = None, **environment: str) -> Done:
        """`bff …` as CI runs it; `schema`: the iOS code it finds there."""
        told = {**os.environ, **self.told, **environment}
        if schema is not None:
            told["BFF__PLATFORMS__IOS__SCHEMA_OBJECT"] = schema
        command = [sys.executable, "-m", "bff", *words]
        done = subprocess.run(
            command, env=told, check=False, capture_output=True, text=True, timeout=COMMAND_S
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def write(self, *words: str, platform: str = "ios", schema: str | None = None) -> int:
        """`bff …` with the platform's key, that must succeed; returns the number of its entry, once
        the gateway has read it."""
        told = ("--platform", platform, "--key", str(self.key(platform)), "--format", "json")
        done = self.bff(*words, *told, schema=schema)
        assert done.code == 0, done.out + done.err
        number: int = done.json["entry"]
        self.until_read(platform, number)
        return number

    def until_read(self, platform: str, number: int) -> None:
        """Wait until the gateway has verified that entry: a state it changes may show from now
        on."""
        path = self.cache(platform) / entry_path(platform, number)
        within(path.is_file, f"the gateway of {platform} never read entry {number}")

    def until_flushed(self, platform: str = "ios") -> None:
        """Wait until what was asked so far is in the roll-ups: the first one that comes may have
        been made before."""
        store = self.made(platform).store

        def written() -> int:
            return sum(f"/{platform}/" in path for path in store.paths("usage"))

        enough = written() + 2
        within(lambda: written() >= enough, f"the gateway of {platform} flushes nothing")

    def ask(
        self,
        app: App,
        operation: str,
        variables: Mapping[str, Any] | None = None,
        *,
        token: str | None = None,
        device: str | None = None,
    ) -> httpx2.Response:
        """One request of a build, as the demonstration account unless told."""
        url = f"{self.gateways[app.platform].url}/graphql"
        headers = app.headers(token or self.token, device)
        body = app.body(operation, variables)
        return self.client.post(url, json=body, headers=headers)

    def mutate(self, app: App, operation: str, token: str, **values: Any) -> httpx2.Response:
        """One write of a build."""
        given = {"idempotencyKey": uuid.uuid4().hex, **values}
        return self.ask(app, operation, {"input": given}, token=token)

    def metrics(self, platform: str = "ios") -> str:
        return self.client.get(f"{self.gateways[platform].url}/metrics").text


def within(holds: Callable[[], object], told: str = "") -> None:
    """Wait until it holds; fails after WITHIN_S seconds."""
    until = time.monotonic() + WITHIN_S
    while not holds():
        assert time.monotonic() < until, told or f"not within {WITHIN_S} s"
        time.sleep(0.03)


def is_by_plan(body: Mapping[str, Any]) -> bool:
    """Whether an answer was executed the way of this run; a new fence class is compiled in the
    background, so that its first answers are not."""
    plan = body.get("extensions", {}).get("plan")
    return plan in (None, "compiled" if COMPILED else "generic(mode)")
