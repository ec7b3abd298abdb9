"""The registry of one development set-up: what the seed folders hold, published and live; no more
is promised of it than of a development database."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from bff.commands.development import Layout
from bff.commands.schema import SNAPSHOT
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from persisted_queries.objects import hash_of
from persisted_queries.problem import RegistryError
from persisted_queries.publish import Parts, Writer, publish, record_schema
from persisted_queries.registry import Registry
from persisted_queries.releases import Release
from persisted_queries.signing import make_signer, read_signer, write_signer

BY = "bff up"


def make_registry(where: Layout, say: Callable[[str], object]) -> None:
    """Make the registry, or bring it up to date with the seed folders: their schemas on record,
    their releases live. What was done to releases since is kept, unless a seed was changed under
    its own name, which no registry takes: then it is made anew, and `say` tells.

    Raises ConfigError.
    """
    with where.writable():
        for platform in where.settings.platforms:
            _make_keys(where, platform)
        try:
            if any(_differs(where, platform) for platform in where.settings.platforms):
                say(f"seed releases were changed; {where.registry} is made anew")
                shutil.rmtree(where.registry)
            for platform in where.settings.platforms:
                _publish_seeds(where, platform)
        except RegistryError as error:
            raise ConfigError(
                f"the development registry {where.registry}: {error}; delete the folder and it is "
                "made anew"
            ) from error


def _make_keys(where: Layout, platform: str) -> None:
    private = where.publisher_key_file(platform)
    if not private.is_file():
        write_signer(make_signer(f"publisher-{platform}"), private)
    public = {"keys": [read_signer(private).public()]}
    where.publishers_file(platform).write_text(json.dumps(public))


def _writer(where: Layout, platform: str) -> Writer:
    signer = read_signer(where.publisher_key_file(platform))
    where.registry.mkdir(exist_ok=True)
    registry = Registry.open(where.registry, platform, {signer.kid: signer.key})
    registry.must_be_current()
    return Writer(registry, signer, BY)


def _differs(where: Layout, platform: str) -> bool:
    """Whether a seed that was published is another one now."""
    registry = _writer(where, platform).registry
    return any(
        _texts(release) != {(one.id, one.hash) for one in registry.manifest(published.manifest)}
        for release in _seeds(where, platform)
        if (published := registry.state.releases.get(release.name)) is not None
    )


def _publish_seeds(where: Layout, platform: str) -> None:
    writer = _writer(where, platform)
    recorded = {one.schema for one in writer.registry.state.schemas}
    current = _snapshot(where, platform)
    for release in _seeds(where, platform):
        if release.name in writer.registry.state.releases:
            continue
        sdl = release.schema or current
        if hash_of(sdl.encode()) not in recorded:
            record_schema(writer, sdl)
            recorded.add(hash_of(sdl.encode()))
        operations = release.manifest.operations
        publish(writer, Parts(release.version, release.build, operations, sdl, state="live"))
    record_schema(writer, current)


def _seeds(where: Layout, platform: str) -> list[Release]:
    return releases_of(platform, where.settings.platforms[platform])


def _texts(release: Release) -> set[tuple[str, str]]:
    return {(one.id, one.hash) for one in release.manifest.operations}


def _snapshot(where: Layout, platform: str) -> str:
    """The reviewed SDL beside the platform's code, which is not imported for it: that takes longer
    than all else here. Raises ConfigError."""
    module = where.settings.platforms[platform].schema_object.partition(":")[0]
    found = find_spec(module)
    if found is None or found.origin is None:
        raise ConfigError(f"platforms.{platform}.schema_object: no module {module}")
    return Path(found.origin).with_name(SNAPSHOT).read_text(encoding="utf-8")
