"""`bff usage`: who still asks for what, from the roll-ups that gateways write into the registry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from graphql import GraphQLSchema
from redis.exceptions import RedisError

from bff import config as settings_module
from bff.commands.document_names import names_of
from bff.commands.evidence import Asked, Evidence, evidence_of
from bff.commands.registries import NO_REGISTRY, access
from bff.commands.schema import named_platforms
from bff.commands.usage_output import (
    Reader,
    compacted_shown,
    live_shown,
    readers_shown,
    release_shown,
    releases_shown,
)
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from bff.store.redis_tier import connected
from bff.usage.counts import Pair
from bff.usage.live import Live
from persisted_queries.compaction import compact as compact_days
from persisted_queries.impact import Shipped
from persisted_queries.problem import RegistryError
from persisted_queries.rollups import NOT_TOLD, OTHERS
from persisted_queries.selects import UnknownFieldError, field_of, selecting
from persisted_queries.store import Store
from persisted_queries.usage import Usage
from persisted_queries.usage_view import UNSEEN, ReleaseUsage, UsageView

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option("--registry", metavar="URL", help="Default: registry.url of the settings."),
    click.option(
        "--key",
        type=click.Path(path_type=Path, dir_okay=False),
        help="Where the platform has no registry_keys: the key (JWK) its log is signed with.",
    ),
    click.option("--format", "output", type=click.Choice(["text", "json"]), default="text"),
)
PLATFORM = click.option("--platform", help="Only this platform; every platform by default.")


def reading(command: F) -> F:
    """Options of the verbs that read a registry."""
    for option in (*reversed(OPTIONS), PLATFORM):
        command = option(command)
    return command


@click.group()
def usage() -> None:
    """Tell who asks for what, by release; what nobody counted is unknown."""


@usage.command()
@click.argument("field", metavar="TYPE.FIELD")
@reading
def field(
    field: str, platform: str | None, registry: str | None, key: Path | None, output: str
) -> None:
    """Who still reads TYPE.FIELD: which documents of which release select it (through interfaces
    and fragments too), and which share of devices asked for those."""
    asked, missing = Asked(registry, key), []
    shown = False
    for name, config in named_platforms(platform).items():
        evidence = evidence_of(name, config, asked)
        try:
            readers = readers_of(evidence, field)
        except UnknownFieldError as error:
            missing.append(f"{name}: {error}")
            continue
        readers_shown(name, field, readers, evidence.usage, output)
        shown = True
    if not shown:
        raise ConfigError("; ".join(missing))


@usage.command()
@click.argument("name", metavar="[VERSION+BUILD]", required=False)
@reading
def release(
    name: str | None, platform: str | None, registry: str | None, key: Path | None, output: str
) -> None:
    """What every release asked for; with VERSION+BUILD, every document of that one."""
    for one, config in named_platforms(platform).items():
        evidence = evidence_of(one, config, Asked(registry, key))
        if evidence.registry is None or not isinstance(evidence.usage, Usage):
            raise ConfigError("no registry holds usage; set registry.url, or give --registry")
        if name is None:
            releases_shown(evidence.registry.state, evidence.usage, output)
            continue
        try:
            release_shown(evidence.registry, name, evidence.usage, output)
        except RegistryError as error:
            raise ConfigError(f"the registry: {error}") from error


@usage.command()
@click.option("--minutes", type=click.IntRange(1, 15), default=5, show_default=True)
@reading
def live(
    platform: str | None, registry: str | None, key: Path | None, minutes: int, output: str
) -> None:
    """What the last minutes asked for, as the gateways tell Redis each second; operations are named
    by the registry."""
    for name in named_platforms(platform):
        found = asyncio.run(_last(name, minutes))
        live_shown(name, minutes, found, live_names(name, Asked(registry, key)), output)


def live_names(platform: str, asked: Asked) -> dict[str, str]:
    """Names of operations by the hash of their text: the registry's, without one the seed
    releases'. Where neither can be read, that is told, and the view goes without names."""
    settings = settings_module.load()
    try:
        opened = access(settings, platform, asked.registry, asked.key)
        if opened is not None:
            return names_of(opened.registry)
        seeds = releases_of(platform, settings.platforms[platform])
    except (ConfigError, RegistryError) as error:
        click.echo(f"bff: without names of operations: {error}", err=True)
        return {}
    return {op.hash: op.name for one in seeds for op in one.manifest.operations}


@usage.command()
@click.option("--registry", metavar="URL", help="Default: registry.url of the settings.")
@click.option("--format", "output", type=click.Choice(["text", "json"]), default="text")
@PLATFORM
def compact(platform: str | None, registry: str | None, output: str) -> None:
    """Sum up the days that are over and delete what they are summed up from; to be run daily."""
    url = registry or settings_module.load().registry.url
    if url is None:
        raise ConfigError(NO_REGISTRY)
    for name in named_platforms(platform):
        try:
            done = list(compact_days(Store.of(url), name, datetime.now(UTC)))
        except RegistryError as error:
            raise ConfigError(f"registry {url}: {error}") from error
        compacted_shown(name, done, output)


def readers_of(evidence: Evidence, field: str) -> list[Reader]:
    """Every release with documents that select the field, newest first; then the callers that did
    not say which release they are. Raises UnknownFieldError where no schema has it."""
    current = evidence.current.built()
    schemas = [current, *(one.built for one in evidence.releases if one.built is not None)]
    type_name, field_name = _found(schemas, field)
    found: list[Reader] = []
    every: dict[str, str] = {}
    for one in reversed(evidence.releases):
        texts = [(operation.hash, operation.body) for operation in one.operations]
        selected = selecting(current, texts, type_name, field_name)
        if one.built is not None:  # a hot-fix may be of today's schema, all else is of its own
            selected |= selecting(one.built, texts, type_name, field_name)
        names = {op.hash: op.name for op in one.operations if op.hash in selected}
        if names:
            every |= names
            found.append(_reader(evidence.usage, one.release.name, one, names))
    for nobody in (NOT_TOLD, OTHERS):
        reader = _reader(evidence.usage, nobody, None, every)
        if reader.usage.requests:
            found.append(reader)
    return found


def _found(schemas: list[GraphQLSchema], field: str) -> tuple[str, str]:
    """Of today's schema; a field that is gone from it may still be one of a release's."""
    for schema in schemas[1:]:
        try:
            return field_of(schema, field)
        except UnknownFieldError:
            continue
    return field_of(schemas[0], field)


def _reader(
    view: UsageView, release: str, shipped: Shipped | None, names: dict[str, str]
) -> Reader:
    seen: ReleaseUsage = UNSEEN
    if isinstance(view, Usage):
        seen = view.documents(release, names)
    state = shipped.release.state if shipped is not None else None
    return Reader(release, state, sorted(set(names.values())), seen)


async def _last(platform: str, minutes: int) -> dict[Pair, tuple[int, int]]:
    redis = connected(settings_module.load().store)
    shown = Live(redis, platform)
    try:
        return await shown.last(minutes)
    except (RedisError, OSError) as error:
        raise ConfigError(
            f"store.redis_url does not answer ({type(error).__name__}); the live view needs "
            "Redis, `bff usage release` does not"
        ) from error
    finally:
        await shown.close()
