"""Core services for tests.

In this process behind an ASGI client, or as real processes on a port.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import httpx2

from core_services.kit.app import build_app
from core_services.kit.service import Service
from core_services.kit.settings import ServiceSettings
from tests.harness.databases import free_port

_START_S = 30.0
_ROOT = Path(__file__).parent.parent.parent


@asynccontextmanager
async def service_client(
    service: Service, settings: ServiceSettings
) -> AsyncIterator[httpx2.AsyncClient]:
    """Give a client of the service's app in this process, started and stopped as uvicorn would."""
    app = build_app(service, settings)
    transport = httpx2.ASGITransport(app=app)
    async with (
        app.router.lifespan_context(app),
        httpx2.AsyncClient(transport=transport, base_url="http://service") as client,
    ):
        yield client


@contextmanager
def running_service(
    name: str, environ: Mapping[str, str], log: Path
) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Start `serve NAME` as a process, wait until it is ready, and give its base URL and process.

    It is stopped with SIGTERM at the end; its output goes to `log`.
    """
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "core_services", "serve", name, "--port", str(port)],
            env=_environment(environ),
            cwd=_ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _await_ready(url, process, log)
        yield url, process
    finally:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(15)
        process.kill()
        process.wait()


def prepare_service(name: str, environ: Mapping[str, str]) -> None:
    """Run `prepare NAME`: migrate and seed."""
    subprocess.run(
        [sys.executable, "-m", "core_services", "prepare", name],
        env=_environment(environ),
        cwd=_ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    prefixes = ("ACCOUNTS__", "CONTENT__", "NOTIFICATIONS__", "BFF_")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(prefixes)}
    return clean | dict(extra)


def _await_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx2.TransportError):
            if httpx2.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        time.sleep(0.05)
    raise RuntimeError(f"{url} was not ready: {log.read_text()[-2000:]}")
