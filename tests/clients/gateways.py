"""The session's gateways: one process per platform and policy, started when first asked for."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

from bff.config import PROJECT, Policy
from tests.harness.databases import free_port
from tests.harness.stack import PATIENT, Stack


@dataclass
class Gateways:
    """Gateways over the core services of one stack; they stop with it. `releases` names the folder
    of a platform whose releases are not the committed ones."""

    stack: Stack
    releases: dict[str, Path] = field(default_factory=dict)
    _urls: dict[tuple[str, ...], str] = field(default_factory=dict)

    def url(self, platform: str, policy: Policy, **environment: str) -> str:
        """Where such a gateway answers, ready; `environment` is told to it on top."""
        key = (platform, policy, *(f"{name}={value}" for name, value in environment.items()))
        if key not in self._urls:
            self._urls[key] = self._start(platform, policy, environment)
        return self._urls[key]

    def release_folder(self, platform: str) -> Path:
        return self.releases.get(platform, committed_releases(platform))

    def _start(self, platform: str, policy: Policy, environment: dict[str, str]) -> str:
        where = self.stack.where
        name = f"bff-{platform}-{policy}-{len(self._urls)}"
        port = free_port()
        url = f"http://127.0.0.1:{port}"
        told = {
            **where.bff_environment(platform),
            **PATIENT,
            "BFF__DOCUMENTS__POLICY": policy,
            f"BFF__PLATFORMS__{platform.upper()}__RELEASES": str(self.release_folder(platform)),
            **environment,
        }
        command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port)]
        children = self.stack.children
        child = children.start(name, command, told, url, where.log_file(name))
        children.wait_ready(child)
        return url


def committed_releases(platform: str) -> Path:
    """The releases that are part of the project."""
    return PROJECT / "persisted_queries" / platform / "releases"
