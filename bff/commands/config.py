"""`bff config check`: are the settings right, and what is in force."""

from __future__ import annotations

import click
import yaml

from bff import config as settings_module


@click.group()
def config() -> None:
    """Look at the settings."""


@config.command()
def check() -> None:
    """Check the settings file and BFF__* variables; print what is in force, secrets masked."""
    settings = settings_module.load()
    shown = settings.model_dump(mode="json")
    shown["documents"]["policy"] = settings.policy
    click.echo(f"# {settings_module.config_file()} and BFF__* variables:")
    click.echo("# keys and values are well-formed; files and services were not looked at")
    if settings.upstreams.key_file is None:
        click.echo("# `bff serve` will still need upstreams.key_file (BFF__UPSTREAMS__KEY_FILE)")
    click.echo(yaml.safe_dump(shown, sort_keys=False), nl=False)
