"""The change catalogues of graphql-inspector and graphql-js as the oracle of ours."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import build_schema
from graphql.utilities.find_schema_changes import (
    BreakingChangeType,
    DangerousChangeType,
    SafeChangeType,
    find_schema_changes,
)

from persisted_queries.changes.compare import compare
from persisted_queries.changes.model import Kind, Verdict
from tests.unit.persisted_queries.changes import graphql_js_cases, inspector_cases
from tests.unit.persisted_queries.changes.cases import Case
from tests.unit.persisted_queries.changes.catalogues import (
    GRAPHQL_JS_BREAKING,
    GRAPHQL_JS_DANGEROUS,
    GRAPHQL_JS_SAFE,
    INSPECTOR,
)

ALL = (*inspector_cases.CASES, *graphql_js_cases.CASES)
VERDICTS: dict[type, Verdict] = {
    BreakingChangeType: Verdict.BREAKING,
    DangerousChangeType: Verdict.DANGEROUS,
    SafeChangeType: Verdict.SAFE,
}


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.listed}-{case.verdict}")
def test_every_listed_kind_is_judged(case: Case) -> None:
    """Every listed kind of change is found, with coordinate and verdict, and nothing beside it."""
    found = compare(build_schema(case.before), build_schema(case.after))
    assert {(one.kind, one.coordinate, one.verdict) for one in found} == set(case.ours)
    assert all(one.message for one in found)
    assert all(bool(one.way_out) is (one.verdict is not Verdict.SAFE) for one in found)


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.listed}-{case.verdict}")
def test_schema_equals_itself(case: Case) -> None:
    """A schema compared with itself has no changes, whatever stands in it."""
    for sdl in (case.before, case.after):
        assert compare(build_schema(sdl), build_schema(sdl)) == ()


def test_tables_name_every_kind() -> None:
    """The tables have a case for each kind of both catalogues, and name no other."""
    assert {case.listed for case in inspector_cases.CASES} == INSPECTOR
    assert {case.listed for case in graphql_js_cases.BREAKING_CASES} == GRAPHQL_JS_BREAKING
    assert {case.listed for case in graphql_js_cases.DANGEROUS_CASES} == GRAPHQL_JS_DANGEROUS
    assert {case.listed for case in graphql_js_cases.SAFE_CASES} == GRAPHQL_JS_SAFE


def test_tables_use_every_kind_of_ours() -> None:
    """Each of our own kinds answers to something an oracle lists."""
    assert {kind for case in ALL for kind, _, _ in case.ours} == set(Kind)


def test_pinned_names_are_graphql_cores() -> None:
    """The names pinned for graphql-js are those graphql-core has."""
    assert {one.name for one in BreakingChangeType} == GRAPHQL_JS_BREAKING
    assert {one.name for one in DangerousChangeType} == GRAPHQL_JS_DANGEROUS
    assert {one.name for one in SafeChangeType} == GRAPHQL_JS_SAFE


@pytest.mark.parametrize("case", graphql_js_cases.CASES, ids=lambda case: case.listed)
def test_graphql_core_says_so(case: Case) -> None:
    """graphql-core gives each pair the kind and verdict the table says it gives."""
    found = find_schema_changes(build_schema(case.before), build_schema(case.after))
    verdicts = {VERDICTS[type(one.type)] for one in found if one.type.name == case.listed}
    if case.theirs is None:
        assert Verdict.SAFE not in verdicts
    else:
        assert verdicts == {case.theirs}


def row(lister: str, case: Case) -> str:
    """A difference as a row of the documentation's table."""
    theirs = case.theirs.lower() if case.theirs is not None else "listed, never so reported"
    return f"| {lister} {case.listed} | {theirs} | {case.verdict.lower()} | {case.why} |"


def test_documentation_lists_every_difference() -> None:
    """The page on schema changes has a row for each difference, and no other."""
    page = Path("docs/schema-changes.md").read_text("utf-8")
    written = [
        line for line in page.splitlines() if line.startswith(("| inspector", "| graphql-js"))
    ]
    listers = (("inspector", inspector_cases.CASES), ("graphql-js", graphql_js_cases.CASES))
    assert written == list(
        dict.fromkeys(row(name, case) for name, cases in listers for case in cases if case.why)
    )


@pytest.mark.parametrize("case", ALL, ids=lambda case: f"{case.listed}-{case.verdict}")
def test_every_difference_has_reason(case: Case) -> None:
    """Where our verdict is not the lister's the table says why, and nowhere else."""
    assert bool(case.why) is (case.theirs is not case.verdict)
