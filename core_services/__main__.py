"""The `python -m core_services` command.

Prepare, migrate, seed, serve, and print the OpenAPI document.
"""

import asyncio
import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import click
import orjson
import rich.progress
from rich.console import Console

from core_services.kit.app import build_app, open_database
from core_services.kit.database import Database
from core_services.kit.database_failures import FAILURES, explain
from core_services.kit.migrations.run import current_version, upgrade
from core_services.kit.seeding import load_seed
from core_services.kit.server import serve as serve_service
from core_services.kit.service import Service
from core_services.kit.settings import ServiceSettings, SettingsError, load_settings

NAMES = ("accounts", "content", "notifications")

Command = TypeVar("Command", bound=Callable[..., Any])


class _ContentUnusable(click.ClickException):
    """The database is there, what it holds is of no use: told apart from every other failure."""

    exit_code = 3


def find_service(name: str) -> Service:
    """Return the service of this name; only this file knows where services live."""
    service: Service = importlib.import_module(f"core_services.{name}.app").SERVICE
    return service


@click.group()
def main() -> None:
    """Run Facet's core services: accounts, content and notifications."""


def _named(command: Command) -> Command:
    return click.argument("name", type=click.Choice(NAMES))(command)


@main.command()
@_named
def prepare(name: str) -> None:
    """Migrate the database of NAME, then fill it if it is empty."""
    _with_database(name, _prepare)


@main.command()
@_named
def migrate(name: str) -> None:
    """Migrate the database of NAME to the newest version."""
    _with_database(name, _migrate)


@main.command()
@_named
def seed(name: str) -> None:
    """Fill the migrated database of NAME with the demonstration data, if it is empty."""
    _with_database(name, _seed)


@main.command()
@_named
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", type=click.IntRange(0, 65535), required=True, help="Port to listen on.")
def serve(name: str, host: str, port: int) -> None:
    """Serve NAME until SIGTERM or Ctrl-C."""
    service = find_service(name)
    try:
        serve_service(service, load_settings(service.settings), host, port)
    except SettingsError as failure:
        raise click.ClickException(str(failure)) from failure
    except OSError as failure:
        raise click.ClickException(
            f"{name}: {failure.filename}: {failure.strerror}; correct the setting that names it"
        ) from failure


@main.command()
@_named
def openapi(name: str) -> None:
    """Print the OpenAPI document of NAME as JSON."""
    service = find_service(name)
    # The document depends on no setting: neither files nor database are touched.
    settings = service.settings.model_construct(database_url="sqlite+aiosqlite:///unused.db")
    document = build_app(service, settings).openapi()
    click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))


async def _prepare(service: Service, settings: ServiceSettings, database: Database) -> None:
    _refuse_in_production(settings)
    await upgrade(database, service.versions)
    await _seed(service, settings, database)


async def _migrate(service: Service, _: ServiceSettings, database: Database) -> None:
    before = await current_version(database)
    await upgrade(database, service.versions)
    now = await current_version(database)
    did = "already at" if before == now else f"migrated from {before or 'nothing'} to"
    click.echo(f"{service.name}: {did} version {now}")


async def _seed(service: Service, settings: ServiceSettings, database: Database) -> None:
    _refuse_in_production(settings)
    columns = (
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(),
        rich.progress.MofNCompleteColumn(),
        rich.progress.TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    bars = rich.progress.Progress(*columns, console=console, transient=True)
    tasks: dict[str, rich.progress.TaskID] = {}

    def show(label: str, done: int, total: int) -> None:
        if label not in tasks:
            if console.is_terminal:
                bars.start()  # not before there is something to show
            tasks[label] = bars.add_task(f"{service.name} {label}", total=total)
        bars.update(tasks[label], completed=done)

    try:
        filled = await load_seed(database, service.seed(), show)
    finally:
        if tasks and console.is_terminal:
            bars.stop()
    console.print(f"{service.name}: {'filled' if filled else 'already filled, left as it is'}")


def _refuse_in_production(settings: ServiceSettings) -> None:
    if settings.is_production():
        raise SettingsError(
            "BFF_ENV=production: the demonstration data has known passwords and stays out of"
            " production; use `migrate`"
        )


def _with_database(name: str, work: Callable[[Service, Any, Database], Any]) -> None:
    async def run() -> None:
        service = find_service(name)
        settings = load_settings(service.settings)
        database = open_database(settings)
        try:
            await work(service, settings, database)
        finally:
            await database.close()

    try:
        asyncio.run(run())
    except SettingsError as failure:
        raise click.ClickException(str(failure)) from failure
    except FAILURES as failure:
        raise _refusal(find_service(name), failure) from failure


def _refusal(service: Service, failure: BaseException) -> click.ClickException:
    settings = load_settings(service.settings)
    found = explain(settings.database_url, settings.variable("database_url"), failure)
    kind = _ContentUnusable if found.content_unusable else click.ClickException
    return kind(f"{service.name}: {found.message}")


if __name__ == "__main__":
    main()
