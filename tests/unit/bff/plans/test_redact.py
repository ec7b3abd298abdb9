"""Redaction: of a pair that differs its shape stays, and of no viewer a word."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from graphql import parse

from bff.plans.redact import PairFiles, Redactor, keys_of
from bff.plans.verdict import Entry, Side

DOCUMENT = parse(
    "query ($given: ID) { home { ...F } list: inbox } fragment F on Home { unread name }"
)


def test_keys_come_from_the_document() -> None:
    """Response keys, fragments' and aliases' included, and variables."""
    assert keys_of(DOCUMENT) == {"home", "list", "unread", "name", "given"}


def test_values_become_type_and_hash() -> None:
    """No value stays; equal ones look equal, and others do not."""
    redactor = Redactor(keys_of(DOCUMENT))
    data = {"home": {"name": "Ada", "unread": 1}, "list": ["Ada", 1, True, 1.0, "1", None]}
    found = redactor.value(data)
    name, unread = found["home"]["name"], found["home"]["unread"]
    assert name.startswith("str(3)#")
    assert unread.startswith("int#")
    assert found["list"][:2] == [name, unread]
    assert found["list"][5] is None
    assert len({*found["list"]}) == 6
    assert "Ada" not in json.dumps(found)


def test_hashes_lead_nowhere() -> None:
    """In another pair the same value looks otherwise: nobody can try out what it was."""
    assert Redactor(frozenset()).value(True) != Redactor(frozenset()).value(True)


def test_keys_inside_a_value_go() -> None:
    """A scalar may be a mapping whose keys are data, in answers and in paths."""
    redactor = Redactor(keys_of(DOCUMENT))
    (name,) = redactor.value({"Ada": 1})
    assert name.startswith("key#")
    assert redactor.path(("home", 3, "Ada")) == ["home", 3, name]


def test_errors_keep_place_and_code() -> None:
    """Path, locations, code and class stay; words and what else is told go."""
    error = Entry("Ada is gone", ("home", 0), ((1, 2),), "{'x': 'Ada'}", "NOT_FOUND", "NotFound")
    found = Redactor(keys_of(DOCUMENT)).side(Side(None, (error,), frozenset()))
    assert found["data"] is None
    (shown,) = found["errors"]
    assert (shown["path"], shown["locations"]) == (["home", 0], [{"line": 1, "column": 2}])
    assert (shown["code"], shown["cause"]) == ("NOT_FOUND", "NotFound")
    assert "Ada" not in json.dumps(found)


def test_keys_of_loaders_are_hashed() -> None:
    """Which loader is told, which key is not."""
    (found,) = Redactor(frozenset()).keys([(Path, "Ada")])
    assert found.startswith("Path: str(3)#")


def test_newest_files_stay(tmp_path: Path) -> None:
    """So many files at most, and nobody else's are touched; only the owner may read them."""
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "mine.json").write_text("{}")
    files = PairFiles(tmp_path / "kept", most=3)
    names = [files.keep({"number": number}) for number in range(5)]
    assert {one.name for one in (tmp_path / "kept").iterdir()} == {*names[2:], "mine.json"}
    newest = tmp_path / "kept" / names[-1]
    assert json.loads(newest.read_text()) == {"number": 4}
    assert newest.stat().st_mode & 0o777 == 0o600


def test_unusable_directory_is_an_error(tmp_path: Path) -> None:
    """What cannot be written is told to the caller."""
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="exists"):
        PairFiles(tmp_path / "file").keep({})
