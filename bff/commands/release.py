"""`bff release`: the life of a release after it was published. Each verb that changes something
writes one entry of the platform's log; gateways go by it within seconds."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bff import config as settings_module
from bff.commands.development import development_registry
from bff.commands.findings import plain_lines
from bff.commands.later import Later, Verbs
from bff.commands.registries import NO_REGISTRY, Access, access, writer_of
from bff.commands.release_output import releases_shown, written_shown
from bff.commands.schema import named_platforms
from bff.errors import ConfigError
from persisted_queries.model import Published, RegistryState
from persisted_queries.problem import PublishRefusedError, RegistryError
from persisted_queries.publish import Decide, append

F = TypeVar("F", bound=Callable[..., Any])

OPTIONS = (
    click.option("--platform", required=True),
    click.option("--registry", "url", metavar="URL", help="Default: registry.url of the settings."),
    click.option("--key", type=click.Path(path_type=Path), help="Default: registry.key_file."),
    click.option("--format", "output", type=click.Choice(["text", "json"]), default="text"),
)
BY = click.option("--by", default=getpass.getuser, help="Who decided, for the log.")
REASON = click.option("--reason", default="", help="For the log.")
FORCE = click.option("--force", is_flag=True, help="Though it is broken by now; needs --reason.")


def reading(command: F) -> F:
    """Options of every verb."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def signing(command: F) -> F:
    """Options of every verb that writes."""
    return reading(BY(command))


def writing(command: F) -> F:
    """Options of verbs that write why."""
    return signing(REASON(command))


@click.group(cls=Verbs)
def release() -> None:
    """List releases, and change what becomes of them. Exit 1: refused, nothing was written."""


@release.command("list")
@reading
def list_releases(platform: str, url: str | None, key: Path | None, output: str) -> None:
    """Every release of a platform and its state."""
    state = open_access(platform, url, key).registry.state
    releases_shown(state, list(state.releases.values()), output)


@release.command()
@click.argument("name", metavar="VERSION+BUILD")
@reading
def show(name: str, platform: str, url: str | None, key: Path | None, output: str) -> None:
    """One release: its state, and every document it sends."""
    registry = open_access(platform, url, key).registry
    found = named_release(registry.state, name)
    try:
        operations = registry.manifest(found.manifest)
    except RegistryError as error:
        raise ConfigError(f"the registry: {error}") from error
    releases_shown(registry.state, [found], output, operations)


def write_entry(opened: Access, options: dict[str, Any], decide: Decide) -> None:
    """Write what `decide` makes of the newest state, and show it; ends the process with 1 for an
    entry that is refused. Raises ConfigError."""
    writer = writer_of(opened, options["by"])
    try:
        record = append(writer, decide)
    except PublishRefusedError as error:
        click.echo(f"bff: {plain_lines(str(error))}", err=True)
        sys.exit(1)
    except RegistryError as error:
        raise ConfigError(f"the registry: {error}") from error
    written_shown(record, opened.registry.state, options["output"])


def open_access(platform: str, url: str | None, key: Path | None) -> Access:
    """The registry of a platform as the options name it, else the settings, else that of `bff up`.
    Raises ConfigError."""
    named_platforms(platform)
    settings = settings_module.load()
    if url is None and (usual := development_registry(settings, platform)) is not None:
        url, key = usual[0], key or usual[1]
    opened = access(settings, platform, url, key)
    if opened is None:
        raise ConfigError(f"{NO_REGISTRY}, or run `bff up` once")
    return opened


def named_release(state: RegistryState, name: str) -> Published:
    """The release `<version>+<build>`. Raises ConfigError with those there are."""
    found = state.releases.get(name)
    if found is None:
        known = ", ".join(list(state.releases)[-5:]) or "none yet"
        raise ConfigError(f"{state.platform} has no release {name}; the newest are {known}")
    return found


LATER = (
    Later(
        "promote",
        "bff.commands.release_states:promote",
        "Live for everybody (or, with --to, sent to review, or taken back from it).",
    ),
    Later(
        "rollout",
        "bff.commands.release_states:rollout",
        "Rolled out to PERCENT of devices, as the store was told; 100 makes it live.",
    ),
    Later(
        "sunset",
        "bff.commands.release_states:sunset",
        "Announce its end: its users are told to update, and what it alone reads may go after that "
        "day.",
    ),
    Later(
        "block",
        "bff.commands.release_states:block",
        "Refuse its data operations from now on; sign-out still works.",
    ),
    Later(
        "retire",
        "bff.commands.release_states:retire",
        "Serve it no longer, ever: what it alone reads may be removed.",
    ),
    Later(
        "remap",
        "bff.commands.remap:remap",
        "Run the document in TEXT in place of a shipped one, after a proof that every build that "
        "sends it can read the answer.",
    ),
    Later(
        "gate",
        "bff.commands.gate:gate",
        "Set the version gate of a platform; without options, show it.",
    ),
    Later(
        "brownout",
        "bff.commands.gate:brownout",
        "Answer a field with FIELD_SUNSET for a while, to the releases it will be taken from: "
        "whoever still reads it notices while there is time.",
    ),
)
for verb in LATER:
    release.add_command(verb)
