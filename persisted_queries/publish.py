"""Writes to a platform's registry: one log entry at a time, a release with all it rests on. Whether
its documents are valid, and within budget, is for the caller to have found out.

Objects are stored before the entry that names them, so that whoever reads the entry finds them.
Two writers at once are put in order by create-if-absent: who came too late begins anew from what
the other has written, and may find his entry refused by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from difflib import unified_diff
from typing import NamedTuple

from graphql import (
    GraphQLError,
    build_client_schema,
    build_schema,
    introspection_from_schema,
    lexicographic_sort_schema,
    print_schema,
)

from persisted_queries.catalogue import places
from persisted_queries.log import entry_path, seal
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import (
    AnyEntry,
    EntryRefusedError,
    Publish,
    Published,
    Record,
    RecordSchema,
    RegistryState,
    State,
    add,
)
from persisted_queries.objects import hash_of
from persisted_queries.problem import PublishRefusedError
from persisted_queries.registry import Registry
from persisted_queries.signing import Signer
from persisted_queries.stored import MOST_STEPS, StoredOperation, difference, full

MOST_TRIES = 50
MOST_DIFFERENCE = 40  # lines of a difference between schemas that are shown

Decide = Callable[[RegistryState], AnyEntry]


class Writer(NamedTuple):
    """Who writes, and where. `by` is for people; `now` is a clock (UTC)."""

    registry: Registry
    signer: Signer
    by: str
    now: Callable[[], datetime] = lambda: datetime.now(UTC)


class Parts(NamedTuple):
    """A release to publish. `schema` is the SDL its code was generated from, or the hash of one
    that the platform has answered by."""

    version: str
    build: str
    operations: tuple[ManifestOperation, ...]
    schema: str
    capabilities: tuple[str, ...] = ()
    state: State = "draft"


class Sent(NamedTuple):
    """What was published: its place in the log, and how many texts had to travel."""

    record: Record
    published: Published
    new_documents: int


def append(writer: Writer, decide: Decide) -> Record:
    """Write the entry that `decide` makes of the newest state; it is asked again where another
    writer was faster.

    Raises PublishRefusedError for one that does not follow; RegistryError where the registry cannot
    be read to its end or not be written; whatever `decide` raises. Nothing is written then.
    """
    registry = writer.registry
    for _ in range(MOST_TRIES):
        registry.refresh()
        registry.must_be_current()
        record = _record(writer, decide(registry.state))
        raw = seal(record, writer.signer)
        if registry.store.create(entry_path(registry.platform, record.number), raw):
            registry.refresh()
            registry.must_be_current()
            return record
    raise PublishRefusedError(
        f"the log of {registry.platform}: {MOST_TRIES} other writers were faster; try again"
    )


def publish(writer: Writer, parts: Parts) -> Sent:
    """Store a release and write its entry.

    Raises PublishRefusedError for a release that exists, for an id that stands for two texts or
    is an operation's name, and for a schema that is none of the platform's, with the difference.
    """
    registry = writer.registry
    registry.refresh()
    registry.must_be_current()
    schema = known_schema(registry, parts.schema)
    check_ids(registry, parts.operations)
    new = store_documents(registry, parts.operations)

    def decide(state: RegistryState) -> AnyEntry:
        check_ids(registry, parts.operations)
        manifest = registry.objects.put("manifests", manifest_after(registry, parts.operations))
        return Publish(
            parts.version, parts.build, manifest, schema, parts.capabilities, parts.state
        )

    record = append(writer, decide)
    return Sent(record, registry.state.releases[f"{parts.version}+{parts.build}"], new)


def record_schema(writer: Writer, sdl: str) -> Record | None:
    """Tell that the platform answers by this SDL from now on; None where it does already."""
    registry = writer.registry
    hashed = registry.objects.put("schemas", sdl.encode())
    registry.refresh()
    registry.must_be_current()
    schemas = registry.state.schemas
    if schemas and schemas[-1].schema == hashed:
        return None
    return append(writer, lambda _: RecordSchema(hashed))


def store_documents(registry: Registry, operations: Iterable[ManifestOperation]) -> int:
    """Store every text that is not there yet; how many were not. Raises RegistryError."""
    bodies = {one.hash: one.body for one in operations}
    new = unstored(registry, bodies)
    for hashed in new:
        registry.objects.put("documents", bodies[hashed].encode())
    return len(new)


def unstored(registry: Registry, documents: Iterable[str]) -> list[str]:
    """Which of these hashes the store holds no undamaged text of; the cache is not asked. Raises
    RegistryError for what the store cannot tell."""
    paths = {f"documents/{hashed}": hashed for hashed in documents}
    found = []
    for path, data in registry.store.get_many(paths):
        if isinstance(data, Exception):
            raise data
        if data is None or hash_of(data) != paths[path]:
            found.append(paths[path])
    return found


def check_ids(registry: Registry, operations: Iterable[ManifestOperation]) -> None:
    """An id means one text for ever, in all releases of a platform. Raises PublishRefusedError."""
    for release in registry.state.releases.values():
        registry.catalogue.sent_by(release.manifest)
    listed = list(operations)
    names = {one.name for one in listed}
    for operation in listed:
        if operation.id in names:
            raise PublishRefusedError(
                f"id {operation.id!r} is an operation's name, which stays when the text changes; "
                "let the generator use hashes as ids"
            )
        for other in registry.catalogue.with_id(operation.id):
            if other.hash != operation.hash:
                raise PublishRefusedError(
                    f"id {operation.id!r} stands for another text in an earlier release "
                    f"({other.name}, {other.hash[:12]}…); an id must change with its text"
                )


def manifest_after(registry: Registry, operations: Iterable[ManifestOperation]) -> bytes:
    """The manifest to store: the difference to the newest release's, where that is shorter and does
    not rest on too many others. Raises RegistryError."""
    wanted = {one.id: StoredOperation(one.id, one.hash, one.name, one.type) for one in operations}
    whole = full(wanted).encode()
    newest = max(registry.state.releases.values(), key=lambda one: one.published, default=None)
    if newest is None or registry.catalogue.steps(newest.manifest) >= MOST_STEPS:
        return whole
    shorter = difference(newest.manifest, _held(registry, newest.manifest), wanted).encode()
    return min(whole, shorter, key=len)


def known_schema(registry: Registry, schema: str) -> str:
    """The hash of the recorded schema that this one (SDL, or a hash) is, however it is laid out.
    Raises PublishRefusedError, with the difference to the newest."""
    recorded = [one.schema for one in registry.state.schemas]
    for hashed in (schema, hash_of(schema.encode())):
        if hashed in recorded:
            return hashed
    if not recorded:
        raise PublishRefusedError(
            f"{registry.platform} has recorded no schema yet; record the one it answers by first "
            "(`bff schema record`)"
        )
    normal = normalised(schema)
    newest = ""
    for hashed in reversed(recorded):
        text = normalised(registry.schema(hashed))
        if text == normal:
            return hashed
        newest = newest or text
    raise PublishRefusedError(
        f"the schema is none that {registry.platform} answers or answered by; generate the app's "
        "code from the platform's own, or record it first. Difference to the newest:\n"
        + difference_shown("newest", newest, normal)
    )


def difference_shown(name: str, known: str, sent: str) -> str:
    """How a normalised schema that was sent differs from a known one, in some lines for people."""
    lines = list(unified_diff(known.split("\n"), sent.split("\n"), name, "sent", lineterm="", n=2))
    more = len(lines) - MOST_DIFFERENCE
    return "\n".join([*lines[:MOST_DIFFERENCE], *([f"… {more} more lines"] if more > 0 else ())])


def normalised(sdl: str) -> str:
    """An SDL as introspection tells it to an app's tools, without layout, order and descriptions.
    Raises PublishRefusedError."""
    try:
        read = build_schema(sdl, no_location=True)
        schema = build_client_schema(introspection_from_schema(read, descriptions=False))
    except (GraphQLError, TypeError) as error:
        raise PublishRefusedError(f"the schema cannot be read: {error}") from error
    return print_schema(lexicographic_sort_schema(schema))


def _record(writer: Writer, entry: AnyEntry) -> Record:
    state = writer.registry.state
    at = writer.now()
    record = Record(state.number + 1, state.head, state.platform, at, writer.by, entry)
    try:
        add(state, record, "")
    except EntryRefusedError as error:
        raise PublishRefusedError(str(error)) from error
    return record


def _held(registry: Registry, manifest: str) -> Mapping[str, StoredOperation]:
    catalogue = registry.catalogue
    sent = catalogue.sent_by(manifest)
    return {one.id: one for one in map(catalogue.operations.__getitem__, places(sent))}
