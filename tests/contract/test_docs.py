"""What the documentation names exists, and what exists in closed lists is documented."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bff.edge.statuses import STATUSES
from bff.errors import (
    FacetError,
    FieldError,
    InternalError,
    RequestError,
    Unauthenticated,
    UpstreamUnavailable,
)
from tests.contract import docs
from tests.contract.docs import Page
from tests.contract.sizes import ROOT

PAGES = docs.pages()
Check = Callable[[Page], Iterator[str]]

# Each checker with a sentence that it must find wrong, and one that it must not.
CHECKS: list[tuple[Check, str, str]] = [
    (docs.wrong_paths, "see `bff/pipelines.py`", "see `bff/pipeline.py`, `schema/<platform>`"),
    (docs.wrong_paths, "see `schemas/ios`", "send `application/json` to `/graphql`"),
    (docs.wrong_links, "[here](docs/nothing.md)", "[here](docs/errors.md#reserved)"),
    (docs.wrong_make_verbs, "type `make tests`", "type `make test ARGS=-x`, make sure it runs"),
    (docs.wrong_commands, "type `bff upp`", "`bff up --once`, then `.venv/bin/bff token`"),
    (docs.wrong_commands, "type `bff up --twice`", "type `bff config check`"),
    (docs.wrong_commands, "```sh\nx $(bff token --port 1)\n```", "```sh\nx $(bff token)\n```"),
    (docs.wrong_commands, "`python -m core_services start content`", "`bff trace TRACE_ID`"),
    (docs.wrong_settings, "set `screens.deadline`", "set `upstreams.services.<name>.timeout_ms`"),
    (docs.wrong_settings, "`BFF__STORE__URL=x`", "`BFF__STORE__REDIS_URL=x`, `BFF__<ROOM>__<KEY>`"),
    (docs.wrong_settings, "`CONTENT__SIGNING_KEY_FILE`", "`ACCOUNTS__SIGNING_KEY_FILE`"),
    (docs.wrong_settings, "`BFF_MODE=production`", "`BFF_ENV=production`"),
    (docs.wrong_metrics, "`facet_request_total`", "`facet_requests_total`, `facet_…`"),
    (docs.wrong_metrics, '`facet_events_total{name="store_failed"}`', "`facet_upstream_seconds`"),
    (
        docs.wrong_metrics,
        '`facet_events_total{event="redis_failed"}`',
        '`facet_events_total{event="store_failed"}`',
    ),
    (
        docs.wrong_metrics,
        '`facet_refusals_total{code="NOPE"}`',
        '`facet_refusals_total{code="INTERNAL"}`',
    ),
    (docs.wrong_log_names, "see log `store_broken`", "see log `store_failed`, log `request`"),
    (docs.wrong_codes, "means `NOT_THERE`", "means `NOT_FOUND` or `CALLER_UNKNOWN`"),
]
CHECKERS = list(dict.fromkeys(check for check, _, _ in CHECKS))


def _codes(root: type[FacetError]) -> set[str]:
    """The codes of `root` and of every error below it that bff/errors.py defines."""
    found, pending = set(), [root]
    while pending:
        kind = pending.pop()
        pending += kind.__subclasses__()
        if kind.__module__ == "bff.errors" and "code" in vars(kind):
            found.add(kind.code)
    return found


def _errors() -> dict[str, dict[str, tuple[int, int]]]:
    page = next(page for page in PAGES if page.path == Path("docs/errors.md"))
    return docs.code_tables(page)


@pytest.mark.parametrize("check", CHECKERS, ids=lambda check: check.__name__)
def test_what_docs_name_exists(check: Check) -> None:
    """No page names a path, link, verb, option, setting, metric, log line or code in vain."""
    assert [problem for page in PAGES for problem in check(page)] == []


@pytest.mark.parametrize(("check", "wrong", "right"), CHECKS)
def test_checkers_find_seeded_mistakes(check: Check, wrong: str, right: str) -> None:
    """Each checker finds a mistake put there for it, and leaves a right sentence alone."""
    assert len(list(check(Page(Path("seeded.md"), wrong)))) == 1
    assert list(check(Page(Path("seeded.md"), right))) == []


def test_every_page_is_read() -> None:
    """The checks above look at the pages people are sent to."""
    read = {str(page.path) for page in PAGES}
    assert read >= {
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "deploy/RUNBOOK.md",
        "docs/clients.md",
        "docs/errors.md",
        "docs/decisions/README.md",
    }


def test_request_codes_have_their_statuses() -> None:
    """docs/errors.md lists every code that may refuse a request, with the statuses of the edge."""
    refused_by_access = {Unauthenticated.code, UpstreamUnavailable.code}
    expected = _codes(RequestError) | refused_by_access | {InternalError.code}
    assert _errors()["Request codes"] == {code: tuple(STATUSES[code]) for code in expected}


def test_field_codes_are_listed() -> None:
    """docs/errors.md lists every field code; beside data the status is 200 in both types."""
    expected = _codes(FieldError) | {InternalError.code}
    assert _errors()["Field codes"] == dict.fromkeys(expected, (200, 200))


def test_reserved_codes_are_listed() -> None:
    """The codes that have a status but no error yet are listed as reserved, all others as used."""
    reserved = STATUSES.keys() - _codes(FacetError)
    assert _errors().get("Reserved", {}) == {code: tuple(STATUSES[code]) for code in reserved}


def test_a_wrong_status_is_read() -> None:
    """The tables are really parsed: a changed status shows."""
    page = Page(
        Path("x.md"), "## Request codes\n\n| `NOT_FOUND` | 200 | 404 | Gone. | app | no |\n"
    )
    assert docs.code_tables(page) == {"Request codes": {"NOT_FOUND": (200, 404)}}


def test_every_make_verb_is_documented() -> None:
    """CONTRIBUTING.md lists all verbs of the Makefile."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `make ([a-z-]+)`", text, re.M)) == docs.make_verbs() - {"help"}


def test_every_metric_is_in_the_runbook() -> None:
    """An operator finds each metric of gateways and services in the runbook, under its own name."""
    text = (ROOT / "deploy" / "RUNBOOK.md").read_text(encoding="utf-8")
    shown = {name for name in docs.metrics() if not name.endswith(("_bucket", "_sum", "_count"))}
    assert {name for name in shown if name not in text} == set()


def test_decisions_are_whole() -> None:
    """Every decision is in the index and has context, decision, consequences and what was left."""
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text(encoding="utf-8")
    records = sorted(path for path in folder.glob("*.md") if path.name != "README.md")
    assert [path.name for path in records] == re.findall(r"\((\d{4}-[\w-]+\.md)\)", index)
    for path in records:
        parts = re.findall(r"^\*\*(\w+)\.\*\*", path.read_text(encoding="utf-8"), re.M)
        assert parts == ["Context", "Decision", "Consequences", "Rejected"], path.name


def test_readme_stays_short() -> None:
    """The README is read in one sitting: at most 200 lines."""
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 200
