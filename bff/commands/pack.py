"""`bff pack`: the manifest of a platform's newest release, of the sample app's operations, with the
schema it was built from."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from bff.commands.schema import named_platforms, sdl
from bff.config import PlatformConfig
from bff.errors import ConfigError
from persisted_queries import pack as packing
from persisted_queries.manifest import ManifestError, parse_manifest, read_manifest
from persisted_queries.releases import SCHEMA

APP_FILE = "app.json"
OPERATIONS = "operations"
MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True)
class App:
    """The sample app of a platform: its operations, and how and as what it is released next."""

    generator: str
    release: str
    operations: Path
    manifest: Path

    @property
    def schema(self) -> Path:
        """Where the SDL is kept that its code is generated from."""
        return self.manifest.with_name(SCHEMA)


@click.command()
@click.argument("platform", required=False)
@click.option("--write", is_flag=True, help="Write manifests, and schemas beside, instead.")
@click.option("--replace", is_flag=True, help="Write over a release that nobody has shipped yet.")
def pack(platform: str | None, write: bool, replace: bool) -> None:
    """Print the manifest of PLATFORM's newest release, of every platform's by default."""
    configs = list(named_platforms(platform).values())
    apps = [read_app(config) for config in configs]
    texts = [packed(app) for app in apps]
    if not write:
        click.echo("".join(texts), nl=False)
        return
    if not replace:  # all are looked at before one is written
        for app, text in zip(apps, texts, strict=True):
            refuse_other_documents(app, text)
    for app, text, config in zip(apps, texts, configs, strict=True):
        app.manifest.parent.mkdir(parents=True, exist_ok=True)
        _write(app.manifest, text)
        # What a build that is there can decode does not grow with the schema.
        if replace or not app.schema.exists():
            _write(app.schema, sdl(config))


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    click.echo(f"wrote {path}")


def refuse_other_documents(app: App, text: str) -> None:
    """An app that was shipped sends its documents for ever: none of a release that is there may go
    or change. Raises ConfigError."""
    if not app.manifest.exists():
        return
    try:
        written = read_manifest(app.manifest)
        now = {one.id: one.body for one in parse_manifest(text.encode(), "packed").operations}
    except (ManifestError, OSError) as error:
        raise ConfigError(f"{error}; --replace writes it anew") from error
    others = [one.name for one in written.operations if now.get(one.id) != one.body]
    if others:
        raise ConfigError(
            f"{app.release} has {len(others)} other document{'s' if len(others) > 1 else ''} "
            f"({', '.join(others)}): {app.manifest}; name the next release in "
            f"{app.operations.with_name(APP_FILE)}, or --replace while it is unreleased "
            "(make manifests ARGS=--replace)"
        )


def read_app(config: PlatformConfig) -> App:
    """What `app.json` beside the releases says. Raises ConfigError naming the file."""
    folder = config.releases.parent
    path = folder / APP_FILE
    try:
        said = json.loads(path.read_bytes())
        generator, release = str(said["generator"]), str(said["release"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(
            f"{path}: {error!r}; it holds "
            '{"generator": "apollo-ios", "release": "<version>+<build>"}'
        ) from error
    return App(generator, release, folder / OPERATIONS, config.releases / release / MANIFEST)


def packed(app: App) -> str:
    """The manifest as the operations have it now. Raises ConfigError."""
    try:
        return packing.pack(packing.read_documents(app.operations), app.generator)
    except ManifestError as error:
        raise ConfigError(str(error)) from error
