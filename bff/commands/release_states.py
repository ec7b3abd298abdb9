"""The verbs of `bff release` that bring a release from one state to another. What may follow what,
the log says; whether a release may come back, `revival.py`."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import click

from bff.commands.release import FORCE, named_release, open_access, write_entry, writing
from bff.commands.revival import refuse_broken
from bff.commands.schema import named_platforms
from bff.errors import ConfigError
from persisted_queries.model import RegistryState, SetState, State


@click.command()
@click.argument("name", metavar="VERSION+BUILD")
@click.option("--to", type=click.Choice(["in_review", "draft"]), help="Default: live.")
@FORCE
@writing
def promote(name: str, to: State | None, **options: Any) -> None:
    """Live for everybody (or, with --to, sent to review, or taken back from it).

    What was blocked, or about to end, must still be answered by the schema in force."""
    _set_state(name, to or "live", options)


@click.command()
@click.argument("name", metavar="VERSION+BUILD")
@click.argument("percent", type=click.IntRange(1, 100))
@FORCE
@writing
def rollout(name: str, percent: int, **options: Any) -> None:
    """Rolled out to PERCENT of devices, as the store was told; 100 makes it live."""
    if percent == 100:
        _set_state(name, "live", options)
    else:
        _set_state(name, "rolling_out", options, rollout=percent)


@click.command()
@click.argument("name", metavar="VERSION+BUILD")
@click.option("--on", required=True, metavar="YYYY-MM-DD", help="The last day it is supported.")
@FORCE
@writing
def sunset(name: str, on: str, **options: Any) -> None:
    """Announce its end: its users are told to update, and what it alone reads may go after that
    day."""
    try:
        day = date.fromisoformat(on)
    except ValueError as error:
        raise ConfigError(f"--on {on}: {error}; write a day as 2027-03-31") from error
    _set_state(name, "sunset", options, sunset=day)


@click.command()
@click.argument("name", metavar="VERSION+BUILD")
@writing
def block(name: str, **options: Any) -> None:
    """Refuse its data operations from now on; sign-out still works. Can be taken back."""
    _set_state(name, "blocked", options)


@click.command()
@click.argument("name", metavar="VERSION+BUILD")
@writing
def retire(name: str, **options: Any) -> None:
    """Serve it no longer, ever: what it alone reads may be removed. Cannot be taken back."""
    _set_state(name, "retired", options)


def _set_state(
    name: str,
    state: State,
    options: dict[str, Any],
    *,
    rollout: int | None = None,
    sunset: date | None = None,
) -> None:
    force = options.get("force", False)
    if force and not options["reason"]:
        raise ConfigError(
            "--force may bring back a broken release: say in --reason why it is right"
        )
    platform = options["platform"]
    opened = open_access(platform, options["url"], options["key"])
    found = named_release(opened.registry.state, name)
    entry = SetState(found.version, found.build, state, rollout, sunset, options["reason"])
    if sunset is not None and sunset < datetime.now(UTC).date():
        raise ConfigError(f"--on {sunset}: is past; give a day on which its users can have updated")

    def decide(_: RegistryState) -> SetState:
        if not force:
            refuse_broken(opened.registry, named_platforms(platform)[platform], entry)
        return entry

    write_entry(opened, options, decide)
