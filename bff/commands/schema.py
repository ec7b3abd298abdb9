"""`bff schema`: the SDL of a platform's schema, and the reviewed snapshot of it beside the code."""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from bff import config as settings_module
from bff.app import load_schema
from bff.config import PlatformConfig
from bff.errors import ConfigError

HEADER = "# Generated from the code beside this file; `make schema` writes it again.\n\n"
SNAPSHOT = "schema.graphql"


@click.command()
@click.argument("platform", required=False)
@click.option("--write", is_flag=True, help="Write the snapshots instead of printing.")
def schema(platform: str | None, write: bool) -> None:
    """Print the SDL of PLATFORM, of every platform by default."""
    for config in named_platforms(platform).values():
        text = sdl(config)
        if write:
            path = snapshot_path(config)
            path.write_text(text, encoding="utf-8")
            click.echo(f"wrote {path}")
        else:
            click.echo(text, nl=False)


def named_platforms(named: str | None) -> dict[str, PlatformConfig]:
    """The platform of that name, or all of the settings for None. Raises ConfigError."""
    platforms = settings_module.load().platforms
    if named is None:
        return platforms
    if named not in platforms:
        raise ConfigError(f"no platform '{named}'; the settings name {', '.join(platforms)}")
    return {named: platforms[named]}


def sdl(config: PlatformConfig) -> str:
    """The snapshot's whole text as the code has it now. Raises ConfigError."""
    return f"{HEADER}{load_schema(config).as_str().strip()}\n"


def snapshot_path(config: PlatformConfig) -> Path:
    """Where the snapshot lives: beside the module that holds the schema. Raises ConfigError."""
    module = importlib.import_module(config.schema_object.partition(":")[0])
    if module.__file__ is None:
        raise ConfigError(f"schema_object {config.schema_object} is in no file; name a module")
    return Path(module.__file__).with_name(SNAPSHOT)
