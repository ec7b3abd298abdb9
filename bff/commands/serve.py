"""`bff serve PLATFORM`: one platform's gateway until SIGTERM or Ctrl-C, in this process or, with
`--workers`, in several that this one looks after."""

from __future__ import annotations

import asyncio
import sys

import click

from bff import config as settings_module
from bff.commands.frozen_settings import FrozenSettings
from bff.commands.sockets import Sockets, open_sockets
from bff.config import Settings
from bff.telemetry import logs

MOST_WORKERS = 64


@click.command()
@click.argument("platform")
@click.option("--host", help="Address to listen on; default edge.host.")
@click.option("--port", type=click.IntRange(0, 65535), help="Default 8000 + the platform's offset.")
@click.option(
    "--workers",
    type=click.IntRange(1, MOST_WORKERS),
    help="Serve in so many processes, which are replaced when they crash and on SIGHUP.",
)
def serve(platform: str, host: str | None, port: int | None, workers: int | None) -> None:
    """Serve PLATFORM (ios, android, web, …) until stopped."""
    if workers is None:
        settings = settings_module.load()
        _alone(settings, platform, open_sockets(settings, platform, host, port))
        return
    frozen = FrozenSettings()
    logs.configure(frozen.settings.telemetry.log_level, f"bff-{platform}")
    sockets = open_sockets(frozen.settings, platform, host, port)
    sys.exit(_group(platform, workers, sockets, frozen))


def _alone(settings: Settings, platform: str, sockets: Sockets) -> None:
    # Imported where they are used: a supervisor serves nothing and stays small.
    from bff.commands.gateway_process import Alone, run
    from bff.edge.drain import Drain

    logs.configure(settings.telemetry.log_level, f"bff-{platform}")
    run(settings, platform, sockets, Drain(settings.lame_duck_s), Alone())


def _group(platform: str, workers: int, sockets: Sockets, frozen: FrozenSettings) -> int:
    from bff.commands.supervise import Supervisor

    # Only bound: the system refuses who comes before the first worker listens.
    return asyncio.run(Supervisor(platform, workers, sockets, frozen).run())
