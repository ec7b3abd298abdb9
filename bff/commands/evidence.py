"""What a schema change is judged by: the schema of today, what releases send, what was seen.

From a registry where there is one, else from the files of this checkout, which is said. A registry
that cannot be followed to its end judges nothing: what it hides may be the release that breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from graphql import GraphQLSchema, assert_valid_schema

from bff import config as settings_module
from bff.commands.findings import counted
from bff.commands.registries import access
from bff.commands.schema import sdl, snapshot_path
from bff.commands.shipping import Shipping, built
from bff.config import PlatformConfig
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from persisted_queries.impact import Shipped
from persisted_queries.model import Published
from persisted_queries.problem import RegistryError
from persisted_queries.registry import Registry
from persisted_queries.removal import GONE
from persisted_queries.rollups import NOT_TOLD, OTHERS
from persisted_queries.usage import Usage, read_usage
from persisted_queries.usage_view import NothingKnown, UsageView

MOST_NAMED = 8


class Sdl(NamedTuple):
    """A schema as text. `name` is for people; `file` is where an annotation on it goes."""

    name: str
    text: str
    file: Path

    def built(self) -> GraphQLSchema:
        """The schema, valid as a whole. Raises ConfigError."""
        schema = built(self.name, self.text)
        try:
            assert_valid_schema(schema)
        except TypeError as error:
            raise ConfigError(f"{self.name} is no valid schema: {error}") from error
        return schema


class Evidence(NamedTuple):
    """What a platform's change is judged by. `releases` are those that are not gone; `notes` say,
    for people, what it rests on; `registry` is where it is from, None: from files."""

    current: Sdl
    releases: tuple[Shipped, ...]
    usage: UsageView
    notes: tuple[str, ...]
    registry: Registry | None = None


class Asked(NamedTuple):
    """Where to look, as the command line has it; None: as the settings have it."""

    registry: str | None = None
    key: Path | None = None


def proposed_sdl(config: PlatformConfig, file: Path | None) -> Sdl:
    """The schema in a file, or the one the code has. Raises ConfigError."""
    if file is None:
        return Sdl("the code's schema", sdl(config), snapshot_path(config))
    try:
        return Sdl(str(file), file.read_text("utf-8"), file)
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--schema {file}: cannot be read ({error})") from error


def evidence_of(platform: str, config: PlatformConfig, asked: Asked) -> Evidence:
    """From the registry that is named or set, else from the files. Raises ConfigError."""
    settings = settings_module.load()
    found = access(settings, platform, asked.registry, asked.key)
    if found is None:
        return from_files(platform, config)
    return from_registry(found.registry, config, settings.usage.window_days)


def from_registry(registry: Registry, config: PlatformConfig, window_days: int) -> Evidence:
    """What a registry knows. Raises ConfigError."""
    state = registry.state
    try:
        usage = read_usage(registry.store, registry.platform, window_days)
        current = current_sdl(registry, config)
        shipping = Shipping(registry, current.built())
        counting = (one for one in state.releases.values() if one.state not in GONE)
        releases = tuple(map(shipping.of, counting))
    except RegistryError as error:
        raise ConfigError(f"registry {registry.store.name}: {error}") from error
    told = counted(len(releases), "release")
    notes = [f"{told} of {registry.store.name}, entry {state.number}"]
    if not state.schemas:
        notes.append("no schema is recorded yet (bff schema record): the snapshot stands for it")
    notes += _never_published(usage, registry)
    return Evidence(current, releases, usage, tuple(notes), registry)


def current_sdl(registry: Registry, config: PlatformConfig) -> Sdl:
    """The newest schema on record; before the first, the reviewed snapshot. Raises RegistryError,
    ConfigError."""
    schemas = registry.state.schemas
    if not schemas:
        return snapshot(config)
    name = f"the schema recorded on {schemas[-1].since:%Y-%m-%d}"
    return Sdl(name, registry.schema(schemas[-1].schema), snapshot_path(config))


def _never_published(usage: Usage, registry: Registry) -> Iterator[str]:
    """What was seen and cannot be judged."""
    published = registry.state.releases.values()
    known = {
        NOT_TOLD,
        OTHERS,
        *(one.name for one in published),
        *(one.version for one in published),
    }
    seen = sorted({name for name, _ in usage.pairs()} - known)
    if seen:
        named = ", ".join(seen[:MOST_NAMED]) + (" …" if len(seen) > MOST_NAMED else "")
        yield f"seen but never published, so what they send is not judged: {named}"


def from_files(platform: str, config: PlatformConfig) -> Evidence:
    """What this checkout knows: the reviewed snapshot and the seed releases. Raises ConfigError."""
    found = releases_of(platform, config)
    now = datetime.now(UTC)
    releases = tuple(
        Shipped(
            Published(one.version, one.build, "", "", (), "live", now, 0),
            one.manifest.operations,
            built(f"the schema of {one.name}", one.schema) if one.schema is not None else None,
        )
        for one in found
    )
    told = counted(len(releases), "seed release")
    note = f"no registry: {told} of this checkout, taken as live; use is unknown"
    return Evidence(snapshot(config), releases, NothingKnown(), (note,))


def snapshot(config: PlatformConfig) -> Sdl:
    """The reviewed snapshot beside the code. Raises ConfigError."""
    path = snapshot_path(config)
    try:
        return Sdl(f"the snapshot {path.parent.name}/{path.name}", path.read_text("utf-8"), path)
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read; `make schema` writes it") from error
