"""Findings as annotations: one line each, whatever stands in a message."""

from __future__ import annotations

from pathlib import Path

import pytest

from bff.commands.findings import Finding, Place, annotated, counted, failed
from bff.commands.publish_output import Outcome


def test_annotation_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Line ends, and in properties commas and colons, are written as a code host reads them; files
    are told from the working folder."""
    monkeypatch.chdir(tmp_path)
    finding = Finding("error", "a: b, c", "50 %\nof it: all,", Place(tmp_path / "x,y.graphql", 7))
    assert list(annotated([finding])) == [
        "::error file=x%2Cy.graphql,line=7,col=1,title=a%3A b%2C c::50 %25%0Aof it: all,"
    ]
    elsewhere = Finding("notice", "t", "m", Place(Path("/elsewhere/z")))
    assert "file=/elsewhere/z,line=1," in next(iter(annotated([elsewhere])))


def test_only_errors_fail() -> None:
    """Warnings are told, and pass."""
    place = Place(Path("x"))
    assert not failed([Finding("warning", "t", "m", place), Finding("notice", "t", "m", place)])
    assert failed([Finding("warning", "t", "m", place), Finding("error", "t", "m", place)])


def test_terminals_are_left_alone() -> None:
    """Others' words move no cursor, hide nothing, and begin no line that a code host reads."""
    title, message = "x\x1b[2J\n::error::y", "a\u202eb\n  line é 漢"
    told = Finding("error", title, message, Place(Path("/f\r.json"))).as_text()
    assert told == "✗ /f\\r.json:1 x\\x1b[2J\\n::error::y: a\\u202eb\n  line é 漢"


def test_one_thing_is_no_plural() -> None:
    """One thing is told as one, none and many as several; so does the outcome of publishing."""
    assert [counted(n, "error") for n in (0, 1, 2000)] == ["0 errors", "1 error", "2,000 errors"]
    wrong = Finding("error", "Home", "is wrong", Place(Path("Home.graphql")))
    assert Outcome("ios 1.0+1", [wrong]).summary.startswith("ios 1.0+1: refused, 1 error;")
    assert Outcome("ios 1.0+1", documents=1).summary.startswith("ios 1.0+1: 1 document;")
