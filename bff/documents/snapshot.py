"""What the documents room is told of releases at one moment, made apart from it: by a thread while
requests run, or from a folder at start."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NamedTuple

from graphql import GraphQLError, GraphQLSchema, build_schema

from bff.documents.known import KnownRelease, KnownReleases
from bff.errors import ConfigError
from bff.fence import FREE, Fence, fence, unknown_to
from persisted_queries.catalogue import as_set, members
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Published, RegistryState
from persisted_queries.objects import hash_of
from persisted_queries.releases import SCHEMA, Release

LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)

# (document id, release or None for all) → the text that runs in its place.
Remaps = Mapping[tuple[str, str | None], ManifestOperation]


class Added(NamedTuple):
    """Operations that no earlier release sent, each with the place by which releases know it."""

    release: str
    operations: Sequence[tuple[int, ManifestOperation]]


class Snapshot(NamedTuple):
    """`added`: since the snapshot before; everything else is as it is now. `deprecated`: since when
    the fields with `@sunset` are deprecated, as far as the registry tells."""

    state: RegistryState
    known: KnownReleases
    added: Sequence[Added]
    remaps: Remaps
    deprecated: Mapping[str, datetime] = MappingProxyType({})


def of_folder(
    platform: str, releases: Sequence[Release], schema: GraphQLSchema | None = None
) -> Snapshot:
    """Every release of a folder, each of them live; `schema` is what the platform answers by.
    Raises ConfigError for a release whose own schema cannot be read."""
    places: dict[tuple[str, str], int] = {}
    added: list[Added] = []
    known: list[tuple[KnownRelease, int | None]] = []
    fences = Fences(schema)
    for release in releases:
        new = []
        sent = []
        for operation in release.manifest.operations:
            key = (operation.id, operation.hash)
            if key not in places:
                places[key] = len(places)
                new.append((places[key], operation))
            sent.append(places[key])
        added.append(Added(release.name, new))
        bits = as_set(sent)
        published = Published(release.version, release.build, "", "", (), "live", LONG_AGO, 0)
        withheld = _withheld(fences, release)
        known.append((KnownRelease(published, withheld, members(bits)), bits))
    state = RegistryState(platform, releases={one.name: one.published for one, _ in known})
    return Snapshot(state, KnownReleases(known), added, {})


def _withheld(fences: Fences, release: Release) -> Fence:
    try:
        sdl = release.schema
        return FREE if sdl is None else fences.of(hash_of(sdl.encode()), lambda _: sdl)
    except (GraphQLError, TypeError) as error:
        raise ConfigError(
            f"platforms.{release.platform}.releases: {release.name}/{SCHEMA}: {error}; put in the "
            "SDL the build was generated from, or take the file out"
        ) from error


class Fences:
    """What builds of a schema cannot decode of the platform's own; worked out once a schema."""

    def __init__(self, schema: GraphQLSchema | None) -> None:
        self._schema = schema
        self._known: dict[str, Fence] = {}  # by the SDL's hash

    def of(self, hashed: str, read: Callable[[str], str]) -> Fence:
        """Of the builds of a schema by its hash; `read` gives its SDL where it is new. Raises what
        that does, and GraphQLError, TypeError for an SDL that cannot be built."""
        if self._schema is None:
            return FREE
        found = self._known.get(hashed)
        if found is None:
            sdl = read(hashed)
            built = build_schema(sdl, assume_valid=True, assume_valid_sdl=True, no_location=True)
            found = self._known[hashed] = fence(*unknown_to(built, self._schema))
        return found
