"""Starts the services and gateways of one development set-up, as `bff up` and the tests need."""

from __future__ import annotations

import subprocess
import sys

from bff.commands.development import Layout
from bff.commands.processes import Child, Children
from bff.errors import ConfigError


def prepare(where: Layout, service: str, *, quiet: bool = False) -> None:
    """Migrate and seed one database; its progress bar is its own. Raises ConfigError."""
    command = [sys.executable, "-m", "core_services", "prepare", service]
    done = subprocess.run(  # noqa: S603 - our own command
        command, env=where.service_environment(service), check=False, capture_output=quiet
    )
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace") if quiet else "see above"
        raise ConfigError(
            f"preparing the {service} database failed ({said}); `rm -r {where.data}` starts afresh"
        )


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
