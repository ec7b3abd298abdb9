"""Starts the services and gateways of one development set-up, as `bff up` and the tests need."""

from __future__ import annotations

import shlex
import subprocess
import sys

from bff.commands.development import Layout
from bff.commands.processes import Child, Children
from bff.errors import ConfigError

# The exit code of `core_services` when what the database file holds cannot be used.
UNUSABLE_CONTENT = 3


def prepare(where: Layout, service: str, *, quiet: bool = False) -> None:
    """Migrate and seed one database; its progress bar is its own. Raises ConfigError."""
    command = [sys.executable, "-m", "core_services", "prepare", service]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=where.service_environment(service), check=False, capture_output=quiet
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip() if quiet else "it said why above"
        raise ConfigError(
            f"the {service} database is not prepared ({said}){_afresh(where, service, done)}"
        )


def _afresh(where: Layout, service: str, done: subprocess.CompletedProcess[bytes]) -> str:
    """Only a file that we made ourselves, and that is of no use, is anybody told to delete."""
    if done.returncode != UNUSABLE_CONTENT or not where.has_own_database(service):
        return ""
    return f"; `rm {shlex.quote(str(where.database(service)))}` starts it afresh"


def start_service(where: Layout, children: Children, service: str) -> Child:
    """Start one core service; not yet ready."""
    port = str(where.service_port(service))
    command = [sys.executable, "-m", "core_services", "serve", service, "--port", port]
    return children.start(
        service,
        command,
        where.service_environment(service),
        where.service_url(service),
        where.log_file(service),
    )


def start_bff(where: Layout, children: Children, platform: str) -> Child:
    """Start one platform's gateway; not yet ready."""
    port = where.bff_port(platform)
    name = f"bff-{platform}"
    command = [sys.executable, "-m", "bff", "serve", platform, "--port", str(port)]
    return children.start(
        name,
        command,
        where.bff_environment(platform),
        f"http://127.0.0.1:{port}",
        where.log_file(name),
    )
