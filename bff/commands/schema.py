"""`bff schema`: the SDL of a platform's schema, and the reviewed snapshot of it beside the code.

What was recorded of it in a registry has verbs in files of their own (`schema_feed.py`,
`schema_record.py`).
"""

from __future__ import annotations

import importlib
from pathlib import Path

import click

from bff import config as settings_module
from bff.commands.later import Later, Verbs
from bff.config import PlatformConfig
from bff.errors import ConfigError

HEADER = "# Generated from the code beside this file; `make schema` writes it again.\n\n"
SNAPSHOT = "schema.graphql"


class PrintsByDefault(Verbs):
    """A group that shows the SDL where no verb is named: `bff schema`, `bff schema ios`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        named = bool(args) and (args[0] in self.commands or args[0] in ctx.help_option_names)
        return super().parse_args(ctx, args if named else ["show", *args])


@click.group(cls=PrintsByDefault)
def schema() -> None:
    """Print the SDL of a platform, write its snapshot, record it, tell its changes."""


@schema.command()
@click.argument("platform", required=False)
@click.option("--write", is_flag=True, help="Write the snapshots instead of printing.")
def show(platform: str | None, write: bool) -> None:
    """Print the SDL of PLATFORM, of every platform by default. The verb may be left out."""
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
    # Half a second, which verbs that only ask for a platform's name do without.
    from bff.app import load_schema

    return f"{HEADER}{load_schema(config).as_str().strip()}\n"


def snapshot_path(config: PlatformConfig) -> Path:
    """Where the snapshot lives: beside the module that holds the schema. Raises ConfigError."""
    module = importlib.import_module(config.schema_object.partition(":")[0])
    if module.__file__ is None:
        raise ConfigError(f"schema_object {config.schema_object} is in no file; name a module")
    return Path(module.__file__).with_name(SNAPSHOT)


LATER = (
    Later(
        "feed",
        "bff.commands.schema_feed:feed",
        "Tell the dated changes of PLATFORM's schema, newest first, with their verdicts and the "
        "dates on which deprecated fields end.",
    ),
    Later(
        "record",
        "bff.commands.schema_record:record",
        "Record the code's schema as the one PLATFORM answers by; to be run when it is deployed.",
    ),
)
for verb in LATER:
    schema.add_command(verb)
