"""Compiled plans complete every leaf value as graphql-core does: value, type and error."""

from __future__ import annotations

import pytest

from tests.compiler.leaf_table import KINDS, PLACES, differences
from tests.compiler.leaves import EDGES, LEAVES
from tests.compiler.subject import Subject

BUILT_IN = ("Int", "Float", "String", "Boolean", "ID")
# One of each kind of leaf type; `make verify` takes them all.
SHORT = (
    *BUILT_IN,
    *("own Colour", "own LevelMember", "own Strict", "own Odd", "strawberry Level"),
)
USUAL = ("attribute", "awaitable", "resolver", "async resolver", "loader")
CASES = [
    pytest.param(leaf, kind, marks=() if leaf in SHORT and kind in USUAL else pytest.mark.verify)
    for leaf in LEAVES
    for kind in KINDS
]


@pytest.mark.parametrize(("leaf", "kind"), CASES)
async def test_leaf_values_equal_core(leaf: str, kind: str) -> None:
    """One leaf type, values coming in one way: equal in every place, for every edge value, and
    from a compiled plan."""
    subject = Subject()
    ran, fell_back = subject.compiled, sum(subject.parts.values())
    assert await differences(subject.executor, LEAVES[leaf], kind) == []
    assert subject.compiled == ran + len(PLACES), subject.whole
    assert sum(subject.parts.values()) == fell_back


def test_table_covers_its_axes() -> None:
    """The table holds the built-in scalars and enough edge values."""
    assert set(BUILT_IN) <= set(SHORT) <= LEAVES.keys()
    assert len(EDGES) >= 40
