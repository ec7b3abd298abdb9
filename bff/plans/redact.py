"""Keeps a pair of answers that differ, without a word of any viewer: shapes stay, values go.

Every value becomes its type with a short keyed hash (of a text also its length). The key is made
for one pair and never kept: inside the pair equal values look equal and others do not, and nothing
leads back from it. Response keys, paths and locations come from the document and stay.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import orjson
from graphql import DocumentNode, FieldNode, VariableDefinitionNode, Visitor, visit

from bff.plans import verdict
from bff.plans.replay import AskedKey
from bff.plans.verdict import Entry, Side

MOST_FILES = 20
PREFIX = "plan-difference-"


class _Names(Visitor):
    def __init__(self) -> None:
        super().__init__()
        self.found: set[str] = set()

    def enter_field(self, node: FieldNode, *_: Any) -> None:
        self.found.add((node.alias or node.name).value)

    def enter_variable_definition(self, node: VariableDefinitionNode, *_: Any) -> None:
        self.found.add(node.variable.name.value)


def keys_of(document: DocumentNode) -> frozenset[str]:
    """Every response key and variable of a document; others stand inside a value."""
    seen = _Names()
    visit(document, seen)
    return frozenset(seen.found)


class Redactor:
    """Redacts one pair. `known` are the keys that may stay."""

    def __init__(self, known: frozenset[str]) -> None:
        self._known = known
        self._key = secrets.token_bytes(16)

    def value(self, value: Any) -> Any:
        """The same shape without values; null stays null."""
        if value is None:
            return None
        if isinstance(value, Mapping):
            return {self.name(key): self.value(held) for key, held in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(held) for held in value]
        size = f"({len(value)})" if isinstance(value, str) else ""
        return f"{type(value).__name__}{size}#{self._hash(value)}"

    def name(self, key: Any) -> str:
        return key if key in self._known else f"key#{self._hash(key)}"

    def path(self, path: verdict.Path) -> list[str | int]:
        return [key if isinstance(key, int) else self.name(key) for key in path]

    def side(self, side: Side) -> dict[str, Any]:
        return {"data": self.value(side.data), "errors": [self._error(one) for one in side.errors]}

    def keys(self, asked: Iterable[AskedKey]) -> list[str]:
        """Keys of loaders: which loader, and the key's hash."""
        return sorted(f"{kind.__name__}: {self.value(key)}" for kind, key in asked)

    def _error(self, error: Entry) -> dict[str, Any]:
        return {
            "message": self.value(error.message),
            "path": self.path(error.path),
            "locations": [{"line": line, "column": column} for line, column in error.locations],
            "extensions": self.value(error.extensions),
            "code": error.code,
            "cause": error.cause,
        }

    def _hash(self, value: Any) -> str:
        text = f"{type(value).__name__}:{value!r}"
        return blake2b(text.encode("utf-8", "replace"), key=self._key, digest_size=4).hexdigest()


class PairFiles:
    """Redacted pairs in one directory, at most `most` of them: the oldest make room."""

    def __init__(self, directory: Path, most: int = MOST_FILES) -> None:
        self._directory = directory
        self._most = most

    def keep(self, pair: Mapping[str, Any]) -> str:
        """Writes one pair and gives its file's name. Raises OSError."""
        self._directory.mkdir(parents=True, exist_ok=True)
        # By its name a file is as old as it is, and no other process writes one of that name.
        now = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
        name = f"{PREFIX}{now}-{secrets.token_hex(4)}.json"
        text = orjson.dumps(pair, option=orjson.OPT_INDENT_2)
        unfinished = self._directory / f".{name}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(unfinished, flags, 0o600), "wb") as file:
            file.write(text)
        unfinished.replace(self._directory / name)
        self._make_room()
        return name

    def _make_room(self) -> None:
        kept = sorted(self._directory.glob(f"{PREFIX}*.json"))
        for old in kept[: max(0, len(kept) - self._most)]:
            old.unlink(missing_ok=True)
