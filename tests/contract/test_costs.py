"""The apps' own operations, sent as unregistered text, are far from the limits of such text."""

from __future__ import annotations

import pytest
from graphql import parse

from bff import config
from bff.documents.limits import Measure, exceeded
from tests.contract.schemas import PLATFORMS, schema_of
from tests.contract.sizes import ROOT

ROOM = 3


def costs(platform: str) -> dict[str, int]:
    """What each operation in an app's source costs."""
    sources = sorted((ROOT / "persisted_queries" / platform / "operations").glob("*.graphql"))
    document = parse("\n".join(path.read_text(encoding="utf-8") for path in sources))
    found = Measure(schema_of(platform), free_introspection=False)(document)
    return {node.name.value: size.cost for node, size in found.operations if node.name}


@pytest.mark.parametrize("platform", PLATFORMS)
def test_costs_leave_room(platform: str) -> None:
    """Every operation costs at most a third of `documents.max_cost` and is within the other limits
    of unregistered text; `-s` shows the table."""
    limit = config.DocumentsConfig().max_cost
    found = costs(platform)
    for name, cost in sorted(found.items(), key=lambda one: -one[1]):
        print(f"{platform:8} {name:14} {cost:6} of {limit}")  # noqa: T201 - a table for people
        assert 0 < cost * ROOM <= limit
    sources = ROOT / "persisted_queries" / platform / "operations"
    fragments = (sources / "fragments.graphql").read_text(encoding="utf-8")
    measure = Measure(schema_of(platform), free_introspection=False)
    for path in sources.glob("*.graphql"):
        if path.name != "fragments.graphql":
            text = path.read_text(encoding="utf-8") + fragments
            assert exceeded(measure(parse(text)), config.DocumentsConfig()) == [], path.name


def test_a_large_page_is_found() -> None:
    """The check can fail: pages within pages cost more than there is."""
    text = "{ home { feed(first: 100000) { __typename } } }"
    found = Measure(schema_of("ios"), free_introspection=False)(parse(text))
    assert exceeded(found, config.DocumentsConfig())
