"""The `bff` command; what each verb does is in `bff/commands/`."""

from __future__ import annotations

import sys
import traceback

import click

from bff.commands.findings import plain_lines
from bff.commands.later import Later, Verbs
from bff.errors import ConfigError


@click.group(cls=Verbs)
def cli() -> None:
    """Facet: one persisted operation, one screen, one round trip."""


VERBS = (
    Later(
        "up",
        "bff.commands.up:up",
        "Start every service and gateway, show each platform's home screen, serve until Ctrl-C.",
    ),
    Later(
        "serve",
        "bff.commands.serve:serve",
        "Serve PLATFORM (ios, android, web, …) until stopped.",
    ),
    Later("config", "bff.commands.config:config", "Look at the settings."),
    Later(
        "token",
        "bff.commands.token:token",
        "Print an access token of a seeded account; `bff up` must be running.",
    ),
    Later(
        "trace",
        "bff.commands.trace:trace",
        "Draw the trace TRACE_ID (the newest of a gateway by default) from the files of `bff up`.",
    ),
    Later(
        "schema",
        "bff.commands.schema:schema",
        "Print the SDL of a platform, write its snapshot, record it, tell its changes.",
    ),
    Later(
        "pack",
        "bff.commands.pack:pack",
        "Print the manifest of PLATFORM's newest release, of every platform's by default.",
    ),
    Later(
        "plan",
        "bff.commands.plan:plan",
        "Look at the planned upstream calls of registered operations.",
    ),
    Later(
        "publish",
        "bff.commands.publish:publish",
        "Check a release's MANIFEST, of any generator, and publish it.",
    ),
    Later(
        "check",
        "bff.commands.check:check",
        "Judge the schema of PLATFORM, of every platform by default, against what shipped apps "
        "send.",
    ),
    Later(
        "release",
        "bff.commands.release:release",
        "List releases, and change what becomes of them.",
    ),
    Later("registry", "bff.commands.registry:registry", "Set up a registry of releases."),
    Later(
        "usage",
        "bff.commands.usage:usage",
        "Tell who asks for what, by release; what nobody counted is unknown.",
    ),
)
for verb in VERBS:
    cli.add_command(verb)


# What a crash exits with (EX_SOFTWARE of sysexits.h): 1 says that something was judged and refused.
CRASHED = 70


def main() -> None:
    """Entry point."""
    run(cli)


def run(command: click.Command) -> None:
    """Run a command. A wrong setting ends with its explanation and exit code 2."""
    try:
        command(prog_name="bff")
    except ConfigError as error:
        click.echo(f"bff: {plain_lines(str(error))}", err=True)
        sys.exit(2)
    except Exception:
        traceback.print_exc()
        sys.exit(CRASHED)


if __name__ == "__main__":
    main()
