"""Manifests as real generators write them, published by `bff publish` and served from the registry.

The web ones are made here, by Apollo's tool and by Relay's compiler; those of the mobile generators
have their shapes (tests of pack.py hold that to the letter).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bff import config as settings_module
from bff.commands.schema import sdl
from bff.config import PROJECT
from persisted_queries.manifest import Manifest, read_manifest
from persisted_queries.pack import pack, read_documents
from persisted_queries.signing import make_signer, write_signer
from tests.clients.builds import WebBuilds
from tests.clients.gateways import Gateways
from tests.harness.stack import Stack

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

RUN_S = 60
VALUES = {"id": "itm_00001", "count": 3}
# Generator → its app's platform and the release it is published as.
MOBILE = {
    "apollo-ios": ("ios", "88.0.0+1"),
    "apollo-ios-legacy": ("ios", "88.1.0+2"),
    "apollo-kotlin": ("android", "88.0.0+1"),
    "apollo-kotlin-v1": ("android", "88.1.0+2"),
}


@dataclass
class PublishedReleases:
    """A registry in a folder, and the gateways that read it."""

    folder: Path
    gateways: Gateways

    @property
    def registry(self) -> Path:
        return self.folder / "registry"

    def publish(self, platform: str, release: str, manifest: Path) -> dict[str, Any]:
        """Run `bff publish`; what it told."""
        version, _, build = release.partition("+")
        command = [sys.executable, "-m", "bff", "publish", str(manifest), "--platform", platform]
        command += ["--version", version, "--build", build, "--state", "live", "--format", "json"]
        schema = self.folder / f"{platform}.graphqls"
        schema.write_text(sdl(settings_module.load().platforms[platform]), "utf-8")
        command += ["--schema", str(schema)]
        command += ["--registry", str(self.registry), "--key", str(self.folder / "key.jwk")]
        done = subprocess.run(
            command,
            cwd=PROJECT,
            env=os.environ,
            capture_output=True,
            text=True,
            timeout=RUN_S,
            check=False,
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stdout[:1500]
        told: dict[str, Any] = json.loads(done.stdout)
        return told

    def url(self, platform: str) -> str:
        """A gateway that answers what is in the registry, and nothing else."""
        told = {
            "BFF__REGISTRY__URL": str(self.registry),
            f"BFF__PLATFORMS__{platform.upper()}__REGISTRY_KEYS": str(self.folder / "keys.json"),
        }
        return self.gateways.url(platform, "registered", **told)

    def ask(self, platform: str, release: str, sent: dict[str, Any], token: str) -> dict[str, Any]:
        """One request of an app of that release; the answer."""
        headers = {
            "authorization": f"Bearer {token}",
            "apollographql-client-name": "reader",
            "apollographql-client-version": release,
        }
        answer = httpx2.post(f"{self.url(platform)}/graphql", json=sent, headers=headers)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body


@pytest.fixture(scope="module")
def registered(services: Stack, tmp_path_factory: pytest.TempPathFactory) -> PublishedReleases:
    """An empty registry of its own key."""
    folder = tmp_path_factory.mktemp("published")
    (folder / "registry").mkdir()
    signer = make_signer("ci")
    write_signer(signer, folder / "key.jwk")
    (folder / "keys.json").write_text(json.dumps({"keys": [signer.public()]}))
    return PublishedReleases(folder, Gateways(services))


@pytest.fixture(scope="module")
def mobile(registered: PublishedReleases) -> dict[str, Manifest]:
    """The mobile apps, published with each of their generators."""
    found = {}
    for generator, (platform, release) in MOBILE.items():
        documents = read_documents(PROJECT / "persisted_queries" / platform / "operations")
        path = registered.folder / f"{generator}.json"
        path.write_text(pack(documents, generator), "utf-8")
        registered.publish(platform, release, path)
        found[generator] = read_manifest(path)
    return found


@pytest.fixture(scope="module")
def web(registered: PublishedReleases, web_builds: WebBuilds) -> dict[str, Manifest]:
    """The web app, published with both of its tools' manifests."""
    made = {
        "apollo": (web_builds.apollo_release, web_builds.apollo_manifest),
        "relay": (web_builds.relay_release, web_builds.relay_map),
    }
    for release, path in made.values():
        registered.publish("web", release, path)
    return {name: read_manifest(path) for name, (_, path) in made.items()}


def assert_served(
    published: PublishedReleases,
    platform: str,
    release: str,
    manifest: Manifest,
    token: str,
) -> None:
    """Every query is answered whole by the id its manifest gives it."""
    queries = [one for one in manifest.operations if one.type == "query"]
    assert len(queries) >= 4
    for operation in queries:
        given = {name: VALUES[name] for name in VALUES if f"${name}: " in operation.body}
        sent = {"variables": given}
        body = published.ask(platform, release, {"documentId": operation.id, **sent}, token)
        assert "errors" not in body, (operation.name, body)
        (screen,) = body["data"].values()
        assert screen is not None


@pytest.mark.parametrize("generator", MOBILE)
def test_mobile_manifest_is_served(
    registered: PublishedReleases, mobile: dict[str, Manifest], token: str, generator: str
) -> None:
    """iOS's two formats and Kotlin's two: what was published is what a gateway answers, under the
    policy that answers nothing else."""
    platform, release = MOBILE[generator]
    assert_served(registered, platform, release, mobile[generator], token)


@pytest.mark.parametrize("tool", ["apollo", "relay"])
def test_web_manifest_is_served(
    registered: PublishedReleases,
    web: dict[str, Manifest],
    web_builds: WebBuilds,
    token: str,
    tool: str,
) -> None:
    """The manifest Apollo's tool wrote and the map Relay's compiler wrote, each under the release
    that sends it."""
    release = {"apollo": web_builds.apollo_release, "relay": web_builds.relay_release}[tool]
    assert_served(registered, "web", release, web[tool], token)


def test_other_releases_documents_are_not_served(
    registered: PublishedReleases, web: dict[str, Manifest], web_builds: WebBuilds, token: str
) -> None:
    """A build gets the documents of its own manifest: Relay's id is not one of the Apollo build."""
    home = next(one for one in web["relay"].operations if one.name == "Home")
    body = registered.ask("web", web_builds.apollo_release, {"documentId": home.id}, token)
    assert [one["extensions"]["code"] for one in body["errors"]] == ["DOCUMENT_NOT_IN_RELEASE"]
