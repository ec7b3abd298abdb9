"""Rules, dashboard and runbook speak of metrics, labels and values that the code has.

Expressions are read by patterns, not by a PromQL parser: metrics with their matchers and the labels
they are grouped by are all that can go stale here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import yaml

from tests.contract import docs
from tests.contract.deploy import DEPLOY

RULES = DEPLOY / "alerts" / "facet.yaml"
DASHBOARD = DEPLOY / "dashboards" / "facet.json"
RUNBOOK = (DEPLOY / "RUNBOOK.md").read_text(encoding="utf-8")
# Prometheus's own, and labels that it puts on everything.
ITS_OWN = {"up": ()}
ON_EVERYTHING = ("job", "instance", "le")
_SELECTOR = re.compile(r"\b((?:facet|core_service)_\w+|up)\b(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPED = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
# Faults that the issue names, each a heading of the runbook.
FAULTS = (
    "A service is down",
    "A service is slow",
    "Redis is down",
    "A database is down, slow or full",
    "Overload",
    "Rate limits",
    "A breaker is open",
    "Retries are spent",
    "The cache does not help",
    "Sections are stale",
    "A worker ends",
    "Clocks run apart",
    "The certificate",
    "A disk is full",
    "The registry is gone",
    "Writes pile up",
    "Stopping",
)


@dataclass(frozen=True)
class Expression:
    """PromQL and where it stands."""

    where: str
    text: str

    def selectors(self) -> Iterator[tuple[str, list[tuple[str, str, str]]]]:
        """Each metric with its matchers: (label, operator, value)."""
        # Labels in groups may look like metrics.
        for name, matchers in _SELECTOR.findall(_GROUPED.sub("", self.text)):
            yield name, _MATCHER.findall(matchers)

    def groups(self) -> set[str]:
        return {
            label.strip() for found in _GROUPED.findall(self.text) for label in found.split(",")
        }


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> list[Expression]:
    """Of every rule and every panel; what is chosen in the dashboard matches anything."""
    found = [Expression(rule["alert"], rule["expr"]) for rule in rules()]
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel.get("targets", ()):
            found.append(Expression(panel["title"], target["expr"].replace("$platform", ".*")))
    return found


def wrong(expression: Expression) -> Iterator[str]:
    """Metrics, labels and values in it that do not exist."""
    known = {**docs.metrics(), **ITS_OWN}
    labels: set[str] = set(ON_EVERYTHING)
    for name, matchers in expression.selectors():
        if name not in known:
            yield f"{expression.where}: no metric {name}"
            continue
        labels |= {*known[name]}
        for label, operator, value in matchers:
            if label not in {*known[name], *ON_EVERYTHING}:
                yield f"{expression.where}: {name} has no label {label}"
            elif label not in ON_EVERYTHING:
                yield from _wrong_values(expression, label, operator, value)
    if (without := expression.groups() - labels - {""}) and list(expression.selectors()):
        yield f"{expression.where}: grouped by {', '.join(sorted(without))}"


def _wrong_values(expression: Expression, label: str, operator: str, value: str) -> Iterator[str]:
    for one in value.split("|") if "~" in operator else [value]:
        if one not in words() and not any(map(re.compile(one).fullmatch, words())):
            yield f"{expression.where}: nothing has {label} {one!r}"


@cache
def words() -> set[str]:
    """Every value a label may have: texts of the code, and statuses. Events of the registry are put
    together from two."""
    kinds = ("gone", "missing", "damaged", "signature", "forked")
    return {*docs._literals(), *(f"registry_{kind}" for kind in kinds), "500", "503"}


@pytest.mark.parametrize("expression", expressions(), ids=lambda one: one.where)
def test_expressions_speak_of_what_exists(expression: Expression) -> None:
    """Every metric, label and value of a rule or panel is one that the code has."""
    assert list(wrong(expression)) == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("rate(facet_request_total[5m])", "no metric facet_request_total"),
        ('facet_in_flight{platform="ios"}', "facet_in_flight has no label platform"),
        ('facet_requests_total{outcome="fine"}', "nothing has outcome 'fine'"),
        (
            'facet_events_total{event=~"store_failed|store_broke"}',
            "nothing has event 'store_broke'",
        ),
        ("sum by (service) (facet_in_flight)", "grouped by service"),
    ],
)
def test_stale_expressions_are_found(text: str, said: str) -> None:
    """The check above can fail: each kind of mistake is found."""
    assert list(wrong(Expression("x", text))) == [f"x: {said}"]


def anchors() -> set[str]:
    """What can be linked to in the runbook."""
    titles = re.findall(r"^## (.+)$", RUNBOOK, re.M)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


def test_every_alert_leads_somewhere() -> None:
    """An alert has a severity, words for a person, a section of the runbook, and its own name."""
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["summary"]
        page, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert page == "RUNBOOK.md"
        assert anchor in anchors(), rule["alert"]


def test_every_fault_has_its_section() -> None:
    """The runbook has every fault by name, with what is seen and what to do."""
    sections = dict(re.findall(r"^## (.+)\n([\s\S]*?)(?=^## |\Z)", RUNBOOK, re.M))
    for fault in FAULTS:
        assert fault in sections
        if fault != "Stopping":
            assert "**Seen:**" in sections[fault], fault
            assert "**Do:**" in sections[fault], fault
            metrics = re.search(r"`(facet|core_service)_\w+", sections[fault])
            assert metrics, fault


def test_every_metric_is_on_the_dashboard_or_alerts() -> None:
    """No metric is counted that nobody would see: each is on the dashboard, in a rule or explained
    in the runbook."""
    seen = {name for one in expressions() for name, _ in one.selectors()}
    told = set(re.findall(r"\b(?:facet|core_service)_\w+", RUNBOOK))
    families = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in seen | told}
    all_of_them = {re.sub(r"_(bucket|sum|count|total|created)$", "", n) for n in docs.metrics()}
    assert all_of_them - families == set()


def test_the_dashboard_is_one() -> None:
    """Panels have ids of their own, do not overlap, and all read the source that is chosen."""
    panels = json.loads(DASHBOARD.read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        at = panel["gridPos"]
        place = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not taken & place, panel["title"]
        taken |= place
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == "${datasource}"
