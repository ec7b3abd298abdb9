"""Real client libraries against running gateways: one set of processes and one install a session.

Without Node.js the tests that need it say what to install (a failure with FACET_REQUIRE_ALL=1);
the replays of what mobile clients send need only Python.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.builds import WebBuilds, build_web
from tests.clients.gateways import Gateways
from tests.clients.node import Node, find_node, install, is_installed
from tests.harness.stack import Stack, running_stack


@pytest.fixture(scope="session")
def services(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The core services alone; gateways are started by policy."""
    with running_stack(tmp_path_factory.mktemp("clients"), seeded, platforms=()) as running:
        yield running


@pytest.fixture(scope="session")
def token(services: Stack) -> str:
    """An access token of the demonstration account."""
    return services.token()


@pytest.fixture(scope="session")
def node(pytestconfig: pytest.Config) -> Node:
    """Node.js with every pinned library in place."""
    found = find_node()
    if not is_installed():
        capture = pytestconfig.pluginmanager.getplugin("capturemanager")
        assert capture is not None
        with capture.global_and_fixture_disabled():
            sys.stdout.write("\ninstalling the client libraries of tests/clients (once) …\n")
            install()
    return found


@pytest.fixture(scope="session")
def web_builds(node: Node, tmp_path_factory: pytest.TempPathFactory) -> WebBuilds:
    """The web app built with both of its tools."""
    return build_web(node, tmp_path_factory.mktemp("builds"))


@pytest.fixture(scope="session")
def mobile_gateways(services: Stack) -> Gateways:
    """Gateways of the mobile platforms, with the committed releases."""
    return Gateways(services)


@pytest.fixture(scope="session")
def web_gateways(services: Stack, web_builds: WebBuilds) -> Gateways:
    """Gateways of the web platform that know both builds."""
    return Gateways(services, {"web": web_builds.releases})


@pytest.fixture(scope="session")
def web_settings(web_gateways: Gateways, web_builds: WebBuilds, token: str) -> dict[str, str]:
    """What every script is told."""
    return {
        "OPEN_URL": web_gateways.url("web", "open"),
        "REGISTERED_URL": web_gateways.url("web", "registered"),
        "TOKEN": token,
        "APOLLO_MANIFEST": str(web_builds.apollo_manifest),
        "RELAY_ARTIFACTS": str(web_builds.relay_artifacts),
        "OPERATIONS": str(web_builds.operations),
        "SCHEMA": str(web_builds.schema),
        "APOLLO_RELEASE": web_builds.apollo_release,
        "RELAY_RELEASE": web_builds.relay_release,
    }
