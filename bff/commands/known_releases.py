"""What is known of a platform's releases and schemas when a new one comes: by its registry, or,
without one, by the seed folders that development runs on.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from bff.commands.release_checks import Earlier
from bff.config import PlatformConfig
from bff.documents.releases import releases_of
from bff.errors import ConfigError
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Order, Published, order
from persisted_queries.problem import PublishRefusedError
from persisted_queries.publish import (
    check_ids,
    difference_shown,
    known_schema,
    normalised,
    unstored,
)
from persisted_queries.registry import Registry


class Known(NamedTuple):
    """A schema of the platform: its SDL, and its hash in the registry (None: not stored)."""

    text: str
    hash: str | None


class Releases(Protocol):
    """What is known. `current` is the SDL in force."""

    def schema(self, text: str, current: str) -> Known:
        """The platform's own schema that an SDL is, however laid out. Raises PublishRefusedError
        with the difference to the one in force."""

    def stored(self, hashed: str) -> Known:
        """The schema of that hash. Raises PublishRefusedError."""

    def before(self, version: str, build: str) -> Earlier | None:
        """The newest supported release that is older."""

    def refuse(self, name: str, operations: Sequence[ManifestOperation]) -> None:
        """Raises PublishRefusedError for a release that is there, or an id with two texts."""

    def hot_fixes(
        self, operations: Sequence[ManifestOperation]
    ) -> Iterator[tuple[ManifestOperation, str]]:
        """Operations that a hot-fix for all releases would replace, with its text. `refuse` was
        called before."""

    def missing(self, operations: Iterable[ManifestOperation]) -> int | None:
        """How many texts are not stored yet; None where nothing is."""


@dataclass(frozen=True)
class RegisteredReleases:
    """By a registry, which was read to its end. All methods raise RegistryError too."""

    registry: Registry

    def schema(self, text: str, current: str) -> Known:
        try:
            return self.stored(known_schema(self.registry, text))
        except PublishRefusedError:
            if normalised(text) == normalised(current):
                return Known(text, None)
            raise _other_schema(text, current) from None

    def stored(self, hashed: str) -> Known:
        recorded = self.registry.state.schemas
        if hashed not in {one.schema for one in recorded}:
            newest = f"; the newest is {recorded[-1].schema}" if recorded else ""
            raise PublishRefusedError(f"no schema {hashed} is on record{newest}; or give a file")
        return Known(self.registry.schema(hashed), hashed)

    def before(self, version: str, build: str) -> Earlier | None:
        older = [
            one
            for one in self.registry.state.releases.values()
            if one.is_supported and _place(one) < order(version, build)
        ]
        if not older:
            return None
        newest = older[-1]
        operations = self.registry.manifest(newest.manifest)
        return Earlier(newest.name, {one.name: one for one in operations})

    def refuse(self, name: str, operations: Sequence[ManifestOperation]) -> None:
        if name in self.registry.state.releases:
            raise PublishRefusedError(
                f"{name} is published already and never changes; give the app a new build number"
            )
        check_ids(self.registry, operations)

    def hot_fixes(
        self, operations: Sequence[ManifestOperation]
    ) -> Iterator[tuple[ManifestOperation, str]]:
        for (document_id, release), patched in self.registry.state.remaps.items():
            if release is None:
                replaced = self.registry.catalogue.texts(document_id)
                for operation in operations:
                    if operation.hash in replaced:
                        yield operation, self.registry.document(patched)

    def missing(self, operations: Iterable[ManifestOperation]) -> int | None:
        return len(unstored(self.registry, {one.hash for one in operations}))


@dataclass(frozen=True)
class SeedReleases:
    """By the folder of seed releases; each may hold the SDL it was built from."""

    platform: str
    config: PlatformConfig

    def schema(self, text: str, current: str) -> Known:
        normal = normalised(text)
        seeded = (one.schema for one in releases_of(self.platform, self.config) if one.schema)
        for known in (current, *seeded):
            if normalised(known) == normal:
                return Known(text, None)
        raise _other_schema(text, current)

    def stored(self, hashed: str) -> Known:
        raise ConfigError(f"--schema {hashed}: only a registry stores schemas; give a file")

    def before(self, version: str, build: str) -> Earlier | None:
        older = [
            one
            for one in releases_of(self.platform, self.config)
            if order(one.version, one.build) < order(version, build)
        ]
        if not older:
            return None
        return Earlier(older[-1].name, {one.name: one for one in older[-1].manifest.operations})

    def refuse(self, name: str, operations: Sequence[ManifestOperation]) -> None:
        """An id that stands for another text in a seed release is refused as well."""
        sent = {one.id: one for one in operations}
        for release in releases_of(self.platform, self.config):
            for other in release.manifest.operations:
                if other.id in sent and sent[other.id].hash != other.hash:
                    raise PublishRefusedError(
                        f"id {other.id!r} stands for another text in {release.name} "
                        f"({other.name}); an id must change with its text"
                    )

    def hot_fixes(
        self, operations: Sequence[ManifestOperation]
    ) -> Iterator[tuple[ManifestOperation, str]]:
        yield from ()

    def missing(self, operations: Iterable[ManifestOperation]) -> int | None:
        return None


def _other_schema(text: str, current: str) -> PublishRefusedError:
    return PublishRefusedError(
        "is no schema that the platform answers by or ever answered by; generate the app's code "
        "from the platform's own. Difference to the one in force:\n"
        + difference_shown("in force", normalised(current), normalised(text))
    )


def _place(release: Published) -> tuple[Order, Order]:
    return order(release.version, release.build)
