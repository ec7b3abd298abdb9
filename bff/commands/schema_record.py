"""`bff schema record`: tells the registry that a platform answers by the code's schema from now on.

Judged once more as it is written: a release that was published since the check may read what is
gone.
"""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from bff import config as settings_module
from bff.commands.check import Format, judged_change, show
from bff.commands.evidence import Sdl, from_registry, proposed_sdl
from bff.commands.judged import Judged
from bff.commands.registries import access, writer_of
from bff.commands.schema import named_platforms
from bff.config import PlatformConfig
from bff.errors import ConfigError
from persisted_queries.model import AnyEntry, RecordSchema, RegistryState
from persisted_queries.problem import RegistryError
from persisted_queries.publish import Writer, append


class _Refused(Exception):
    """A schema that must not be recorded."""

    def __init__(self, judged: Judged) -> None:
        super().__init__(judged.judgement.platform)
        self.judged = judged


@click.command()
@click.argument("platform")
@click.option("--registry", metavar="URL", help="Default: registry.url of the settings.")
@click.option("--key", type=click.Path(path_type=Path), help="Default: registry.key_file.")
@click.option("--by", default=getpass.getuser, help="Who records, for the log.")
@click.option("--force", is_flag=True, help="Record it though the check refuses; needs --reason.")
@click.option("--reason", default="", help="Why it is forced, for the log.")
@click.option("--format", "shown", type=click.Choice(["text", "json", "github"]), default="text")
def record(
    platform: str,
    registry: str | None,
    key: Path | None,
    by: str,
    force: bool,
    reason: str,
    shown: Format,
) -> None:
    """Record the code's schema as the one PLATFORM answers by; to be run when it is deployed.
    Exit 1: the check refuses it, nothing was written."""
    if force and not reason:
        raise ConfigError("--force leaves releases broken: say in --reason why it is right")
    config = named_platforms(platform)[platform]
    writer = writer_of(access(settings_module.load(), platform, registry, key), by)
    try:
        judged = _record(writer, config, reason if force else None)
    except _Refused as refused:
        show([refused.judged], shown)
        sys.exit(1)
    except RegistryError as error:
        raise ConfigError(f"the registry: {error}") from error
    show([judged], shown)


def _record(writer: Writer, config: PlatformConfig, forced: str | None) -> Judged:
    """Raises _Refused unless it is forced for a reason; RegistryError, ConfigError."""
    registry = writer.registry
    proposed = proposed_sdl(config, None)
    hashed = registry.objects.put("schemas", proposed.text.encode())
    judged = _judged(writer, config, proposed)
    schemas = registry.state.schemas
    if schemas and schemas[-1].schema == hashed:
        return judged

    def decide(_state: RegistryState) -> AnyEntry:
        nonlocal judged
        judged = _judged(writer, config, proposed)
        allowed = judged.judgement.allowed
        if not allowed and forced is None:
            raise _Refused(judged)
        return RecordSchema(hashed, "" if allowed else forced or "")

    append(writer, decide)
    return judged


def _judged(writer: Writer, config: PlatformConfig, proposed: Sdl) -> Judged:
    window = settings_module.load().usage.window_days
    evidence = from_registry(writer.registry, config, window)
    return judged_change(writer.registry.platform, evidence, proposed)
