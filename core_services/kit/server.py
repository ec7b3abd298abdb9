"""Runs a service on one port until SIGTERM or SIGINT.

Finishes what is in flight, flushes spans, exits 0.
"""

import asyncio
import math
import signal
import socket
from types import FrameType

import structlog
import uvicorn

from core_services.kit.app import build_app
from core_services.kit.errors import MEDIA_TYPE, BadRequest, HeadTooLarge
from core_services.kit.protocol import limited
from core_services.kit.service import Service
from core_services.kit.settings import ServiceSettings, SettingsError
from core_services.kit.telemetry import configure_logs

LARGEST_HEAD = 32 * 1024  # request line and headers
_log = structlog.get_logger("core_services")


def serve(service: Service, settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until told to stop; SettingsError for a taken port or unusable settings.

    Calls in flight have `call_grace_s` seconds from the signal.
    """
    configure_logs(service.name, settings.log_level)
    app = build_app(service, settings)
    listener = _listen(host, port)
    for variable in settings.unset_files():
        _log.warning("a file is not set", setting=variable)
    server = uvicorn.Server(
        uvicorn.Config(
            app,
            loop="uvloop",
            http=_protocol(),
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=math.ceil(settings.call_grace_s),
        )
    )
    # uvicorn raises the signal again once it has drained; by then stopping is done, and well done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_stopped)
    server.run(sockets=[listener])
    if not server.started:
        raise SettingsError(f"{service.name} did not start; the log lines above say why")


def _protocol() -> type[asyncio.Protocol]:
    problems = (BadRequest("Send HTTP/1.1 with a well-formed head and chunks."), HeadTooLarge())
    return limited(LARGEST_HEAD, MEDIA_TYPE, {found.status: found.body() for found in problems})


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as failure:
        listener.close()
        raise SettingsError(
            f"--host {host} --port {port}: {failure.strerror}; free the port or choose another one"
        ) from failure
    listener.setblocking(False)
    return listener


def _already_stopped(_: int, __: FrameType | None) -> None:
    """Leave the exit code at 0."""
