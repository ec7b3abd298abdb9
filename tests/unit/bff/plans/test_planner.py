"""From an operation to its plan: what graphql-core would select is what is planned."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import OperationDefinitionNode, parse

from bff import config as settings_module
from bff.app import load_schema
from bff.plans.execute import graphql_schema
from bff.plans.model import Plan
from bff.plans.planner import compile_alone

SCHEMA = graphql_schema(load_schema(settings_module.load().platforms["ios"]))
CARD = "AccountCardByIdLoader"


def plan(text: str, **variables: Any) -> Plan:
    document = parse(text)
    operations = [d for d in document.definitions if isinstance(d, OperationDefinitionNode)]
    return compile_alone(SCHEMA, document, operations[0], variables).plan


def loaders(made: Plan) -> list[tuple[str, int]]:
    return [(wave.loader, wave.level) for wave in made.waves()]


def test_plain_fields_cost_nothing() -> None:
    """A screen without batch fields makes no call."""
    assert plan("{ content(id: 1) { id __typename } }").calls == 0


def test_types_of_a_union_share_a_wave() -> None:
    """The same field on every type a value may have is one call, with a step for each type."""
    made = plan("{ home { feed { entries { item { ... on Item { author { id } } } } } } }")
    assert loaders(made) == [("FeedPageByPageLoader", 1), (CARD, 2)]
    (cards,) = [wave for wave in made.waves() if wave.loader == CARD]
    assert [step.path for step in cards.steps] == [
        "home.feed.entries[].item.author (Article)",
        "home.feed.entries[].item.author (Video)",
        "home.feed.entries[].item.author (Collection)",
    ]


def test_skipped_branch_is_not_planned() -> None:
    """@skip and @include decide by the variables given; unknown ones count as included."""
    text = "query ($no: Boolean!) { home { viewer { id } inbox @include(if: $no) { unread } } }"
    assert loaders(plan(text, no=False)) == [(CARD, 1)]
    assert len(loaders(plan(text, no=True))) == len(loaders(plan(text))) == 2


def test_merged_fields_are_one_step() -> None:
    """A field selected twice, directly and through a fragment, is asked for once."""
    text = "{ home { viewer { id } ...A } } fragment A on HomeScreen { viewer { handle } }"
    (wave,) = plan(text).waves()
    assert len(wave.steps) == 1


def test_aliases_are_steps_of_one_wave() -> None:
    """Two aliases of one batch field are two steps that share a call."""
    made = plan("{ home { a: inbox(first: 1) { unread } b: inbox(first: 2) { unread } } }")
    (wave,) = made.waves()
    assert [step.path for step in wave.steps] == ["home.a (HomeScreen)", "home.b (HomeScreen)"]


def test_mutation_fields_are_groups() -> None:
    """Root fields of a mutation run one after another: a loader is called for each."""
    text = """mutation ($i: SignInInput!) {
      a: signIn(input: $i) { account { id } }
      b: signIn(input: $i) { account { id } }
    }"""
    made = plan(text)
    assert [group.name for group in made.groups] == ["a", "b"]
    assert (made.calls, made.levels) == (2, 2)


@pytest.mark.parametrize(
    "feed",
    ["feed @skip(if: $x)", "feed @include(if: $x)", "feed @include(if: $x) @skip(if: $y)"],
)
@pytest.mark.parametrize("default", ["", " = false", " = true"])
def test_nothing_is_planned_too_small(feed: str, default: str) -> None:
    """What a variable may select is planned, whichever way round and whatever its default."""
    declared = f"$x: Boolean!{default}, $y: Boolean!{default}"
    text = f"query ({declared}) {{ home {{ {feed} {{ hasMore }} }} }}"
    assert loaders(plan(text)) == [("FeedPageByPageLoader", 1)]
