"""`bff pack`: the manifest of a platform's newest release, from the sample app's operations."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import click

from bff import config as settings_module
from bff.config import PlatformConfig
from bff.errors import ConfigError
from persisted_queries import pack as packing
from persisted_queries.manifest import ManifestError

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


@click.command()
@click.argument("platform", required=False)
@click.option("--write", is_flag=True, help="Write the manifests instead of printing.")
def pack(platform: str | None, write: bool) -> None:
    """Print the manifest of PLATFORM's newest release, of every platform's by default."""
    platforms = settings_module.load().platforms
    if platform is not None and platform not in platforms:
        raise ConfigError(f"no platform '{platform}'; the settings name {', '.join(platforms)}")
    for name in [platform] if platform else platforms:
        app = read_app(platforms[name])
        text = packed(app)
        if write:
            app.manifest.parent.mkdir(parents=True, exist_ok=True)
            app.manifest.write_text(text, encoding="utf-8")
            click.echo(f"wrote {app.manifest}")
        else:
            click.echo(text, nl=False)


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
