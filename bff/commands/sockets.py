"""The sockets a gateway listens on: bound before anything is loaded, so that a taken port is an
error with a way out."""

from __future__ import annotations

import socket
from typing import NamedTuple

from bff.commands.development import DEFAULT_PORT_BASE
from bff.config import Settings
from bff.errors import ConfigError


class Sockets(NamedTuple):
    """What a gateway listens on. `operations` says whether the public one answers operators too."""

    public: socket.socket
    operator: socket.socket | None
    operations: bool

    def close(self) -> None:
        """Close both, as far as this process is concerned."""
        self.public.close()
        if self.operator is not None:
            self.operator.close()


def open_sockets(settings: Settings, platform: str, host: str | None, port: int | None) -> Sockets:
    """Bind what the settings name, or the command line instead. Raises ConfigError."""
    if platform not in settings.platforms:
        known = ", ".join(settings.platforms)
        raise ConfigError(f"platforms.{platform} is not set; known platforms: {known}")
    if port is None:
        port = DEFAULT_PORT_BASE + settings.platforms[platform].port_offset
    host = host or settings.edge.host
    public = listen(host, port)
    wanted = settings.edge.operator_port
    if wanted is None or wanted == port:
        return Sockets(public, None, operations=settings.development or wanted == port)
    return Sockets(public, listen(host, wanted), operations=False)


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
