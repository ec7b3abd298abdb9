"""The `bff` command; what each verb does is in `bff/commands/`."""

from __future__ import annotations

import sys

import click

from bff.commands.config import config
from bff.commands.pack import pack
from bff.commands.plan import plan
from bff.commands.schema import schema
from bff.commands.serve import serve
from bff.commands.token import token
from bff.commands.trace import trace
from bff.commands.up import up
from bff.errors import ConfigError


@click.group()
def cli() -> None:
    """Facet: one persisted operation, one screen, one round trip."""


for verb in (up, serve, config, token, trace, schema, pack, plan):
    cli.add_command(verb)


def main() -> None:
    """Entry point. A wrong setting ends with its explanation and exit code 2."""
    try:
        cli(prog_name="bff")
    except ConfigError as error:
        click.echo(f"bff: {error}", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
