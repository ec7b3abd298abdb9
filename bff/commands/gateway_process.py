"""One gateway in this process: application, garbage collection, server, until its end."""

from __future__ import annotations

import gc
import resource
from collections.abc import Awaitable, Callable
from typing import Protocol

from bff.app import Gateway, assemble
from bff.commands.sockets import Sockets
from bff.config import Settings
from bff.edge.drain import Drain
from bff.edge.interfaces import Scrape
from bff.edge.receipt import MOST_TURNED_AWAY, Told
from bff.edge.server import OPERATOR_CONNECTIONS, Door, Server
from bff.edge.share import Turn
from bff.telemetry.logs import logger

# A request makes thousands of objects and leaves no circles among them (tests hold that): looking
# for some as often as Python does by itself took an eighth of the CPU of an answer.
COLLECT_AFTER = (10_000, 50, 100)
# Files beside connections: the interpreter's own, logs, the registry, Redis.
OTHER_FILES = 256

log = logger(__name__)


class Keeper(Protocol):
    """Whoever looks after this process: nobody, or a supervisor."""

    scrape: Scrape | None
    turn: Turn | None

    async def go(self, gateway: Gateway) -> bool:
        """Awaited once everything is loaded, before the first connection; False: end instead."""

    async def farewell(self) -> None:
        """Awaited last of all."""


class Alone:
    """Nobody."""

    scrape: Scrape | None = None
    turn: Turn | None = None

    async def go(self, gateway: Gateway) -> bool:
        return True

    async def farewell(self) -> None:
        return None


def run(settings: Settings, platform: str, sockets: Sockets, drain: Drain, keeper: Keeper) -> None:
    """Serve until told to stop. Raises ConfigError for settings that cannot be served."""
    # What lives as long as the process is kept from full collections, which hold the loop: by now
    # the schema and the texts, later what was made of them.
    made = assemble(
        settings,
        platform,
        settled=gc.freeze,
        operations=sockets.operations,
        draining=lambda: drain.leaving,
        scrape=keeper.scrape,
    )
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    _allow_files(settings)
    counts = made.gateway.pipeline.services.metrics.transport
    server = Server(
        settings.edge,
        Door(sockets.public, made.app),
        drain,
        Told(counts.refused, counts.closed),
        operator=None if sockets.operator is None else Door(sockets.operator, made.operator),
        turn=keeper.turn,
        go=_bound(keeper.go, made.gateway),
        farewell=keeper.farewell,
    )
    counts.connections.set_function(lambda: len(server.server_state.connections))
    server.run()


def _bound(
    go: Callable[[Gateway], Awaitable[bool]], gateway: Gateway
) -> Callable[[], Awaitable[bool]]:
    return lambda: go(gateway)


def _allow_files(settings: Settings) -> None:
    """Ask for as many open files as the limits of connections may need."""
    needed = settings.edge.max_connections + settings.upstreams.pool_size
    needed += MOST_TURNED_AWAY + OPERATOR_CONNECTIONS + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        log.warning("open_files_short", allowed=allowed, needed=needed)
