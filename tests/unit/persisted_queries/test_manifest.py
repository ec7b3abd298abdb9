"""Promises of persisted_queries/manifest.py."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from persisted_queries.manifest import ManifestError, parse_manifest, read_manifest

HOME = "query Home { home { title } }"
SAVE = "mutation Save($id: ID!) { save(id: $id) }"
HOME_HASH = hashlib.sha256(HOME.encode()).hexdigest()
SAVE_HASH = hashlib.sha256(SAVE.encode()).hexdigest()

APOLLO = {
    "format": "apollo-persisted-query-manifest",
    "version": 1,
    "operations": [
        {"id": HOME_HASH, "name": "Home", "type": "query", "body": HOME},
        {"id": SAVE_HASH, "name": "Save", "type": "mutation", "body": SAVE},
    ],
}
KOTLIN = {
    HOME_HASH: {"name": "Home", "source": HOME, "type": "query"},
    SAVE_HASH: {"name": "Save", "source": SAVE, "type": "mutation"},
}
IOS_LEGACY = {
    HOME_HASH: {"name": "Home", "source": HOME},
    SAVE_HASH: {"name": "Save", "source": SAVE},
}
RELAY = {HOME_HASH: HOME, SAVE_HASH: SAVE}


def encoded(value: Any) -> bytes:
    return json.dumps(value).encode()


def apollo(*operations: dict[str, Any], **changes: Any) -> bytes:
    return encoded({**APOLLO, "operations": list(operations), **changes})


def operation(**changes: Any) -> dict[str, Any]:
    return {"id": "a1", "name": "Home", "type": "query", "body": HOME, **changes}


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (APOLLO, "persisted-query-manifest"),
        (KOTLIN, "operation-output"),
        (IOS_LEGACY, "ios-legacy"),
        (RELAY, "relay"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_four_formats_same_operations(value: Any, shape: str) -> None:
    """Each format is recognised by its shape and gives the same operations in the file's order."""
    manifest = parse_manifest(encoded(value), "m.json")
    assert manifest.format == shape
    assert [(one.id, one.name, one.type, one.body) for one in manifest.operations] == [
        (HOME_HASH, "Home", "query", HOME),
        (SAVE_HASH, "Save", "mutation", SAVE),
    ]
    assert manifest.warnings == ()


def test_hash_is_always_ours() -> None:
    """The hash is computed from the body, whatever the id looks like."""
    found = parse_manifest(apollo(operation(id="home@7")), "m.json").operations[0]
    assert (found.id, found.hash) == ("home@7", HOME_HASH)


@pytest.mark.parametrize("id_", ["0" * 64, "sha256:" + "0" * 64, "F" * 64])
def test_foreign_hash_warns_only(id_: str) -> None:
    """An id that looks like the SHA-256 of something else is a warning, not an error."""
    manifest = parse_manifest(apollo(operation(id=id_)), "m.json")
    assert [warning.operation_id for warning in manifest.warnings] == [id_]
    assert HOME_HASH in manifest.warnings[0].message


@pytest.mark.parametrize("id_", [HOME_HASH.upper(), f"sha256:{HOME_HASH}", "d41d8cd98f00b204"])
def test_honest_ids_warn_not(id_: str) -> None:
    """The right hash in any spelling, and an id that is no SHA-256, give no warning."""
    assert parse_manifest(apollo(operation(id=id_)), "m.json").warnings == ()


@pytest.mark.parametrize(
    ("raw", "entry", "words"),
    [
        (b"{", "", "not JSON"),
        (b'{"a": "\xff"}', "", "not JSON in UTF-8"),
        (b"[" * 5000, "", "not JSON"),
        (b"[]", "", "not a JSON object"),
        (b"{}", "", "no operations"),
        (encoded({"a": 1}), "", "unknown format"),
        (encoded({"a": {"text": HOME}}), "", "unknown format"),
        (encoded({"a": HOME, "b": {"name": "Home", "source": HOME}}), "", "unknown format"),
        (encoded({**KOTLIN, "c": {"name": "X", "source": HOME}}), "", "unknown format"),
        (apollo(operation(), format="other"), "format", "'other'"),
        (encoded({"operations": []}), "format", "None"),
        (apollo(operation(), version=2), "version", "is 2"),
        (apollo(operation(), version=True), "version", "is True"),
        (encoded({**APOLLO, "operations": {}}), "operations", "not a list"),
        (encoded({**APOLLO, "operations": [3]}), "operations[0]", "not an object"),
        (apollo(operation(id=7)), "operations[0].id", "is 7, not a string"),
        (encoded({"a": {"source": None, "name": "A"}}), "id 'a'.source", "is None"),
        (apollo(operation(id=" ")), "operations[0]", "empty id"),
        (apollo(operation(body=" \n")), "operations[0]", "empty body"),
        (encoded({"a1": ""}), "id 'a1'", "empty body"),
        (apollo(operation(body="query Home {")), "operations[0]", "line 1, column 13"),
        (encoded({"a1": "query A { a } query B { b }"}), "id 'a1'", "2 operations"),
        (encoded({"a1": "fragment F on Query { a }"}), "id 'a1'", "0 operations"),
        (encoded({"a1": "query A { a } type T { b: Int }"}), "id 'a1'", "defines types"),
        (encoded({"a1": "{ home { title } }"}), "id 'a1'", "anonymous"),
        (apollo(operation(name="House")), "operations[0]", "'House', but its body says 'Home'"),
        (apollo(operation(type="mutation")), "operations[0]", "its body is a query"),
        (apollo(operation(type="QUERY")), "operations[0]", "its body is a query"),
        (apollo(operation(id="Home")), "id 'Home'", "operation's name"),
        (encoded({"a1": "query A { a }", "A": "query B { b }"}), "id 'A'", "operation's name"),
        (
            apollo(operation(), operation(body="query Home { home { id } }")),
            "id 'a1'",
            "two bodies",
        ),
        (b'{"a1": "query A { a }", "a1": "query A { b }"}', "key 'a1'", "stands twice"),
        (b'{"a1": {"name": "A", "name": "A", "source": "x"}}', "key 'name'", "stands twice"),
    ],
)
def test_errors_name_the_entry(raw: bytes, entry: str, words: str) -> None:
    """Every mistake is refused with the file, the entry and what is wrong with it."""
    with pytest.raises(ManifestError) as refused:
        parse_manifest(raw, "ios/m.json")
    assert refused.value.entry == entry
    assert words in refused.value.problem
    assert str(refused.value).startswith("ios/m.json: " + (f"{entry}: " if entry else ""))


def test_repeated_entry_counts_once() -> None:
    """The same id with the same body twice is one operation."""
    manifest = parse_manifest(apollo(operation(), operation()), "m.json")
    assert len(manifest.operations) == 1


def test_fragments_belong_to_the_body() -> None:
    """A body may hold fragments beside its one operation."""
    body = "query Home { home { ...F } } fragment F on Home { title }"
    assert parse_manifest(encoded({"a1": body}), "m.json").operations[0].body == body


def test_file_is_named_in_errors(tmp_path: Path) -> None:
    """A manifest read from a file names that file; a byte order mark is tolerated."""
    path = tmp_path / "manifest.json"
    path.write_bytes(b"\xef\xbb\xbf" + encoded(RELAY))
    assert read_manifest(path).source == str(path)
    path.write_bytes(b"{")
    with pytest.raises(ManifestError, match=r"manifest\.json: is not JSON"):
        read_manifest(path)
