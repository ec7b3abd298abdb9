"""Reads the releases of a platform from a folder: one manifest each, never written from here.

Layout: `<folder>/<version>+<build>/<any name>.json`, and `schema.graphqls` beside it: the SDL that
the build's code was generated from. Which release a caller has is the gateway's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from persisted_queries.manifest import Manifest, Shelf, read_manifest
from persisted_queries.model import order

RELEASE_FOLDER = re.compile(
    r"(?P<version>[0-9A-Za-z][0-9A-Za-z.\-]{0,63})\+(?P<build>[0-9A-Za-z][0-9A-Za-z.\-]{0,31})"
)

SCHEMA = "schema.graphqls"


class ReleaseError(Exception):
    """A folder of releases that cannot be used: which path, and what to do about it."""


@dataclass(frozen=True, slots=True)
class Release:
    """One shipped app build and what it sends. `schema`: the SDL it was built from, if told."""

    platform: str
    version: str
    build: str
    manifest: Manifest
    schema: str | None = None

    @property
    def name(self) -> str:
        """`<version>+<build>`."""
        return f"{self.version}+{self.build}"


def read_releases(folder: Path, platform: str) -> list[Release]:
    """Every release below `folder`, oldest version first, builds in order. What several of them
    send is held once.

    Raises ReleaseError for a path that breaks the layout, ManifestError for a bad manifest.
    """
    if not folder.is_dir():
        raise ReleaseError(
            f"{folder}: no such folder of {platform} releases; "
            "create it, or point platforms.<name>.releases at the right one"
        )
    shelf = Shelf()
    found = [
        _read_release(path, platform, shelf)
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith(".")
    ]
    return sorted(found, key=lambda release: order(release.version, release.build))


def _read_release(path: Path, platform: str, shelf: Shelf) -> Release:
    named = RELEASE_FOLDER.fullmatch(path.name)
    if named is None:
        raise ReleaseError(f"{path}: name the folder <version>+<build>, such as 7.3.0+4120")
    manifests = sorted(path.glob("*.json"))
    if len(manifests) != 1:
        names = ", ".join(one.name for one in manifests) or "none"
        raise ReleaseError(f"{path}: holds {names}; a release has exactly one manifest (*.json)")
    manifest = read_manifest(manifests[0], shelf)
    return Release(platform, named["version"], named["build"], manifest, _schema(path / SCHEMA))


def _schema(path: Path) -> str | None:
    try:
        return path.read_text("utf-8") if path.is_file() else None
    except UnicodeDecodeError as error:
        raise ReleaseError(f"{path}: is not text in UTF-8; put in the build's SDL") from error
