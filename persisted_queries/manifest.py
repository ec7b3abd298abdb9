"""Reads a manifest, in any of four formats, into one list of operations or says what is wrong.

The format is recognised by shape: the persisted query manifest v1 (Apollo's generators), Kotlin's
operationOutput, the legacy map of Apollo iOS, and Relay's map. Whether an operation fits a schema
is left to the gateway.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from persisted_queries.bodies import Body, BodyError, OperationType, read_body

Format = Literal["persisted-query-manifest", "operation-output", "ios-legacy", "relay"]

V1_FORMAT = "apollo-persisted-query-manifest"
# What a gateway reads as a document id (bff/documents/document_id.py).
MAX_ID_LENGTH = 256
LOOKS_LIKE_SHA256 = re.compile(r"(?:sha256:)?([0-9a-fA-F]{64})")
SUPPORTED = (
    f'{{"format": "{V1_FORMAT}", "version": 1, "operations": […]}}, '
    '{"<id>": {"name", "source", "type"}}, {"<id>": {"name", "source"}} or {"<id>": "<text>"}'
)


class ManifestError(Exception):
    """A manifest that cannot be used: which file, which entry, and what to do about it."""

    def __init__(self, source: str, entry: str, problem: str) -> None:
        where = f"{source}: {entry}" if entry else source
        super().__init__(f"{where}: {problem}")
        self.source = source
        self.entry = entry
        self.problem = problem


@dataclass(frozen=True, slots=True)
class ManifestOperation:
    """One registered operation. `id` is what the app sends (any string); `hash` is our own, the
    lower-case hex SHA-256 of the UTF-8 `body`; `key` is one for all layouts of the body (None: it
    is not valid), which has `tokens` tokens."""

    id: str
    name: str
    type: OperationType
    body: str
    hash: str
    key: bytes | None = None
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class ManifestWarning:
    """Something odd that does not make the manifest unusable."""

    source: str
    operation_id: str
    message: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The operations of one released app build, in the order of the file, ids unique."""

    source: str
    format: Format
    operations: tuple[ManifestOperation, ...]
    warnings: tuple[ManifestWarning, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    """An entry as written; `name` and `type` are None where the format does not carry them."""

    where: str
    id: str
    body: str
    name: str | None
    type: str | None


@dataclass(frozen=True, slots=True)
class Shelf:
    """What was read so far: manifests read with one shelf share bodies and operations, however many
    releases send them."""

    bodies: dict[str, Body] = field(default_factory=dict)
    operations: dict[tuple[str, str], ManifestOperation] = field(default_factory=dict)


def read_manifest(path: Path, shelf: Shelf | None = None) -> Manifest:
    """Read the manifest in a file. Raises ManifestError; OSError if the file cannot be read."""
    return parse_manifest(path.read_bytes(), str(path), shelf)


def parse_manifest(raw: bytes, source: str, shelf: Shelf | None = None) -> Manifest:
    """Read a manifest's bytes; `source` names it in errors and warnings. Raises ManifestError."""
    shelf = shelf or Shelf()
    found, entries = _entries(_json_object(raw, source), source)
    operations = _unique([_operation(entry, source, shelf) for entry in entries], source)
    if not operations:
        raise ManifestError(source, "", "no operations; generate it again from the app's documents")
    _refuse_names_as_ids(operations, source)
    warnings = tuple(warning for one in operations for warning in _warnings(one, source))
    return Manifest(source, found, tuple(operations), warnings)


def _json_object(raw: bytes, source: str) -> dict[str, Any]:
    def pairs(members: list[tuple[str, Any]]) -> dict[str, Any]:
        unique = dict(members)
        if len(unique) != len(members):
            names = [name for name, _ in members]
            twice = next(name for name in names if names.count(name) > 1)
            raise ManifestError(
                source, f"key {twice!r}", "stands twice in one JSON object; keep one of the two"
            )
        return unique

    try:
        value = json.loads(raw.decode("utf-8-sig"), object_pairs_hook=pairs)
    except (ValueError, RecursionError) as error:
        raise ManifestError(
            source, "", f"is not JSON in UTF-8 ({error}); generate it again"
        ) from error
    if not isinstance(value, dict):
        raise ManifestError(source, "", f"is not a JSON object; supported are {SUPPORTED}")
    return value


def _entries(value: dict[str, Any], source: str) -> tuple[Format, list[_Entry]]:
    if "format" in value or "operations" in value:
        return "persisted-query-manifest", list(_v1_entries(value, source))
    members = list(value.values())
    if all(isinstance(member, str) for member in members):
        relay = [_Entry(f"id {key!r}", key, text, None, None) for key, text in value.items()]
        return "relay", relay
    if all(isinstance(member, dict) and "source" in member for member in members):
        typed = {"type" in member for member in members}
        if len(typed) == 1:
            found: Format = "operation-output" if typed.pop() else "ios-legacy"
            return found, list(_map_entries(value, found, source))
    raise ManifestError(source, "", f"has an unknown format; supported are {SUPPORTED}")


def _v1_entries(value: dict[str, Any], source: str) -> Iterator[_Entry]:
    if value.get("format") != V1_FORMAT:
        raise ManifestError(
            source, "format", f"is {value.get('format')!r}, not {V1_FORMAT!r}; export as that"
        )
    version = value.get("version")
    if version != 1 or isinstance(version, bool):
        raise ManifestError(source, "version", f"is {version!r}; only version 1 is understood")
    operations = value.get("operations")
    if not isinstance(operations, list):
        raise ManifestError(source, "operations", "is not a list; generate the manifest again")
    for index, member in enumerate(operations):
        where = f"operations[{index}]"
        if not isinstance(member, dict):
            raise ManifestError(source, where, "is not an object of id, name, type and body")
        fields = [_text(member, key, where, source) for key in ("id", "body", "name", "type")]
        yield _Entry(where, *fields)


def _map_entries(value: dict[str, Any], found: Format, source: str) -> Iterator[_Entry]:
    for key, member in value.items():
        where = f"id {key!r}"
        body, name = (_text(member, part, where, source) for part in ("source", "name"))
        kind = _text(member, "type", where, source) if found == "operation-output" else None
        yield _Entry(where, key, body, name, kind)


def _text(member: dict[str, Any], key: str, where: str, source: str) -> str:
    value = member.get(key)
    if not isinstance(value, str):
        raise ManifestError(source, f"{where}.{key}", f"is {value!r}, not a string; it is required")
    return value


def _operation(entry: _Entry, source: str, shelf: Shelf) -> ManifestOperation:
    """Check one entry against its own body; what the body says is what counts."""
    if not entry.id.strip():
        raise ManifestError(source, entry.where, "has an empty id; give it the one the app sends")
    if len(entry.id) > MAX_ID_LENGTH or not entry.id.isprintable():
        raise ManifestError(
            source,
            f"id {entry.id[:80]!r}",
            f"is no id that can be asked for: give it at most {MAX_ID_LENGTH} printable characters",
        )
    if not entry.body.strip():
        raise ManifestError(source, entry.where, "has an empty body; generate the manifest again")
    body = shelf.bodies.get(entry.body)
    if body is None:
        try:
            body = shelf.bodies[entry.body] = read_body(entry.body)
        except BodyError as error:
            raise ManifestError(source, entry.where, str(error)) from error
    name = _checked_name(entry, body, source)
    known = shelf.operations.get((entry.id, body.hash))
    if known is None:
        id_ = body.hash if entry.id == body.hash else entry.id  # one string, not two
        known = ManifestOperation(id_, name, body.type, body.text, body.hash, body.key, body.tokens)
        shelf.operations[id_, body.hash] = known
    return known


def _checked_name(entry: _Entry, body: Body, source: str) -> str:
    kind, name = body.type, body.name
    if name is None:
        raise ManifestError(
            source, entry.where, f"is an anonymous operation; name it: '{kind} Name …'"
        )
    if entry.name is not None and entry.name != name:
        raise ManifestError(
            source, entry.where, f"is named {entry.name!r}, but its body says {name!r}"
        )
    if entry.type is not None and entry.type != kind:
        raise ManifestError(
            source,
            entry.where,
            f"has type {entry.type!r}, but its body is a {kind} "
            f"(types are {', '.join(get_args(OperationType))})",
        )
    return name


def _unique(operations: list[ManifestOperation], source: str) -> list[ManifestOperation]:
    """Drop repeated entries; the same id for two texts is refused: which one an app means cannot
    be known."""
    by_id: dict[str, ManifestOperation] = {}
    for operation in operations:
        other = by_id.setdefault(operation.id, operation)
        if other.body != operation.body:
            raise ManifestError(
                source,
                f"id {operation.id!r}",
                f"stands for two bodies ({other.name} and {operation.name}); "
                "an id must change with its text",
            )
    return list(by_id.values())


def _refuse_names_as_ids(operations: list[ManifestOperation], source: str) -> None:
    names = {operation.name for operation in operations}
    for operation in operations:
        if operation.id in names:
            raise ManifestError(
                source,
                f"id {operation.id!r}",
                "is an operation's name, which stays when the text changes; "
                "let the generator use hashes as ids",
            )


def _warnings(operation: ManifestOperation, source: str) -> Iterator[ManifestWarning]:
    """An id need not be a hash; one that only looks like it deserves a word."""
    hashed = LOOKS_LIKE_SHA256.fullmatch(operation.id)
    if hashed and hashed[1].lower() != operation.hash:
        yield ManifestWarning(
            source,
            operation.id,
            f"looks like a SHA-256, but {operation.name}'s body has {operation.hash}; "
            "fine if the app's id comes from elsewhere, else the body was changed after hashing",
        )
