"""The real graphql-inspector and graphql-js say of every pair of schemas what our table says they
do; where our verdict is another, the table has the reason."""

from __future__ import annotations

import json
from typing import Any

import pytest

from persisted_queries.changes.model import Verdict
from tests.clients.node import Node
from tests.unit.persisted_queries.changes import graphql_js_cases, inspector_cases
from tests.unit.persisted_queries.changes.catalogues import (
    GRAPHQL_JS_BREAKING,
    GRAPHQL_JS_DANGEROUS,
    INSPECTOR,
)

pytestmark = [pytest.mark.clients, pytest.mark.timeout(300)]

CASES = (*inspector_cases.CASES, *graphql_js_cases.CASES)
BREAKING, DANGEROUS = graphql_js_cases.BREAKING_CASES, graphql_js_cases.DANGEROUS_CASES
LEVELS = {
    "BREAKING": Verdict.BREAKING,
    "DANGEROUS": Verdict.DANGEROUS,
    "NON_BREAKING": Verdict.SAFE,
}
# graphql-core 3.3 follows graphql-js 17; the pinned graphql-js is 16, which Node.js 20 runs.
SINCE_17 = frozenset({"INPUT_FIELD_DEFAULT_VALUE_CHANGE"})


@pytest.fixture(scope="module")
def compared(node: Node, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What both libraries found of every case, and the kinds they list."""
    pairs = tmp_path_factory.mktemp("changes") / "pairs.json"
    pairs.write_text(json.dumps([[case.before, case.after] for case in CASES]))
    found: dict[str, Any] = node.run_script("changes.mjs", PAIRS=str(pairs))
    assert len(found["found"]) == len(CASES)
    return found


def test_catalogues_are_as_pinned(compared: dict[str, Any]) -> None:
    """The libraries list exactly the kinds that our tables have cases for."""
    assert set(compared["listed"]["inspector"]) == INSPECTOR
    assert set(compared["listed"]["breaking"]) == GRAPHQL_JS_BREAKING
    assert set(compared["listed"]["dangerous"]) == GRAPHQL_JS_DANGEROUS - SINCE_17


def test_inspector_says_so(compared: dict[str, Any]) -> None:
    """graphql-inspector gives each of its pairs the verdict that the table says it gives."""
    wrong = []
    for case, found in zip(inspector_cases.CASES, compared["found"], strict=False):
        levels = {LEVELS[level] for kind, level in found["inspector"] if kind == case.listed}
        if levels != ({case.theirs} if case.theirs is not None else set()):
            wrong.append((case.listed, levels, case.theirs))
    assert not wrong


def test_graphql_js_says_so(compared: dict[str, Any]) -> None:
    """graphql-js finds each of its kinds in its pairs, breaking or dangerous as the table says."""
    own = compared["found"][len(inspector_cases.CASES) :]
    for case, found in zip(BREAKING, own, strict=False):
        assert case.listed in found["breaking"]
    for case, found in zip(DANGEROUS, own[len(BREAKING) :], strict=False):
        assert case.listed in found["dangerous"] or case.listed in SINCE_17


def test_breaking_for_them_is_never_safe(compared: dict[str, Any]) -> None:
    """Whatever either library calls breaking we do not call safe, but for directives that no
    document can hold."""
    for case, found in zip(CASES, compared["found"], strict=True):
        levels = {LEVELS[level] for _, level in found["inspector"]}
        if Verdict.BREAKING in levels or found["breaking"]:
            verdicts = {verdict for _, _, verdict in case.ours}
            assert verdicts != {Verdict.SAFE} or "DIRECTIVE_" in case.listed, case.listed
