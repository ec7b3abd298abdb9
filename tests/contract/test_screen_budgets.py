"""Every screen of the sample apps has a reviewed budget, and is within it as far as can be said
without running it."""

from __future__ import annotations

import pytest
from graphql import parse

from bff import config as settings_module
from bff.commands.plan import newest
from bff.documents.limits import Measure
from persisted_queries.budgets import BUDGETS, read_budgets
from tests.contract.schemas import schema_of

PLATFORMS = settings_module.load().platforms


@pytest.mark.parametrize("platform", PLATFORMS)
def test_every_screen_has_a_budget(platform: str) -> None:
    """Bytes, depth and cost of each query of the newest release; none for what is gone. Bytes are
    held over the running product (tests/e2e/test_publish_budget.py)."""
    config = PLATFORMS[platform]
    budgets = read_budgets(config.releases.parent / BUDGETS).operations
    queries = {one.name: one for one in newest(platform, config) if one.type == "query"}
    assert budgets.keys() == queries.keys()
    measure = Measure(schema_of(platform), free_introspection=False)
    for name, operation in queries.items():
        ((_, size),) = measure(parse(operation.body)).operations
        budget = budgets[name]
        assert budget.bytes
        assert budget.depth
        assert budget.cost
        assert size.depth <= budget.depth
        assert size.cost <= budget.cost
        # One that is never reached protects nothing.
        assert budget.cost <= 1.1 * size.cost
