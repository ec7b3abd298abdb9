"""Promises of bff/documents/registered.py."""

import pytest
from graphql import parse

from bff.documents.normalise import normalised_key
from bff.documents.registered import RegisteredDocuments, canonical

from .samples import (
    BROKEN,
    HOME,
    HOME_AGAIN,
    HOME_OTHER_ORDER,
    ITEM,
    SAVE,
    preparer,
    release,
    sha256,
)


def registered(*operations: dict[str, str]) -> RegisteredDocuments:
    releases = [release(one, f"7.{number}.0+1") for number, one in enumerate(operations)]
    return RegisteredDocuments(releases, preparer(development=False))


@pytest.mark.parametrize("id_", ["home@7", sha256(HOME), f"sha256:{sha256(HOME)}"])
def test_found_under_three_ids(id_: str) -> None:
    """A document is found under the manifest's id and its own hash, prefixed and bare."""
    found = registered({"home@7": HOME}).by_id(id_)
    assert found is not None
    assert found.hash == sha256(HOME)


@pytest.mark.parametrize(
    ("sent", "looked_up"),
    [
        ("A" * 64, "a" * 64),
        ("sha256:" + "B" * 64, "sha256:" + "b" * 64),
        ("A" * 63, "A" * 63),
        ("SHA256:" + "B" * 64, "SHA256:" + "B" * 64),
        ("Home@7", "Home@7"),
        ("md5:" + "A" * 64, "md5:" + "A" * 64),
    ],
)
def test_only_hex_ignores_case(sent: str, looked_up: str) -> None:
    """The digits of a SHA-256 may come in any case; other ids are taken literally."""
    assert canonical(sent) == looked_up


def test_found_by_normalised_text() -> None:
    """A text in another layout is the registered document; another field order is not."""
    found = registered({"a1": HOME})
    known = found.by_key(normalised_key(parse(HOME_AGAIN)))
    assert known is not None
    assert known.hash == sha256(HOME)
    assert found.by_key(normalised_key(parse(HOME_OTHER_ORDER))) is None


def test_releases_share_documents() -> None:
    """The same text in two releases, under two ids, is one document."""
    found = registered({"a1": HOME}, {"b2": HOME, "b3": SAVE})
    assert len(found) == 2
    assert found.by_id("a1") is found.by_id("b2")
    assert found.problems == []


def test_misfit_is_left_out() -> None:
    """A document that does not fit the schema is left out and told; the others are there."""
    found = registered({"a1": BROKEN, "a2": ITEM}, {"b1": BROKEN})
    assert (len(found), found.by_id("a1")) == (1, None)
    assert found.by_id(sha256(BROKEN)) is None
    assert found.by_id("a2") is not None
    (problem,) = found.problems
    assert (problem.release, problem.document_id, problem.left_out) == ("7.0.0+1", "a1", True)
    assert "Cannot query field 'nothing'" in problem.message
    assert "(line 1, column 16)" in problem.message


def test_older_release_keeps_an_id() -> None:
    """One id for two texts in two releases stays with the older app, and is told."""
    found = registered({"a1": HOME}, {"a1": ITEM})
    known = found.by_id("a1")
    assert known is not None
    assert known.hash == sha256(HOME)
    assert found.by_id(sha256(ITEM)) is not None
    (problem,) = found.problems
    assert (problem.release, problem.document_id, problem.left_out) == ("7.1.0+1", "a1", True)


def test_own_hash_beats_a_false_one() -> None:
    """An id that claims another document's hash does not take that document's place."""
    found = registered({sha256(ITEM): HOME}, {"b1": ITEM})
    known = found.by_id(sha256(ITEM))
    assert known is not None
    assert known.hash == sha256(ITEM)
    assert [problem.document_id for problem in found.problems] == [sha256(ITEM)]


def test_largest_document_is_known() -> None:
    """The number of tokens of the largest document is known, to admit its text."""
    assert registered({"a1": "query A { numbers }"}).most_tokens == 5
