"""`bff check`: whether a schema change breaks a shipped app, which, and from when on it no longer
does. Exit code 1 if it must not be made, 2 if that could not be found out."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import click
from rich.console import Console

from bff import config as settings_module
from bff.commands import findings
from bff.commands.evidence import Asked, Evidence, Sdl, evidence_of, proposed_sdl
from bff.commands.judged import Judged, as_json, noted, print_text, sentence
from bff.commands.schema import named_platforms
from bff.errors import ConfigError
from persisted_queries.removal import Today, judge

Format = Literal["text", "json", "github"]
WIDTH = 200


@click.command()
@click.argument("platform", required=False)
@click.option(
    "--schema",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Proposed SDL; the code's schema by default.",
)
@click.option("--registry", help="Path or URL of the registry; the settings' by default.")
@click.option(
    "--key",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Where the platform has no registry_keys: the key (JWK) its log is signed with.",
)
@click.option("--format", "shown", type=click.Choice(["text", "json", "github"]), default="text")
def check(
    platform: str | None,
    file: Path | None,
    registry: str | None,
    key: Path | None,
    shown: Format,
) -> None:
    """Judge the schema of PLATFORM, of every platform by default, against what shipped apps send.

    Exit code 0: it may be deployed. 1: it breaks a release that counts, or an announced date. 2: it
    could not be judged."""
    if file is not None and platform is None:
        raise ConfigError("--schema is one platform's: name it (bff check ios --schema …)")
    asked = Asked(registry, key)
    judged = [
        judged_change(name, evidence_of(name, config, asked), proposed_sdl(config, file))
        for name, config in named_platforms(platform).items()
    ]
    show(judged, shown)
    sys.exit(0 if all(one.judgement.allowed for one in judged) else 1)


def judged_change(platform: str, evidence: Evidence, proposed: Sdl) -> Judged:
    """The judgement of a proposed schema, as of now. Raises ConfigError."""
    window = settings_module.load().usage.window_days
    schemas = (evidence.current.built(), proposed.built())
    today = Today(datetime.now(UTC), evidence.usage, window)
    found = judge(platform, schemas, evidence.releases, today)
    return Judged(evidence, proposed, schemas[1], found)


def show(judged: list[Judged], shown: Format) -> None:
    """Print judgements in one of the formats."""
    if shown == "json":
        allowed = all(one.judgement.allowed for one in judged)
        told = {"allowed": allowed, "platforms": [as_json(one) for one in judged]}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
        return
    if shown == "github":
        for one in judged:
            for line in findings.annotated(noted(one)):
                click.echo(line)
            click.echo(f"{one.judgement.platform}: {sentence(one.judgement)}")
        return
    console = Console(highlight=False, width=WIDTH, soft_wrap=True)
    for one in judged:
        print_text(one, console)
