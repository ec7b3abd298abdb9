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

from core_services.kit.app import ServiceApp, build_app
from core_services.kit.errors import MEDIA_TYPE, BadRequest, HeadTooLarge, Problem, RequestTimeout
from core_services.kit.protocol import limited
from core_services.kit.receipt import KEEP_ALIVE_S, PromptProtocol
from core_services.kit.service import Service
from core_services.kit.settings import ServiceSettings, SettingsError
from core_services.kit.telemetry import configure_logs

LARGEST_HEAD = 32 * 1024  # request line and headers
_LOOK_TICKS = 10  # of a tenth of a second
_log = structlog.get_logger("core_services")


def serve(service: Service, settings: ServiceSettings, host: str, port: int) -> None:
    """Serve until told to stop; SettingsError for a taken port or unusable settings.

    From the signal on the service is not ready and closes connections behind their answers; after
    `lame_duck_s` it takes no more, and what is in flight has `call_grace_s`.
    """
    configure_logs(service.name, settings.log_level)
    app = build_app(service, settings)
    listener = _listen(host, port)
    for variable in settings.unset_files():
        _log.warning("a file is not set", setting=variable)
    server = _Server(app, settings)
    # uvicorn raises the signal again once it has drained; by then stopping is done, and well done.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _already_stopped)
    server.run(sockets=[listener])
    if not server.started:
        raise SettingsError(f"{service.name} did not start; the log lines above say why")


class _Server(uvicorn.Server):
    """uvicorn's, which announces its end and looks after what arrives slowly."""

    def __init__(self, app: ServiceApp, settings: ServiceSettings) -> None:
        config = uvicorn.Config(
            app,
            loop="uvloop",
            http=_protocol(),
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=math.ceil(settings.call_grace_s),
        )
        super().__init__(config)
        self._app = app
        self._lame_duck_s = settings.lame_duck_s
        self._receipt_timeout_s = settings.receipt_timeout_s
        self._leaves_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Both signals. The second one is obeyed at once."""
        loop = asyncio.get_running_loop()
        if self._leaves_at is None and self._lame_duck_s:
            self._app.state.draining = True
            self._leaves_at = loop.time() + self._lame_duck_s
            self._say_close()
            return
        super().handle_exit(sig, frame)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; True ends the service."""
        ends = await super().on_tick(counter)
        now = asyncio.get_running_loop().time()
        if counter % _LOOK_TICKS == 0:
            for connection in list(self.server_state.connections):
                if isinstance(connection, PromptProtocol):
                    connection.look(now, self._receipt_timeout_s)
        if self._leaves_at is None:
            return ends
        self._say_close()  # again: uvicorn makes the headers anew with each second's date
        return ends or now >= self._leaves_at

    def _say_close(self) -> None:
        """Callers that keep a connection come back on a new one, to whoever takes over."""
        close = (b"connection", b"close")
        if close not in self.server_state.default_headers:
            self.server_state.default_headers = [*self.server_state.default_headers, close]


def _protocol() -> type[asyncio.Protocol]:
    problems: tuple[Problem, ...] = (
        BadRequest("Send HTTP/1.1 with a well-formed head and chunks."),
        HeadTooLarge(),
        RequestTimeout(),
    )
    bounded = limited(LARGEST_HEAD, MEDIA_TYPE, {found.status: found.body() for found in problems})
    return type("Protocol", (PromptProtocol, bounded), {})


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
