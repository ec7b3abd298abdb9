"""The project's own edge proxy: a real nginx with deploy/edge, on free ports, before any gateways.

Only what a deployment chooses is changed in the files: ports, folders, and who the gateways are.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx2
from click.testing import CliRunner
from pyreqwest.client import Client, ClientBuilder

from tests.contract.deploy_files import EDGE, load_script
from tests.harness.databases import free_port, not_proven

DOMAIN = "facet.example"
START_S = 20.0
NO_NGINX = "put nginx on PATH (Debian: nginx-light)"


@dataclass(frozen=True)
class Edge:
    """A running proxy. `port` takes TLS, `probe_port` plain HTTP; `folder` holds its files."""

    folder: Path
    port: int
    probe_port: int
    process: subprocess.Popen[bytes]

    def url(self, platform: str) -> str:
        return f"https://{platform}.{DOMAIN}:{self.port}"

    @property
    def certificate(self) -> bytes:
        """Of the authority that phones trust."""
        return (self.folder / "secrets" / "ca.crt").read_bytes()

    def client(self, *, http2: bool = True) -> Client:
        """A client as a phone is one: it trusts the certificate, not the address, and speaks
        HTTP/2 where the proxy offers it."""
        builder = (
            ClientBuilder()
            .no_proxy()
            .follow_redirects(False)
            .add_root_certificate_pem(self.certificate)
            .timeout(timedelta(seconds=30))
        )
        builder = builder.http2(True) if http2 else builder.http1_only()
        for platform in ("ios", "android", "web"):
            builder = builder.resolve(f"{platform}.{DOMAIN}", "127.0.0.1", self.port)
        return builder.build()

    def tls(self) -> ssl.SSLContext:
        """For connections written by hand."""
        return ssl.create_default_context(cadata=self.certificate.decode())

    def log(self) -> str:
        """What it has written down about requests and about itself."""
        files = (self.folder / "access.log", self.folder / "error.log")
        return "".join(path.read_text() for path in files if path.exists())


def nginx_program() -> str:
    """nginx on PATH or where Debian puts it; skips the test that needs it."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
    return found or not_proven("nginx", NO_NGINX)


@contextmanager
def running_edge(
    folder: Path, gateways: Mapping[str, Sequence[str]], secrets: Path | None = None
) -> Iterator[Edge]:
    """A proxy before these gateways, `host:port` by platform; platforms left out have none.
    `secrets` is a folder that make_secrets.py made, a new one by default."""
    program = nginx_program()
    port, probe_port = free_port(), free_port()
    configuration = _configured(folder, gateways, port, probe_port, secrets)
    command = [program, "-c", str(configuration), "-e", str(folder / "error.log")]
    checked = subprocess.run([*command, "-t"], capture_output=True, timeout=20, check=False)
    assert checked.returncode == 0, checked.stderr.decode()
    process = subprocess.Popen([*command, "-g", "daemon off;"], stderr=subprocess.DEVNULL)
    edge = Edge(folder, port, probe_port, process)
    try:
        _await(edge)
        yield edge
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _await(edge: Edge) -> None:
    deadline = time.monotonic() + START_S
    while time.monotonic() < deadline and edge.process.poll() is None:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"http://127.0.0.1:{edge.probe_port}/healthz").status_code == 200:
                return
        time.sleep(0.02)
    raise RuntimeError(f"nginx was not ready: {edge.log()}")


def _configured(
    folder: Path,
    gateways: Mapping[str, Sequence[str]],
    port: int,
    probe_port: int,
    secrets: Path | None,
) -> Path:
    """The files of deploy/edge in `folder`, with places and gateways of this machine."""
    target = folder / "edge"
    folder.mkdir(exist_ok=True)
    shutil.copytree(EDGE, target)
    for name in ("cache", "tmp"):
        (folder / name).mkdir()
    (folder / "secrets").mkdir()
    given = secrets or _made(folder)
    for name in ("tls.crt", "tls.key", "ca.crt"):
        shutil.copyfile(given / name, folder / "secrets" / name)
    configuration = target / "nginx.conf"
    text = configuration.read_text()
    for platform in ("ios", "android", "web"):
        # A platform without gateways: nobody listens at the port for discarding (RFC 863).
        addresses = gateways.get(platform) or ["127.0.0.1:9"]
        text = _servers(text, platform, addresses)
    changes = {
        "listen 8443 ": f"listen 127.0.0.1:{port} ",
        "listen 8080;": f"listen 127.0.0.1:{probe_port};",
        "/run/secrets/": f"{folder}/secrets/",
        "/var/cache/nginx/": f"{folder}/cache/",
        " /tmp/": f" {folder}/tmp/",
        "/dev/stdout": f"{folder}/access.log",
        "error_log stderr": f"error_log {folder}/error.log",
        "worker_processes auto": "worker_processes 1",
    }
    assert [old for old in changes if old not in text] == []
    # At once: what is put in may look like another of them.
    text = re.sub("|".join(map(re.escape, changes)), lambda found: changes[found[0]], text)
    if os.geteuid() == 0:  # workers would be somebody who may not enter this folder
        text = f"user root;\n{text}"
    configuration.write_text(text)
    return configuration


def _servers(text: str, platform: str, addresses: Sequence[str]) -> str:
    pattern = rf"server bff-{platform}:\d+([^;]*);"
    assert len(re.findall(pattern, text)) == 1
    lines = [f"server {address}\\g<1>;" for address in addresses]
    return re.sub(pattern, "\n        ".join(lines), text)


def _made(folder: Path) -> Path:
    made = CliRunner().invoke(load_script("make_secrets").main, [str(folder / "made")])
    assert made.exit_code == 0, made.output
    return folder / "made"
