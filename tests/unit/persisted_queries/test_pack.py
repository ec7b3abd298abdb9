"""Promises of persisted_queries/pack.py and texts.py: manifests as the clients' own tools write."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from persisted_queries.manifest import ManifestError, parse_manifest
from persisted_queries.pack import GENERATORS, pack, read_documents

HOME = """
query Home($first: Int = 20, $after: String) {
  home {
    feed(first: $first, after: $after) { ...Card ... on Video { seconds author { id } } }
    viewer { id ...Person }
  }
}
"""
FRAGMENTS = """
fragment Card on Item { __typename title author { ...Person } }
fragment Person on Account { name }
fragment Unused on Account { name }
"""
DOCUMENTS = {"fragments.graphql": FRAGMENTS, "Home.graphql": HOME}


def text_of(generator: str, documents: dict[str, str] = DOCUMENTS) -> str:
    manifest = parse_manifest(pack(documents, generator).encode(), generator)
    return manifest.operations[0].body


def test_apollo_ios_text() -> None:
    """Every field and fragment begins with __typename, inline fragments do not; one line each,
    fragments by name, a line feed between, and only those that are used."""
    assert text_of("apollo-ios") == (
        "query Home($first: Int = 20, $after: String) { home { __typename "
        "feed(first: $first, after: $after) { __typename ...Card "
        "... on Video { seconds author { __typename id } } } "
        "viewer { __typename id ...Person } } }\n"
        "fragment Card on Item { __typename title author { __typename ...Person } }\n"
        "fragment Person on Account { __typename name }"
    )


def test_apollo_kotlin_text() -> None:
    """Only selections with fragments begin with __typename; fragments come after those they
    spread; all on one line, two spaces between definitions."""
    assert text_of("apollo-kotlin") == (
        "query Home($first: Int = 20, $after: String) { home { "
        "feed(first: $first, after: $after) { __typename ...Card "
        "... on Video { seconds author { id } } } "
        "viewer { __typename id ...Person } } }  "
        "fragment Person on Account { name }  "
        "fragment Card on Item { __typename title author { __typename ...Person } }"
    )


def test_apollo_client_text() -> None:
    """Every selection but the operation's own ends with __typename, inline fragments too; printed
    over lines, operation first, fragments by name."""
    assert text_of("apollo-client") == (
        "query Home($first: Int = 20, $after: String) {\n  home {\n"
        "    feed(first: $first, after: $after) {\n      ...Card\n      ... on Video {\n"
        "        seconds\n        author {\n          id\n          __typename\n        }\n"
        "        __typename\n      }\n      __typename\n    }\n"
        "    viewer {\n      id\n      ...Person\n      __typename\n    }\n"
        "    __typename\n  }\n}\n\n"
        "fragment Card on Item {\n  __typename\n  title\n"
        "  author {\n    ...Person\n    __typename\n  }\n}\n\n"
        "fragment Person on Account {\n  name\n  __typename\n}"
    )


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("apollo-ios", "persisted-query-manifest"),
        ("apollo-ios-legacy", "ios-legacy"),
        ("apollo-kotlin", "operation-output"),
        ("apollo-kotlin-v1", "persisted-query-manifest"),
        ("apollo-client", "persisted-query-manifest"),
    ],
)
def test_manifest_has_generators_format(generator: str, expected: str) -> None:
    """What is packed reads back in that generator's format, without a warning."""
    documents = DOCUMENTS | {"Save.graphql": "mutation Save { save { ok } }"}
    manifest = parse_manifest(pack(documents, generator).encode(), generator)
    assert manifest.format == expected
    assert manifest.warnings == ()
    assert [(one.name, one.type) for one in manifest.operations] == [
        ("Home", "query"),
        ("Save", "mutation"),
    ]
    assert set(GENERATORS) >= {generator}


@pytest.mark.parametrize("generator", GENERATORS)
def test_id_is_hash_of_text(generator: str) -> None:
    """The id is the SHA-256 of exactly the text, non-ASCII as UTF-8."""
    documents = {"a.graphql": 'query A { a(text: "Bücher — كتب 📚") }'}
    manifest = parse_manifest(pack(documents, generator).encode(), "m")
    operation = manifest.operations[0]
    assert "Bücher — كتب 📚" in operation.body
    assert operation.id == hashlib.sha256(operation.body.encode()).hexdigest()


def test_layout_does_not_count() -> None:
    """How files are named, ordered and indented changes nothing."""
    other = {"z.graphql": f"# a comment\n{HOME.replace('  ', '      ')}", "a.graphql": FRAGMENTS}
    for generator in GENERATORS:
        assert pack(other, generator) == pack(DOCUMENTS, generator)


def test_fragments_in_circles_end() -> None:
    """Fragments that spread one another are each taken once; refusing them is validation's."""
    circle = {
        "a.graphql": "query A { a { ...X } } fragment X on T { ...Y } fragment Y on T { ...X }"
    }
    assert text_of("apollo-client", circle).count("fragment ") == 2


@pytest.mark.parametrize(
    ("documents", "generator", "said"),
    [
        (
            {"a.graphql": "query A { a"},
            "apollo-client",
            "a.graphql: line 1, column 12: Syntax Error",
        ),
        ({"a.graphql": "{ a }"}, "apollo-client", "a.graphql: has an anonymous operation"),
        ({"a.graphql": "type A { a: Int }"}, "apollo-client", "a.graphql: defines types"),
        (
            {"a.graphql": "query A { a }", "b.graphql": "fragment A on T { a }"},
            "apollo-client",
            "b.graphql: A: is defined twice",
        ),
        (
            {"a.graphql": "query A { ...Gone }"},
            "apollo-client",
            "a.graphql: A: Gone: is no fragment",
        ),
        (DOCUMENTS, "relay", "generator: is 'relay'; known are apollo-ios"),
        (DOCUMENTS, "apollo-flutter", "generator: is 'apollo-flutter'; known are apollo-ios"),
    ],
)
def test_wrong_input_says_where(documents: dict[str, str], generator: str, said: str) -> None:
    """What cannot be packed is refused with file, place and the way out."""
    with pytest.raises(ManifestError) as refused:
        pack(documents, generator)
    assert said in str(refused.value)


def test_folder_without_operations_is_refused(tmp_path: Path) -> None:
    """A folder is read by its *.graphql files; one without any is a mistake."""
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(ManifestError, match=r"no \*\.graphql files"):
        read_documents(tmp_path)
    (tmp_path / "a.graphql").write_text("query A { a }")
    assert read_documents(tmp_path) == {"a.graphql": "query A { a }"}


def test_manifest_is_readable_json() -> None:
    """The file is indented JSON that ends with a line feed: reviewed as a diff."""
    text = pack(DOCUMENTS, "apollo-ios")
    written: dict[str, Any] = json.loads(text)
    assert list(written) == ["format", "version", "operations"]
    assert list(written["operations"][0]) == ["id", "body", "name", "type"]
    assert text.startswith('{\n  "format"')
    assert text.endswith("}\n")
