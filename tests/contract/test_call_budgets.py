"""The planned upstream calls of every operation are the reviewed ones in `calls.yaml`."""

from __future__ import annotations

import pytest

from bff import config as settings_module
from bff.app import load_schema
from bff.commands.plan import compiled_of, planned_calls, read_budget
from bff.plans.execute import graphql_schema
from persisted_queries.bodies import own_hash
from persisted_queries.manifest import ManifestOperation

PLATFORMS = settings_module.load().platforms


@pytest.mark.parametrize("platform", PLATFORMS)
def test_calls_are_the_reviewed_ones(platform: str) -> None:
    """No operation of the newest release plans another number of calls than was reviewed; a change
    that means to runs `bff plan budget --write` and shows the figure in its diff."""
    config = PLATFORMS[platform]
    assert planned_calls(platform, config) == read_budget(config)


@pytest.mark.parametrize("platform", PLATFORMS)
def test_home_is_four_calls(platform: str) -> None:
    """Viewer, authors and actors share one call: home is feed, inbox head, cards and stats."""
    assert planned_calls(platform, PLATFORMS[platform])["Home"] == 4


def test_one_field_more_is_seen() -> None:
    """A field through another loader raises the planned number."""
    schema = graphql_schema(load_schema(PLATFORMS["ios"]))
    few = "query Few { content(id: 1) { item { ... on Item { title } } } }"
    more = "query More { content(id: 1) { item { ... on Item { stats { likes } } } } }"
    calls = [
        compiled_of(schema, ManifestOperation(name, name, "query", body, own_hash(body))).plan.calls
        for name, body in (("Few", few), ("More", more))
    ]
    assert calls == [1, 2]
