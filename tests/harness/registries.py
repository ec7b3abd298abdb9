"""Registries for tests: keys, a schema on record, releases of given texts."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from persisted_queries.manifest import ManifestOperation, parse_manifest
from persisted_queries.model import AnyEntry, Record, SetState, State
from persisted_queries.objects import hash_of
from persisted_queries.publish import Parts, Sent, Writer, append, publish, record_schema
from persisted_queries.registry import Registry
from persisted_queries.signing import PublicKeys, Signer, make_signer
from persisted_queries.store import Store

SDL = "type Query { a: Int b: Int c: Int }"


def query(field_name: str, name: str | None = None) -> str:
    return f"query {name or field_name.upper()} {{ {field_name} }}"


def operations_of(texts: Iterable[str]) -> tuple[ManifestOperation, ...]:
    """Texts as a manifest with their hashes as ids gives them."""
    listed = {hash_of(text.encode()): text for text in texts}
    return parse_manifest(json.dumps(listed).encode(), "test").operations


@dataclass
class Made:
    """A registry of a test: where it is, and who may write to it."""

    store: Store
    platform: str = "ios"
    signer: Signer = field(default_factory=lambda: make_signer("ios-1"))

    @property
    def keys(self) -> PublicKeys:
        return {self.signer.kid: self.signer.key}

    def reader(self, cache_dir: Path | None = None) -> Registry:
        return Registry.open(self.store, self.platform, self.keys, cache_dir)

    def writer(self, now: datetime | None = None) -> Writer:
        clock = (lambda: now) if now else (lambda: datetime.now(UTC))
        return Writer(self.reader(), self.signer, "test", clock)

    def record(self, sdl: str = SDL) -> Record | None:
        return record_schema(self.writer(), sdl)

    def publish(
        self,
        name: str,
        *texts: str,
        sdl: str = SDL,
        state: State = "live",
        at: datetime | None = None,
    ) -> Sent:
        """Publish `<version>+<build>` with these texts; the schema is put on record first."""
        self.record(sdl)
        version, _, build = name.partition("+")
        return publish(
            self.writer(at), Parts(version, build, operations_of(texts), sdl, state=state)
        )

    def write(self, entry: AnyEntry) -> Record:
        return append(self.writer(), lambda _: entry)

    def set_state(self, name: str, state: State) -> Record:
        version, _, build = name.partition("+")
        return self.write(SetState(version, build, state))


def made_in(folder: Path) -> Made:
    """A registry in a folder, without anything; the folder is made."""
    folder.mkdir(parents=True, exist_ok=True)
    return Made(Store.of(folder))
