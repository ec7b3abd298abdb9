"""One worker of `bff serve PLATFORM --workers N`, started by its supervisor and by nobody else.

A process of its own from the first instruction on, not a fork: no thread, lock, connection or
random state of another process can be in it.
"""

from __future__ import annotations

import asyncio
import itertools
import signal
import socket
from collections.abc import Callable
from contextlib import suppress

import click
from prometheus_client import CollectorRegistry

from bff import config as settings_module
from bff.__main__ import run as run_command
from bff.app import Gateway
from bff.commands import control
from bff.commands.control import Channel
from bff.commands.gateway_process import run
from bff.commands.sockets import Sockets
from bff.edge.drain import Drain
from bff.edge.interfaces import Scrape
from bff.edge.share import Shares, Turn
from bff.errors import ConfigError
from bff.telemetry import aggregate, logs

READY_POLL_S = 0.05
SCRAPE_WITHIN_S = 3.0

log = logs.logger(__name__)


class Link:
    """The worker's end of what ties it to its supervisor."""

    def __init__(self, end: socket.socket, drain: Drain, turn: Turn) -> None:
        self.turn: Turn | None = turn
        self.scrape: Scrape | None = self._scrape
        self._end = end
        self._drain = drain
        self._accepted = asyncio.Event()
        self._numbers = itertools.count()
        self._waiting: dict[int, asyncio.Future[list[aggregate.Family]]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._channel: Channel
        self._registry: CollectorRegistry

    async def go(self, gateway: Gateway) -> bool:
        """Report, and wait for the word to accept; False where the end comes first."""
        self._registry = gateway.pipeline.services.metrics.registry
        self._channel = await Channel.over(self._end)
        self._channel.send(control.Up())
        self._tasks = [
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._tell_ready(gateway)),
        ]
        while not self._drain.leaving:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._accepted.wait(), READY_POLL_S)
                return True
        return False

    async def farewell(self) -> None:
        """Leave the last counts behind."""
        for task in self._tasks:
            task.cancel()
        try:
            self._channel.send(control.Tell(aggregate.read(self._registry)))
            await self._channel.flush()
        except OSError:
            log.warning("last_counts_lost")

    async def _tell_ready(self, gateway: Gateway) -> None:
        while set((await gateway.ready()).values()) != {"ok"}:  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(READY_POLL_S)
        self._channel.send(control.Ready())

    async def _listen(self) -> None:
        while (message := await self._channel.read()) is not None:
            self._take(message)
        if not self._drain.leaving:
            log.error("supervisor_gone")
            self._drain.stop()

    def _take(self, message: control.Any) -> None:
        match message:
            case control.Accept():
                self._accepted.set()
            case control.Retire():
                self._drain.retire()
            case control.Ask():
                self._channel.send(control.Tell(aggregate.read(self._registry)))
            case control.TellAll(number, families):
                waiting = self._waiting.pop(number, None)
                if waiting is not None and not waiting.done():
                    waiting.set_result(families)

    async def _scrape(self) -> CollectorRegistry:
        """The metrics of the group. Raises OSError where the supervisor does not answer."""
        number = next(self._numbers)
        answer: asyncio.Future[list[aggregate.Family]] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        self._channel.send(control.AskAll(number, aggregate.read(self._registry)))
        try:
            async with asyncio.timeout(SCRAPE_WITHIN_S):
                return aggregate.as_registry(await answer)
        finally:
            self._waiting.pop(number, None)


@click.command()
@click.argument("platform")
@click.option("--public", type=int, required=True, help="Descriptor of the listening socket.")
@click.option("--operator", type=int, help="Descriptor of the operators' listening socket.")
@click.option("--control", "end", type=int, required=True, help="Descriptor to the supervisor.")
@click.option("--shares", type=int, required=True, help="Descriptor of the workers' counts.")
@click.option("--slot", type=int, required=True, help="Which of the workers this one is.")
@click.option("--operations", is_flag=True, help="Operators are answered on the public socket.")
def worker(
    platform: str,
    public: int,
    operator: int | None,
    end: int,
    shares: int,
    slot: int,
    operations: bool,
) -> None:
    """Serve PLATFORM on sockets that a supervisor bound."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the supervisor's to understand
    operators = None if operator is None else _inherited(operator)
    sockets = Sockets(_inherited(public), operators, operations)
    tie, turn = _inherited(end), Turn(Shares(shares), slot)
    _telling(tie, lambda: _serve(platform, sockets, tie, turn))


def _inherited(descriptor: int) -> socket.socket:
    found = socket.socket(fileno=descriptor)
    found.setblocking(False)
    return found


def _serve(platform: str, sockets: Sockets, tie: socket.socket, turn: Turn) -> None:
    settings = settings_module.load()
    logs.configure(settings.telemetry.log_level, f"bff-{platform}")
    drain = Drain(settings.lame_duck_s)
    run(settings, platform, sockets, drain, Link(tie, drain, turn))


def _telling(tie: socket.socket, serve: Callable[[], None]) -> None:
    """Serve; what the settings are at fault for, the supervisor hears."""
    try:
        serve()
    except ConfigError as error:
        tie.setblocking(True)
        tie.sendall(control.framed(control.Failed(str(error))))
        raise


if __name__ == "__main__":
    run_command(worker)
