"""Promises of bff/documents/registered.py."""

from __future__ import annotations

import pytest

from bff.documents.model import Operation
from bff.documents.registered import Problem, RegisteredDocuments, canonical
from bff.documents.snapshot import of_folder
from bff.errors import ValidationFailed
from persisted_queries.scan import scan

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
    trees,
)


class Index:
    """Registered documents of releases 7.0.0, 7.1.0…, and what they reported and told."""

    def __init__(self, *operations: dict[str, str]) -> None:
        self.problems: list[Problem] = []
        self.told: list[str | None] = []
        self.refused: set[str] = set()
        self.documents = RegisteredDocuments(
            preparer(development=False),
            trees(),
            report=self.problems.append,
            on_prepared=self.tell,
        )
        releases = [release(one, f"7.{number}.0+1") for number, one in enumerate(operations)]
        self.documents.add(of_folder("ios", releases).added)

    def tell(self, operation: Operation) -> None:
        self.told.append(operation.name)
        if operation.name in self.refused:
            raise ValidationFailed("cannot be compiled")

    def hash_of(self, id_: str) -> str | None:
        """The own hash of the document an id means."""
        found = self.documents.by_id(id_)
        return found.hash if found is not None else None

    def prepare_all(self) -> None:
        while self.documents.prepare_next():
            pass


def key(text: str) -> bytes:
    scanned = scan(text)
    found = scanned.key() if scanned is not None else None
    assert found is not None
    return found


@pytest.mark.parametrize("id_", ["home@7", sha256(HOME), f"sha256:{sha256(HOME)}"])
def test_found_under_three_ids(id_: str) -> None:
    """A document is found under the manifest's id and its own hash, prefixed and bare."""
    assert Index({"home@7": HOME}).hash_of(id_) == sha256(HOME)


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
    found = Index({"a1": HOME}).documents
    known = found.by_key(key(HOME_AGAIN))
    assert known is not None
    assert known.hash == sha256(HOME)
    assert found.by_key(key(HOME_OTHER_ORDER)) is None


def test_releases_share_documents() -> None:
    """The same text in two releases, under two ids, is one document."""
    index = Index({"a1": HOME}, {"b2": HOME, "b3": SAVE})
    found = index.documents
    assert len(found) == 2
    assert found.by_id("a1") is found.by_id("b2")
    assert index.problems == []


def test_nothing_is_prepared_at_start() -> None:
    """Every id is pending until it is first looked up, and no other id's document is prepared."""
    index = Index({"a1": HOME, "a2": ITEM})
    assert index.documents.is_pending("a1")
    assert index.hash_of("a1") == sha256(HOME)
    assert not any(index.documents.is_pending(id_) for id_ in ("a1", sha256(HOME), "unknown"))
    assert index.documents.is_pending("a2")


def test_asked_documents_come_first() -> None:
    """Told in the order of use, then the newest release's in the manifest's order; each once."""
    texts = {name: f"query {name} {{ numbers }}" for name in "ABCDE"}
    index = Index(
        {f"{name}@0": texts[name] for name in "ABC"}, {f"{name}@1": texts[name] for name in "CDE"}
    )
    assert index.hash_of("B@0") == sha256(texts["B"])
    assert index.documents.prepare_next()
    assert index.told == ["B"]
    assert index.hash_of("E@1") == sha256(texts["E"])
    index.prepare_all()
    assert index.told == ["B", "E", "D", "A", "C"]
    assert not index.documents.prepare_next()


def test_misfit_is_left_out() -> None:
    """A document that does not fit the schema is told when it is found, once, and is an unknown id
    from then on; the others are there."""
    index = Index({"a1": BROKEN, "a2": ITEM}, {"b1": BROKEN})
    found = index.documents
    assert (len(found), index.problems) == (2, [])
    assert found.by_id("b1") is None
    assert (len(found), found.is_pending("a1")) == (1, False)
    assert [found.by_id("a1"), found.by_id(sha256(BROKEN)), found.by_key(key(BROKEN))] == [None] * 3
    assert found.by_id("a2") is not None
    index.prepare_all()
    (problem,) = index.problems
    assert (problem.release, problem.document_id, problem.left_out) == ("7.0.0+1", "a1", True)
    assert "Cannot query field 'nothing'" in problem.message
    assert "(line 1, column 16)" in problem.message


@pytest.mark.parametrize("text", ["query A { a: }", 'query A { a(b: "\\q") }', "query A { }"])
def test_bad_grammar_is_left_out(text: str) -> None:
    """A text that only looks like an operation costs itself, not the start, and says where."""
    index = Index({"a1": text, "a2": ITEM})
    index.prepare_all()
    assert (len(index.documents), index.hash_of("a1")) == (1, None)
    assert "(line 1, column " in index.problems[0].message


def test_who_is_told_may_refuse() -> None:
    """A document refused by who is told of it is left out like one that does not fit."""
    index = Index({"a1": HOME, "a2": ITEM})
    index.refused.add("Home")
    assert index.hash_of("a1") == sha256(HOME)
    index.prepare_all()
    assert index.documents.ready("a1") is None
    assert index.hash_of("a1") is None
    assert [one.message for one in index.problems] == ["Home: cannot be compiled"]
    assert len(index.documents) == 1


@pytest.mark.parametrize("all_prepared", [True, False])
def test_older_release_keeps_an_id(all_prepared: bool) -> None:
    """One id for two texts in two releases stays with the older app, and is told in the end."""
    index = Index({"a1": HOME}, {"a1": ITEM})
    if all_prepared:
        index.prepare_all()
    assert index.hash_of("a1") == sha256(HOME)
    assert index.documents.by_id(sha256(ITEM)) is not None
    index.prepare_all()
    (problem,) = index.problems
    assert (problem.release, problem.document_id, problem.left_out) == ("7.1.0+1", "a1", True)


def test_misfit_keeps_no_id() -> None:
    """An id whose older text does not fit the schema means the newer one, and nobody lost it."""
    index = Index({"a1": BROKEN}, {"a1": ITEM})
    assert index.hash_of("a1") == sha256(ITEM)
    index.prepare_all()
    assert index.hash_of("a1") == sha256(ITEM)
    assert [problem.release for problem in index.problems] == ["7.0.0+1"]


def test_own_hash_beats_a_false_one() -> None:
    """An id that claims another document's hash does not take that document's place."""
    index = Index({sha256(ITEM): HOME}, {"b1": ITEM})
    assert index.hash_of(sha256(ITEM)) == sha256(ITEM)
    index.prepare_all()
    assert [problem.document_id for problem in index.problems] == [sha256(ITEM)]


def test_layouts_of_one_document_stay_apart() -> None:
    """Two layouts of one document are found by their own ids; a third is the older one."""
    third = HOME_AGAIN.replace("# the same", "# once more")
    index = Index({"a1": HOME}, {"b1": HOME_AGAIN})
    assert (index.hash_of("a1"), index.hash_of("b1")) == (sha256(HOME), sha256(HOME_AGAIN))
    known = index.documents.by_key(key(third))
    assert known is not None
    assert known.hash == sha256(HOME)


def test_largest_document_is_known() -> None:
    """The number of tokens of the largest document is known, to admit its text."""
    assert Index({"a1": "query A { numbers }"}).documents.most_tokens == 5
