"""A gateway goes by its registry: within seconds, without a restart, and without the registry."""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from click.testing import CliRunner, Result

from bff import config as settings_module
from bff.__main__ import cli
from bff.commands.development import layout
from bff.commands.processes import Child, Children
from bff.commands.schema import sdl
from bff.commands.seed_registry import make_registry
from persisted_queries.publish import Parts, publish
from persisted_queries.signing import write_signer
from tests.harness.databases import free_port
from tests.harness.registries import Made, made_in, operations_of
from tests.harness.stack import PATIENT, Stack

pytestmark = pytest.mark.modeless

FEED = "query Feed { home { feed(first: 3) { entries { reason } } } }"
SHORTER = "query Feed { home { feed(first: 2) { entries { reason } } } }"
RENAMED = "query Feed { home { other: feed(first: 3) { entries { reason } } } }"
HANDLE = "query Handle { profile { account { handle } } }"
WITHIN_S = 5.0


@dataclass
class Governed:
    """A registry and the gateways that go by it."""

    stack: Stack
    folder: Path
    token: str
    made: Made = field(init=False)

    def __post_init__(self) -> None:
        self.made = made_in(self.folder / "registry")
        write_signer(self.made.signer, self.key)
        self.keys.write_text(json.dumps(self.made.signer.public()))

    @property
    def key(self) -> Path:
        return self.folder / "ios.jwk"

    @property
    def keys(self) -> Path:
        return self.folder / "ios.jwks"

    @contextmanager
    def gateway(self, *, ready: bool = True) -> Iterator[Child]:
        port = free_port()
        environment = {
            **self.stack.where.bff_environment("ios"),
            **PATIENT,
            "BFF__DOCUMENTS__POLICY": "registered",
            "BFF__REGISTRY__URL": str(self.folder / "registry"),
            "BFF__REGISTRY__CACHE_DIR": str(self.folder / "cache"),
            "BFF__PLATFORMS__IOS__REGISTRY_KEYS": str(self.keys),
        }
        command = [sys.executable, "-m", "bff", "serve", "ios", "--port", str(port)]
        log = self.stack.where.log_file("bff-ios-registry")
        with Children() as children:
            child = children.start("bff", command, environment, f"http://127.0.0.1:{port}", log)
            if ready:
                children.wait_ready(child)
            yield child

    def publish(self, name: str, *texts: str) -> None:
        schema = sdl(settings_module.load().platforms["ios"])
        self.made.record(schema)
        version, _, build = name.partition("+")
        parts = Parts(version, build, operations_of(texts), schema, state="live")
        publish(self.made.writer(), parts)

    def release(self, *words: str) -> Result:
        """`bff release …` as CI runs it."""
        told = ["--platform", "ios", "--registry", str(self.folder / "registry")]
        return CliRunner().invoke(cli, ["release", *words, *told, "--key", str(self.key)])

    def ask(self, gateway: Child, text: str, release: str | None = None) -> dict[str, Any]:
        headers = {"authorization": f"Bearer {self.token}"}
        if release is not None:
            headers["apollographql-client-version"] = release
        answer = httpx2.post(
            f"{gateway.url}/graphql", json={"documentId": identity(text)}, headers=headers
        )
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found


def identity(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def code(answer: dict[str, Any]) -> str | None:
    errors = answer.get("errors")
    return errors[0]["extensions"]["code"] if errors else None


def count(answer: dict[str, Any]) -> int | None:
    data = answer.get("data")
    return len(data["home"]["feed"]["entries"]) if data else None


def within(what: Callable[[], bool]) -> None:
    until = time.monotonic() + WITHIN_S
    while not what():
        assert time.monotonic() < until, f"not within {WITHIN_S} s"
        time.sleep(0.05)


@pytest.fixture
def governed(stack: Stack, tmp_path: Path, token: str) -> Governed:
    return Governed(stack, tmp_path, token)


def test_follows_the_log(governed: Governed) -> None:
    """A running gateway serves a release within 5 s of its publishing, refuses it a document of
    another, runs a hot-fix and its undoing within 5 s each, and refuses the release once it is
    retired; a hot-fix the old build could not read is refused."""
    governed.publish("1.0+1", FEED)
    with governed.gateway() as gateway:
        assert count(governed.ask(gateway, FEED, "1.0+1")) == 3
        assert code(governed.ask(gateway, HANDLE, "1.0+1")) == "DOCUMENT_NOT_REGISTERED"
        governed.publish("1.1+1", FEED, HANDLE)
        within(lambda: code(governed.ask(gateway, HANDLE, "1.1+1")) is None)
        refused = governed.ask(gateway, HANDLE, "1.0+1")
        assert code(refused) == "DOCUMENT_NOT_IN_RELEASE"
        assert refused["errors"][0]["extensions"]["releases"] == ["1.1+1"]

        text = governed.folder / "Feed.graphql"
        text.write_text(RENAMED)
        done = governed.release("remap", identity(FEED), str(text), "--release", "1.0+1")
        assert (done.exit_code, "nothing was changed" in done.stderr) == (1, True), done.stderr
        text.write_text(SHORTER)
        done = governed.release("remap", identity(FEED), str(text), "--release", "1.0+1")
        assert done.exit_code == 0, done.stderr
        within(lambda: count(governed.ask(gateway, FEED, "1.0+1")) == 2)
        assert count(governed.ask(gateway, FEED, "1.1+1")) == 3
        done = governed.release("remap", identity(FEED), "--undo", "--release", "1.0+1")
        assert done.exit_code == 0, done.stderr
        within(lambda: count(governed.ask(gateway, FEED, "1.0+1")) == 3)

        assert governed.release("retire", "1.0+1").exit_code == 0
        within(lambda: code(governed.ask(gateway, FEED, "1.0+1")) == "RELEASE_RETIRED")
        assert count(governed.ask(gateway, FEED, "1.1+1")) == 3


def test_serves_without_the_store(governed: Governed) -> None:
    """With the store gone a gateway goes on, starts anew and is ready; when the store is back, it
    takes up where it was. One that never read its registry is not ready."""
    governed.publish("1.0+1", FEED)
    registry = governed.folder / "registry"
    with governed.gateway() as gateway:
        assert count(governed.ask(gateway, FEED, "1.0+1")) == 3
        registry.rename(governed.folder / "away")
        within(lambda: 'facet_events_total{event="registry_gone"}' in metrics(gateway))
        assert count(governed.ask(gateway, FEED, "1.0+1")) == 3
    with governed.gateway() as gateway:
        assert count(governed.ask(gateway, FEED, "1.0+1")) == 3
        (governed.folder / "away").rename(registry)
        governed.publish("1.1+1", HANDLE)
        within(lambda: code(governed.ask(gateway, HANDLE, "1.1+1")) is None)
    registry.rename(governed.folder / "away")
    shutil.rmtree(governed.folder / "cache")
    with governed.gateway(ready=False) as gateway:
        assert "never read" in until_answered(gateway, "/readyz")


def until_answered(gateway: Child, path: str) -> str:
    """What a gateway says there once it listens; it is not ready by then."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        try:
            answer = httpx2.get(f"{gateway.url}{path}")
        except httpx2.TransportError:
            time.sleep(0.05)
            continue
        assert answer.status_code == 503
        if '"identity":"ok"' in answer.text.replace(" ", ""):
            return str(answer.text)
    raise TimeoutError(f"{gateway.url}{path}")


def metrics(gateway: Child) -> str:
    return str(httpx2.get(f"{gateway.url}/metrics").text)


def test_seed_registry_is_kept(tmp_path: Path) -> None:
    """`bff up` publishes the seed releases once; what was done to them since is kept, and a seed
    that was changed under its own name makes the registry anew."""
    said: list[object] = []
    where = layout(settings_module.load(), 20_000, tmp_path / "data")
    where.make_folders()
    make_registry(where, said.append)
    before = sorted(path.name for path in (where.registry / "log" / "ios").iterdir())
    make_registry(where, said.append)
    assert sorted(path.name for path in (where.registry / "log" / "ios").iterdir()) == before
    assert said == []
    told = where.bff_environment("ios")
    assert told["BFF__REGISTRY__URL"] == str(where.registry)

    seeds = tmp_path / "releases"
    shutil.copytree(where.settings.platforms["ios"].releases, seeds)
    newest = sorted(seeds.iterdir())[-1] / "manifest.json"
    manifest = json.loads(newest.read_text())
    manifest["operations"].pop()
    newest.write_text(json.dumps(manifest))
    ios = where.settings.platforms["ios"].model_copy(update={"releases": seeds})
    platforms = {**where.settings.platforms, "ios": ios}
    moved = layout(
        where.settings.model_copy(update={"platforms": platforms}), 20_000, tmp_path / "data"
    )
    make_registry(moved, said.append)
    assert len(said) == 1
