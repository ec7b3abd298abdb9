"""`bff up`: the whole product on one machine — services, gateways, and proof that they answer."""

from __future__ import annotations

import signal
import socket
import sys
import time
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from bff import config as settings_module
from bff.commands.data_lock import alone
from bff.commands.development import DEFAULT_DATA, DEFAULT_PORT_BASE, SERVICES, Layout, layout
from bff.commands.first_screens import ask_home_screens, show
from bff.commands.launch import prepare, start_bff, start_service
from bff.commands.processes import Child, Children
from bff.commands.seed_registry import make_registry
from bff.commands.token import access_token
from bff.errors import ConfigError

console = Console()


@click.command()
@click.option("--once", is_flag=True, help="Stop after the table; exit 0 only if all is well.")
@click.option(
    "--port-base", default=DEFAULT_PORT_BASE, show_default=True, type=click.IntRange(1024, 65000)
)
@click.option("--data", default=DEFAULT_DATA, show_default=True, type=click.Path(path_type=Path))
def up(once: bool, port_base: int, data: Path) -> None:
    """Start every service and gateway, show each platform's home screen, serve until Ctrl-C."""
    where = layout(settings_module.load(), port_base, data)
    _check_ports(where)
    with alone(where):
        where.make_folders()
        where.make_keys()
        make_registry(where, console.print)
        where.forget_traces()
        for service in SERVICES:
            prepare(where, service)
        _stop_on_signals()
        with Children() as children:
            try:
                well = _run(where, children, once)
            except KeyboardInterrupt:
                well = not once  # stopped before the proof that --once is about
            console.print("stopping …")
    if not well:
        sys.exit(1)


def _run(where: Layout, children: Children, once: bool) -> bool:
    with console.status("starting …"):
        _await(children, [start_service(where, children, name) for name in SERVICES])
        platforms = list(where.settings.platforms)
        _await(children, [start_bff(where, children, name) for name in platforms])
        token = access_token(where)
        screens = ask_home_screens(where, token)
    well = show(console, where, screens, token)
    if once:
        return well
    console.print(f"Logs and traces: {where.data}   Stop: Ctrl-C")
    while True:
        children.check()
        time.sleep(0.5)


def _check_ports(where: Layout) -> None:
    """A taken port is said before anything is started."""
    wanted = {f"bff {name}": where.bff_port(name) for name in where.settings.platforms}
    wanted |= {name: where.service_port(name) for name in SERVICES}
    for name, port in wanted.items():
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError as error:
                base = _other(where)
                raise ConfigError(
                    f"port {port} for {name} cannot be used ({error.strerror}); stop what uses "
                    f"it, or take another block with data of its own: "
                    f"make run ARGS='--port-base {base} --data {DEFAULT_DATA}/{base}'"
                ) from error


def _other(where: Layout) -> int:
    return where.port_base + 1000 if where.port_base < 60_000 else 20_000


def _await(children: Children, started: list[Child]) -> None:
    for child in started:
        children.wait_ready(child)
        console.print(f"[green]✓[/green] {child.name:<14} {child.url}  pid {child.process.pid}")


def _stop_on_signals() -> None:
    """SIGTERM, and the hang-up of a closed terminal: the children are in sessions of their own and
    would stay behind. A hang-up that `nohup` ignores stays ignored."""
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, _interrupt)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt
