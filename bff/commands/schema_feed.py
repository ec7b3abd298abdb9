"""`bff schema feed`: what changed in a platform's schema and when, for integrators, as the registry
recorded it: JSON Feed 1.1 or Atom (RFC 4287)."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, NamedTuple
from xml.etree import ElementTree as Xml

import click
from graphql import GraphQLSchema

from bff import config as settings_module
from bff.commands.evidence import Sdl
from bff.commands.registries import access, registry_of
from bff.commands.schema import named_platforms, snapshot_path
from bff.errors import ConfigError
from persisted_queries.changes.compare import compare
from persisted_queries.changes.model import Change, Verdict
from persisted_queries.model import Recorded
from persisted_queries.problem import RegistryError
from persisted_queries.registry import Registry
from persisted_queries.removal import Promise, promises

JSON_FEED = "https://jsonfeed.org/version/1.1"
ATOM = "http://www.w3.org/2005/Atom"
AUTHOR = "Facet"
NOT_IN_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, 2.2


class Item(NamedTuple):
    """The changes from one recorded schema to the next. `announced` are the ends that were told for
    the first time, or told anew."""

    platform: str
    schema: str
    since: datetime
    changes: tuple[Change, ...]
    announced: tuple[Promise, ...]

    @property
    def id(self) -> str:
        """The same for ever: of the schema and the instant it was recorded at."""
        return _urn(self.platform, self.schema, self.since.isoformat())

    @property
    def title(self) -> str:
        counted = {
            verdict: sum(one.verdict is verdict for one in self.changes) for verdict in Verdict
        }
        told = ", ".join(f"{n} {verdict.lower()}" for verdict, n in counted.items() if n)
        return f"{self.platform} schema: {told}"

    @property
    def text(self) -> str:
        """A line for each change and each announcement."""
        lines = [f"{one.verdict}: {one.message}" for one in self.changes]
        return "\n".join([*lines, *map(_announcement, self.announced)])


@click.command()
@click.argument("platform")
@click.option("--registry", metavar="URL", help="Default: registry.url of the settings.")
@click.option("--key", type=click.Path(path_type=Path), help="Default: registry.key_file.")
@click.option("--format", "shown", type=click.Choice(["json", "atom"]), default="json")
def feed(
    platform: str, registry: str | None, key: Path | None, shown: Literal["json", "atom"]
) -> None:
    """Tell the dated changes of PLATFORM's schema, newest first, with their verdicts and the dates
    on which deprecated fields end."""
    config = named_platforms(platform)[platform]
    found = registry_of(access(settings_module.load(), platform, registry, key))
    try:
        told = list(items(found, snapshot_path(config)))
    except RegistryError as error:
        raise ConfigError(f"the registry: {error}") from error
    told.reverse()
    click.echo(json_feed(platform, told) if shown == "json" else atom(platform, told))


def items(registry: Registry, file: Path) -> Iterator[Item]:
    """One for each recorded schema that differs from the one before, oldest first. Raises
    RegistryError, ConfigError."""
    read = ((one, _built(registry, one, file)) for one in registry.state.schemas)
    for (_, old), (recorded, new) in pairwise(read):
        changes = compare(old, new)
        if changes:
            before = promises(old)
            announced = tuple(
                one for place, one in promises(new).items() if before.get(place) != one
            )
            yield Item(registry.platform, recorded.schema, recorded.since, changes, announced)


def _built(registry: Registry, recorded: Recorded, file: Path) -> GraphQLSchema:
    return Sdl(f"schema {recorded.schema}", registry.schema(recorded.schema), file).built()


def json_feed(platform: str, told: list[Item]) -> str:
    """JSON Feed 1.1 (jsonfeed.org/version/1.1); `_facet` holds what programs want."""
    return json.dumps(
        {
            "version": JSON_FEED,
            "title": _title(platform),
            "language": "en",
            "authors": [{"name": AUTHOR}],
            "items": [_json_item(one) for one in told],
        },
        indent=2,
        ensure_ascii=False,
    )


def _json_item(item: Item) -> dict[str, Any]:
    return {
        "id": item.id,
        "title": item.title,
        "content_text": item.text,
        "date_published": _rfc3339(item.since),
        "tags": _verdicts(item),
        "_facet": {
            "schema": item.schema,
            "changes": [
                {
                    "kind": one.kind.value,
                    "coordinate": one.coordinate,
                    "verdict": one.verdict.value,
                    "message": one.message,
                }
                for one in item.changes
            ],
            "announced": [
                {
                    "coordinate": one.coordinate,
                    "sunset": _iso(one.after),
                    "releases_below": one.below,
                }
                for one in item.announced
            ],
        },
    }


def atom(platform: str, told: list[Item]) -> str:
    """Atom, RFC 4287 section 4.1."""
    Xml.register_namespace("", ATOM)
    root = Xml.Element(f"{{{ATOM}}}feed")
    newest = max((one.since for one in told), default=datetime.fromtimestamp(0, UTC))
    _add(root, "id", _urn(platform))
    _add(root, "title", _title(platform))
    _add(root, "updated", _rfc3339(newest))
    _add(_add(root, "author"), "name", AUTHOR)
    for item in told:
        entry = _add(root, "entry")
        _add(entry, "id", item.id)
        _add(entry, "title", item.title)
        _add(entry, "updated", _rfc3339(item.since))
        _add(entry, "published", _rfc3339(item.since))
        for verdict in _verdicts(item):
            _add(entry, "category").set("term", verdict)
        _add(entry, "content", item.text).set("type", "text")
    Xml.indent(root)
    return Xml.tostring(root, encoding="unicode", xml_declaration=True)


def _add(parent: Xml.Element, name: str, text: str | None = None) -> Xml.Element:
    found = Xml.SubElement(parent, f"{{{ATOM}}}{name}")
    found.text = NOT_IN_XML.sub("\ufffd", text) if text is not None else None
    return found


def _title(platform: str) -> str:
    return f"Changes of the {platform} schema"


def _verdicts(item: Item) -> list[str]:
    """Worst first, each once."""
    return list(dict.fromkeys(one.verdict.value for one in item.changes))


def _announcement(promise: Promise) -> str:
    until = f"after {promise.after}" if promise.after is not None else "on a date yet unknown"
    return f"ENDS: {promise.coordinate} {until}, for releases below {promise.below}"


def _urn(*parts: str) -> str:
    return uuid.uuid5(uuid.NAMESPACE_OID, "\n".join(["facet schema", *parts])).urn


def _rfc3339(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None
