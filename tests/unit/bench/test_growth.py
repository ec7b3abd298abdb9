"""The growth figures' documents, and what they must answer."""

from __future__ import annotations

from pathlib import Path

import pytest
from graphql import parse, validate

from bff.plans.execute import graphql_schema
from persisted_queries.releases import read_releases
from tests.bench import growth_data
from tests.bench.growth_schema import schema


@pytest.mark.parametrize(
    "case",
    [growth_data.items(3), growth_data.levels(1), growth_data.levels(6), *growth_data.documents(2)],
    ids=lambda case: case.name,
)
def test_documents_fit_the_schema(case: growth_data.Case) -> None:
    """Every document is valid where it is to be registered."""
    assert validate(graphql_schema(schema), parse(case.text)) == []


def test_levels_are_chains() -> None:
    """Each level adds one node behind each of the ten."""
    nodes = growth_data.levels(3).data["grown"]["page"]["nodes"]
    assert len(nodes) == growth_data.WIDTH
    assert nodes[4]["next"]["next"]["id"] == f"n_{4 + 2 * growth_data.NEXT}"
    assert "next" not in nodes[4]["next"]["next"]


def test_release_registers_every_document(tmp_path: Path) -> None:
    """A gateway reads as many documents as were made, each once, by the hash of its text."""
    cases = [*growth_data.documents(3), growth_data.items(1), growth_data.items(2)]
    release, *others = read_releases(growth_data.write_release(tmp_path, cases), "growth")
    assert others == []
    found = {operation.id: operation.hash for operation in release.manifest.operations}
    assert list(found) == list(found.values())
    assert set(found) == {case.id for case in cases}
    assert len(found) == 4
