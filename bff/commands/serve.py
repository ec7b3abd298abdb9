"""`bff serve PLATFORM`: one platform's gateway in this process, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from types import FrameType

import click
import uvicorn

from bff import config as settings_module
from bff.app import build
from bff.commands.development import DEFAULT_PORT_BASE
from bff.config import Settings
from bff.edge.answer import error_answer
from bff.edge.one_write import OneWriteProtocol
from bff.edge.protocol import MAX_HEADERS, limited
from bff.errors import BadRequest, ConfigError, RequestTooLarge
from bff.telemetry import logs

# A request makes thousands of objects and leaves no circles among them (tests hold that): looking
# for some as often as Python does by itself took an eighth of the CPU of an answer.
COLLECT_AFTER = (10_000, 50, 100)


@click.command()
@click.argument("platform")
@click.option("--host", help="Address to listen on; default edge.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default 8000 + the platform's offset.")
def serve(platform: str, host: str | None, port: int | None) -> None:
    """Serve PLATFORM (ios, android, web, …) until stopped."""
    settings = settings_module.load()
    logs.configure(settings.telemetry.log_level, f"bff-{platform}")
    # What lives as long as the process is kept from full collections, which hold the loop: by now
    # the schema and the texts, later what was made of them.
    app = build(settings, platform, settled=gc.freeze)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    if port is None:
        port = DEFAULT_PORT_BASE + settings.platforms[platform].port_offset
    listener = listen(host or settings.edge.host, port)
    server = uvicorn.Server(_server_config(app, settings))
    # uvicorn drains on these signals and raises them again afterwards: by then all is done, and
    # the exit code is 0.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_stopped)
    server.run(sockets=[listener])


def _server_config(app: object, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        loop="uvloop",
        http=_protocol(settings.edge.max_head_bytes),
        headers=[("x-content-type-options", "nosniff")],  # on every answer, refusals included
        ws="none",
        lifespan="on",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=settings.edge.shutdown_grace_s,
    )


def _protocol(max_head_bytes: int) -> type[asyncio.Protocol]:
    """HTTP/1.1 within the limits; what it refuses never reaches the application."""
    too_large = (
        f"request line and headers are larger than {max_head_bytes} bytes or more than "
        f"{MAX_HEADERS} headers; send fewer and shorter ones, and variables in a body"
    )
    unread = "the request is no HTTP/1.1 that can be read; check request line, headers and chunks"
    refusals = {
        431: error_answer(431, RequestTooLarge.code, too_large).body,
        400: error_answer(400, BadRequest.code, unread).body,
    }
    bounded = limited(max_head_bytes, "application/json; charset=utf-8", refusals)
    return type("Protocol", (bounded, OneWriteProtocol), {})


def listen(host: str, port: int) -> socket.socket:
    """A bound socket. Raises ConfigError when the port is taken, with the way out."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise ConfigError(
            f"cannot listen on {host}:{port} ({error.strerror}); stop what uses it, or choose "
            "another: `bff serve … --port N`, `bff up --port-base N`"
        ) from error
    listener.setblocking(False)
    return listener


def _already_stopped(_: int, __: FrameType | None) -> None:
    """Nothing is left to stop."""
