"""A platform with a registry for tests of the verbs that judge its schema: the sample product's ios
schema, releases made up."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click
from click.testing import CliRunner, Result

from bff.__main__ import cli
from persisted_queries.signing import write_signer
from tests.harness.registries import Made, made_in

SNAPSHOT = Path("schema/ios/schema.graphql")
HOME = "query Home {\n  home { viewer { handle } feed { entries { reason } } }\n}"
READ_TIME = "query Old { home { feed { entries { item { ... on Article { readTime } } } } } }"
SETTINGS = """
platforms:
  ios:
    schema_object: schema.ios.root:schema
    port_offset: 1
    releases: {releases}
upstreams:
  services:
    accounts: {{url: 'http://a:1'}}
"""


@dataclass
class Governed:
    """A registry and how a verb is told of it."""

    made: Made
    folder: Path
    key: Path

    @property
    def options(self) -> tuple[str, ...]:
        return ("--registry", str(self.folder), "--key", str(self.key))

    def run(self, *arguments: str) -> Result:
        return run(*arguments, *self.options)


def governed(folder: Path) -> Governed:
    """An empty registry below a folder."""
    (folder / "registry").mkdir()
    made, key = made_in(folder / "registry"), folder / "key.json"
    write_signer(made.signer, key)
    return Governed(made, folder / "registry", key)


def settings(folder: Path) -> Path:
    """A settings file that names the ios platform alone, with no releases of its own yet."""
    releases = folder / "releases"
    releases.mkdir()
    path = folder / "bff.yaml"
    path.write_text(SETTINGS.format(releases=releases))
    return path


def run(*arguments: str) -> Result:
    """Run `bff …`; what it raises is raised here."""
    command: click.Command = cli
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def today() -> str:
    """The code's schema, as it would be recorded."""
    return SNAPSHOT.read_text("utf-8")


def changed(folder: Path, *changes: tuple[str, str]) -> Path:
    """A file of the code's schema with text replaced."""
    text = today()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "proposed.graphql"
    path.write_text(text, encoding="utf-8")
    return path
