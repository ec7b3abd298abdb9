"""`bff release gate` and `bff release brownout`: what app builds are told, and what they are denied
for a while. Each writes one entry of the platform's log; gateways go by it within seconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click
import msgspec

from bff.app import load_schema
from bff.commands.release import open_access, signing, write_entry
from bff.commands.release_output import gate_shown
from bff.commands.schema import named_platforms
from bff.contract import Ending, lifecycle_of
from bff.errors import ConfigError
from bff.plans.execute import graphql_schema
from persisted_queries.model import Brownout, RegistryState, SetGate, order_of
from persisted_queries.problem import PublishRefusedError

VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}(\+[A-Za-z0-9][A-Za-z0-9._-]{0,31})?")
NO_GATE = SetGate()


@click.command()
@click.option("--minimum", metavar="VERSION", help="Older ones must upgrade, once the store can.")
@click.option("--recommended", metavar="VERSION", help="Older ones are told of an upgrade.")
@click.option("--store-url", metavar="URL", help="Where the app is upgraded.")
@click.option("--message", help="What its user reads.")
@click.option("--off", is_flag=True, help="Take the whole gate away.")
@signing
def gate(off: bool, **options: Any) -> None:
    """Set the version gate of a platform; without options, show it. What is not named stays as it
    is, and an empty text takes it away. VERSION is 7.4.0 or 7.4.0+812.

    An upgrade is forced only while a live release is at or above the minimum; until then it is
    hinted at. Nothing is refused to sign-in, sign-out and waiting writes (@alwaysAllowed)."""
    opened = open_access(options["platform"], options["url"], options["key"])
    named = {name: options[name] for name in SetGate.__struct_fields__ if options[name] is not None}
    if off and named:
        raise ConfigError("--off takes everything away; give it alone")
    if not off and not named:
        gate_shown(opened.registry.state, options["output"])
        return
    _check(named)
    write_entry(opened, options, lambda state: NO_GATE if off else _gate(state, named))


@click.command()
@click.option("--field", required=True, metavar="TYPE.FIELD", help="One with @sunset.")
@click.option("--from", "begins", required=True, metavar="INSTANT", help="2027-01-10T10:00Z")
@click.option("--to", "ends", metavar="INSTANT", help="2027-01-10T10:30Z")
@click.option("--undo", is_flag=True, help="Take back the one that begins at --from.")
@click.option("--note", default="", help="For whoever reads the log.")
@signing
def brownout(
    field: str, begins: str, ends: str | None, undo: bool, note: str, **options: Any
) -> None:
    """Answer a field with FIELD_SUNSET for a while, to the releases it will be taken from: whoever
    still reads it notices while there is time. Instants without a zone are UTC."""
    if undo == (ends is not None):
        raise ConfigError("give --to, or --undo")
    starts = _instant("--from", begins)
    stops = _instant("--to", ends) if ends is not None else starts
    if not undo:
        if stops <= max(starts, datetime.now(UTC)):
            raise ConfigError(f"--to {ends}: is before --from, or past; give a later instant")
        _check_field(options["platform"], field)
    opened = open_access(options["platform"], options["url"], options["key"])
    entry = Brownout(field, starts, stops, note)
    write_entry(opened, options, lambda state: _announced(state, entry) if undo else entry)


def _check(named: Mapping[str, str]) -> None:
    for name in ("minimum", "recommended"):
        version = named.get(name)
        if version and not VERSION.fullmatch(version):
            raise ConfigError(f"--{name} {version}: is no version; write 7.4.0 or 7.4.0+812")
    url = named.get("store_url")
    if url and not re.match(r"^[a-z][a-z0-9+.-]*://\S+$", url):
        raise ConfigError(f"--store-url {url}: is no URL; write https://… or itms-apps://…")


def _gate(state: RegistryState, named: Mapping[str, str]) -> SetGate:
    """The gate in force with what was named. Raises PublishRefusedError."""
    changes = {name: value or None for name, value in named.items()}
    found = msgspec.structs.replace(state.gate, **changes)
    minimum, recommended = found.minimum, found.recommended
    if minimum and recommended and order_of(recommended) < order_of(minimum):
        raise PublishRefusedError(
            f"recommended {found.recommended} is below minimum {found.minimum}, which says more; "
            'raise it, or take it away with --recommended ""'
        )
    return found


def _instant(option: str, given: str) -> datetime:
    try:
        read = datetime.fromisoformat(given)
    except ValueError as error:
        raise ConfigError(f"{option} {given}: {error}; write 2027-01-10T10:00Z") from error
    return read.replace(tzinfo=UTC) if read.tzinfo is None else read.astimezone(UTC)


def _check_field(platform: str, field: str) -> None:
    """Raises ConfigError for a field that cannot be denied: null must be allowed to stand there,
    and apps must have been told, and from which release on not to ask."""
    schema = graphql_schema(load_schema(named_platforms(platform)[platform]))
    ending: Ending | None = lifecycle_of(schema).endings.get(field)
    if ending is None:
        known = ", ".join(sorted(lifecycle_of(schema).endings)) or "no field"
        raise ConfigError(
            f"--field {field}: has no @sunset in the schema of {platform}; {known} has"
        )
    if not ending.nullable:
        raise ConfigError(
            f"--field {field}: is never null, so an app cannot be denied it alone; make it nullable"
        )


def _announced(state: RegistryState, entry: Brownout) -> Brownout:
    """Raises PublishRefusedError where there is nothing to take back."""
    announced = [one for one in state.brownouts if one.field == entry.field]
    if not any(one.begins == entry.begins for one in announced):
        known = ", ".join(f"{one.begins:%Y-%m-%dT%H:%MZ}" for one in announced) or "none"
        raise PublishRefusedError(
            f"{entry.field} has no brown-out that begins {entry.begins:%Y-%m-%dT%H:%MZ}; it has "
            f"{known}"
        )
    return entry
