"""`bff publish`: a release of an app goes into its platform's registry, once all that can be
checked of it was; `--check` does everything but write.

Only texts that are not there yet travel, and nothing is written of a release in which anything is
wrong.
"""

from __future__ import annotations

import getpass
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click

from bff import config as settings_module
from bff.app import load_schema
from bff.commands.development import DEFAULT_DATA, layout
from bff.commands.findings import Finding, Level, Place
from bff.commands.known_releases import Known, RegisteredReleases, Releases, SeedReleases
from bff.commands.publish_output import SHOWN, Outcome, show
from bff.commands.registries import Access, access, writer_of
from bff.commands.release_checks import Checks, reviewed_of
from bff.commands.schema import named_platforms, sdl
from bff.commands.shipping import built
from bff.commands.sources import Sources
from bff.commands.token import access_token
from bff.commands.weigh import Scale, gateway_client
from bff.config import PlatformConfig, Settings
from bff.errors import ConfigError
from bff.plans.execute import graphql_schema
from persisted_queries.budgets import Budgets
from persisted_queries.manifest import Manifest, ManifestError, read_manifest
from persisted_queries.problem import PublishRefusedError, RegistryError
from persisted_queries.publish import Parts, Writer, record_schema
from persisted_queries.publish import publish as write_release
from persisted_queries.releases import RELEASE_FOLDER

HASH = re.compile(r"[0-9a-f]{64}")
# What a release may begin as; to the other states it comes by `bff release`.
FIRST_STATES = ("draft", "in_review", "live")


@dataclass(frozen=True)
class Asked:
    """The options, as they were given."""

    platform: str
    version: str
    build: str
    schema: str
    manifest: Path
    capabilities: tuple[str, ...]
    state: Any
    check: bool
    against: str | None
    token: str | None
    data: Path
    registry: str | None
    key: Path | None
    by: str
    output: str

    @property
    def name(self) -> str:
        return f"{self.version}+{self.build}"


@click.command()
@click.argument("manifest", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--platform", required=True)
@click.option("--version", required=True, help="Of the app, as its store shows it: 7.4.0")
@click.option("--build", required=True, help="The app's build number.")
@click.option(
    "--schema",
    required=True,
    metavar="FILE|SHA256",
    help="The SDL the app's code was generated from, or the hash of a stored one.",
)
@click.option("--capability", "capabilities", multiple=True, help="What this build can do.")
@click.option("--state", type=click.Choice(FIRST_STATES), default="draft", show_default=True)
@click.option("--check", is_flag=True, help="Everything but writing.")
@click.option("--against", metavar="URL", help="A gateway on seed data, to weigh its answers.")
@click.option(
    "--token", help="Of the viewer for --against, '' for none. Default: the demo account's."
)
@click.option("--data", default=DEFAULT_DATA, type=click.Path(path_type=Path), show_default=True)
@click.option("--registry", metavar="URL", help="Default: registry.url of the settings.")
@click.option("--key", type=click.Path(path_type=Path), help="Default: registry.key_file.")
@click.option("--by", default=getpass.getuser, help="Who publishes, for the log.")
@click.option("--format", "output", type=click.Choice(list(SHOWN)), default="text")
def publish(**options: Any) -> None:
    """Check a release's MANIFEST, of any generator, and publish it. Exit 1: something is wrong
    with it; nothing was written then."""
    asked = Asked(**options)
    if RELEASE_FOLDER.fullmatch(asked.name) is None:
        raise ConfigError(f"{asked.name} is no release; give --version 7.4.0 --build 812")
    settings = settings_module.load()
    config = named_platforms(asked.platform)[asked.platform]
    try:
        outcome = _Publication(asked, settings, config).run()
    except RegistryError as error:
        raise ConfigError(f"the registry: {error}") from error
    show(outcome, asked.output)
    sys.exit(1 if outcome.failed else 0)


@dataclass
class _Publication:
    """One call of the command. Methods raise ConfigError for what keeps them from judging: a
    setting, a file, a gateway; RegistryError for the registry."""

    asked: Asked
    settings: Settings
    config: PlatformConfig

    def run(self) -> Outcome:
        """Check, and write if nothing is wrong and writing was asked for."""
        asked = self.asked
        outcome = Outcome(f"{asked.platform} {asked.name}")
        opened = access(self.settings, asked.platform, asked.registry, asked.key)
        writer = self._writer(opened)
        known: Releases = SeedReleases(asked.platform, self.config)
        if opened is not None:
            known = RegisteredReleases(opened.registry)
        manifest, schema = self._manifest(known, outcome), self._schema(known, opened, outcome)
        if manifest is None or schema is None:
            return outcome
        outcome.documents = len({one.hash for one in manifest.operations})
        outcome.new_documents = known.missing(manifest.operations)
        with self._checks(known, schema) as checks:
            result = checks.run(manifest)
            for operation, patched in known.hot_fixes(manifest.operations):
                result.findings += checks.hot_fixed(operation, patched)
        outcome.findings += result.findings
        outcome.weighed += result.weighed
        if writer is not None and not outcome.failed:
            self._write(writer, manifest, schema, outcome)
        return outcome

    def _writer(self, opened: Access | None) -> Writer | None:
        """None where nothing is to be written."""
        return None if self.asked.check else writer_of(opened, self.asked.by)

    def _manifest(self, known: Releases, outcome: Outcome) -> Manifest | None:
        place = Place(self.asked.manifest)
        try:
            manifest = read_manifest(self.asked.manifest)
            known.refuse(self.asked.name, manifest.operations)
        except ManifestError as error:
            where = f"{error.entry}: " if error.entry else ""
            outcome.findings.append(Finding("error", "manifest", where + error.problem, place))
        except PublishRefusedError as error:
            outcome.findings.append(Finding("error", "manifest", str(error), place))
        else:
            return manifest
        return None

    def _schema(self, known: Releases, opened: Access | None, outcome: Outcome) -> Known | None:
        path = Path(self.asked.schema)
        by_hash = HASH.fullmatch(self.asked.schema) is not None
        try:
            if by_hash:
                return known.stored(self.asked.schema)
            found = known.schema(path.read_text(encoding="utf-8"), sdl(self.config))
            outcome.findings += self._not_recorded(found, opened)
            return found
        except PublishRefusedError as error:
            place = Place(self.asked.manifest if by_hash else path)
            outcome.findings.append(Finding("error", "schema", str(error), place))
            return None
        except (OSError, ValueError) as error:
            raise ConfigError(
                f"--schema: {error}; give a file of SDL, or a stored one's hash"
            ) from error

    def _not_recorded(self, schema: Known, opened: Access | None) -> Iterator[Finding]:
        """A schema goes on record once it was judged (`bff schema record`); only the first of a
        platform has nothing to be judged by, and is put on record with its first release."""
        if schema.hash is None and opened is not None and opened.registry.state.schemas:
            told = (
                "is the code's schema, but not on record, so no gateway answers by it yet; deploy "
                f"it and run `bff schema record {self.asked.platform}` before this is published"
            )
            level: Level = "warning" if self.asked.check else "error"
            yield Finding(level, "schema", told, Place(Path(self.asked.schema)))

    @contextmanager
    def _checks(self, known: Releases, schema: Known) -> Iterator[Checks]:
        asked = self.asked
        folder = self.config.releases.parent
        reviewed = reviewed_of(self.config)
        with gateway_client() as client:
            yield Checks(
                release=f"{asked.platform} {asked.version}",
                settings=self.settings,
                built=built("--schema", schema.text),
                now=graphql_schema(load_schema(self.config)),
                reviewed=reviewed,
                sources=Sources(folder / "operations", asked.manifest),
                earlier=known.before(asked.version, asked.build),
                scale=self._scale(client, reviewed.budgets),
            )

    def _scale(self, client: Any, budgets: Budgets) -> Scale | None:
        if self.asked.against is None:
            return None
        url = self.asked.against.rstrip("/")
        url = url if urlsplit(url).path else f"{url}/graphql"
        token = self.asked.token
        if token is None:
            token = self._demo_token(url)
        return Scale(client, url, token or None, budgets.accept_encoding)

    def _demo_token(self, url: str) -> str:
        """Of the set-up that the gateway belongs to, told by its port."""
        port = urlsplit(url).port
        if port is None:
            raise ConfigError("--against without a port is no `bff up`; give the viewer's --token")
        base = port - self.config.port_offset
        return access_token(layout(self.settings, base, self.asked.data))

    def _write(self, writer: Writer, manifest: Manifest, schema: Known, outcome: Outcome) -> None:
        """Others may write meanwhile: what is refused now was fine a moment ago."""
        asked = self.asked
        try:
            if schema.hash is None:
                record_schema(writer, sdl(self.config))
            parts = Parts(
                asked.version,
                asked.build,
                manifest.operations,
                schema.hash or schema.text,
                asked.capabilities,
                asked.state,
            )
            sent = write_release(writer, parts)
        except PublishRefusedError as error:
            place = Place(asked.manifest)
            outcome.findings.append(Finding("error", "registry", str(error), place))
            return
        outcome.entry, outcome.state = sent.record.number, sent.published.state
        outcome.new_documents = sent.new_documents
