"""A schema whose screens promise what cannot be held is refused when it is loaded."""

from __future__ import annotations

from typing import Any

import pytest
import strawberry

from bff.contract import Screen, Section, SectionFallback
from bff.errors import ConfigError
from bff.plans.execute import Executor, graphql_schema

EMPTY = SectionFallback.EMPTY


@strawberry.type
class Strict:
    word: str


@strawberry.type
class Loose:
    word: str | None
    words: list[str]


def _schema(annotation: Any, section: Section, screen: Screen | None = None) -> Any:
    field = strawberry.field(resolver=lambda: None, directives=[section], graphql_type=annotation)
    home = type("Home", (), {"part": field})
    made = strawberry.type(home)
    root = strawberry.field(
        resolver=lambda: made(), graphql_type=made, directives=[screen or Screen()]
    )
    return graphql_schema(strawberry.Schema(strawberry.type(type("Query", (), {"home": root}))))


@pytest.mark.parametrize(
    ("annotation", "section", "words"),
    [
        (str, Section(), "Home.part has @section and cannot be null; make it nullable"),
        (Strict | None, Section(fallback=EMPTY), r"Home.part has @section\(fallback: EMPTY\)"),
        (str | None, Section(fallback=EMPTY), "its type has no empty value"),
        (str | None, Section(budget_ms=0), r"Home.part @section\(budgetMs\) is 0; write 1 to"),
        (str | None, Section(budget_ms=60_001), "is 60001; write 1 to 60000 ms"),
    ],
)
def test_impossible_sections_are_refused(annotation: Any, section: Section, words: str) -> None:
    """The message names the field, what is wrong with it, and a way out."""
    with pytest.raises(ConfigError, match=words):
        Executor(_schema(annotation, section), hide_suggestions=True)


@pytest.mark.parametrize("annotation", [list[str] | None, Loose | None, list[Strict] | None])
def test_empty_values_are_known(annotation: Any) -> None:
    """Lists have one, and objects whose fields are all nullable or lists."""
    Executor(_schema(annotation, Section(fallback=EMPTY)), hide_suggestions=True)


def test_impossible_screens_are_refused() -> None:
    """A deadline has to be one, and a screen is a root field."""
    with pytest.raises(ConfigError, match=r"Query.home @screen\(deadlineMs\) is -1"):
        Executor(_schema(str | None, Section(), Screen(deadline_ms=-1)), hide_suggestions=True)
    field = strawberry.field(resolver=lambda: None, graphql_type=str | None, directives=[Screen()])
    inner = strawberry.type(type("Inner", (), {"part": field}))
    root = strawberry.field(resolver=lambda: inner(), graphql_type=inner)
    query = strawberry.type(type("Query", (), {"inner": root}))
    with pytest.raises(ConfigError, match=r"Inner.part has @screen and is no root field"):
        Executor(graphql_schema(strawberry.Schema(query)), hide_suggestions=True)


def test_writes_are_no_sections() -> None:
    """What a mutation does cannot be given up."""
    write = strawberry.mutation(
        resolver=lambda: None, graphql_type=str | None, directives=[Section()]
    )
    query = strawberry.type(
        type("Query", (), {"a": strawberry.field(resolver=lambda: "a", graphql_type=str)})
    )
    mutation = strawberry.type(type("Mutation", (), {"write": write}))
    with pytest.raises(ConfigError, match=r"Mutation.write has @section and is a write"):
        Executor(graphql_schema(strawberry.Schema(query, mutation)), hide_suggestions=True)
