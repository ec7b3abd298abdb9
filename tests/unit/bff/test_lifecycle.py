"""bff/contract/lifecycle.py and what facts say of it: fields that end, or need a capability."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema, parse

from bff.contract import AlwaysAllowed, Ending, OperationFacts, Requires, Sunset, describe
from bff.contract.lifecycle import lifecycle_of
from bff.errors import ConfigError
from bff.plans.execute import graphql_schema


@strawberry.interface
class Item:
    title: str
    text: str | None = strawberry.field(
        deprecation_reason="Ask for title.",
        directives=[Sunset(after="2027-03-31", releases_below="8.0.0", since="2026-05-01")],
    )


@strawberry.type
class Article(Item):
    minutes: int = strawberry.field(
        directives=[Sunset(after="2027-01-31", releases_below="7.0.0+12")]
    )
    scene: str | None = strawberry.field(directives=[Requires(capability="ar")])


@strawberry.type
class Plain(Item):
    text: str | None = None


def _done() -> str:
    return "done"


@strawberry.type
class Query:
    item: Item | None = None
    article: Article | None = None
    plain: Plain | None = None


@strawberry.type
class Mutation:
    leave = strawberry.mutation(_done, graphql_type=str, directives=[AlwaysAllowed()])
    save = strawberry.mutation(_done, graphql_type=str, directives=[AlwaysAllowed(signed_in=True)])
    other = strawberry.mutation(_done, graphql_type=str)


def core(query: Any = Query, *types: Any) -> GraphQLSchema:
    return graphql_schema(strawberry.Schema(query, Mutation, types=types))


SCHEMA = core(Query, Article, Plain)


def facts(text: str) -> OperationFacts:
    (found,) = describe(SCHEMA, parse(text))
    return found


def test_endings_are_read() -> None:
    """Every field with @sunset is known by its coordinate, with dates as dates."""
    found = lifecycle_of(SCHEMA).endings
    assert set(found) == {"Item.text", "Article.text", "Article.minutes"}
    text = Ending(date(2027, 3, 31), "8.0.0", "Ask for title.", date(2026, 5, 1), True)
    assert found["Item.text"] == text
    assert found["Article.minutes"] == Ending(date(2027, 1, 31), "7.0.0+12", "", None, False)


def test_who_implements_a_field_may_forbid_its_null() -> None:
    """A field of an interface is as little null as it is in the strictest type that implements it:
    such a field can be neither browned out nor bound to a capability."""

    @strawberry.interface
    class Scene:
        depth: int | None = strawberry.field(directives=[Requires(capability="ar")])

    @strawberry.type
    class Strict(Item):
        text: str = ""

    @strawberry.type
    class Deep(Scene):
        depth: int = 1

    assert not lifecycle_of(core(Query, Strict)).endings["Item.text"].nullable
    with pytest.raises(ConfigError, match=r"Scene\.depth has @requires and cannot be null"):
        lifecycle_of(core(Query, Deep))


def test_needs_are_read() -> None:
    """Every field with @requires is known, and what the schema knows of capabilities."""
    found = lifecycle_of(SCHEMA)
    assert found.needs == {"Article.scene": "ar"}
    assert found.capabilities == {"ar"}


@pytest.mark.parametrize("given", [{"after": "soon"}, {"since": "2026-13-01"}])
def test_wrong_dates_stop_the_start(given: dict[str, str]) -> None:
    """A date that is none is found at the start, with the field and the way to write it."""

    @strawberry.type(name="Query")
    class Wrong:
        old: str | None = strawberry.field(
            directives=[Sunset(**{"after": "2027-01-31", "releases_below": "8", **given})]
        )

    with pytest.raises(ConfigError, match=r"Query\.old @sunset: .*2027-03-31"):
        lifecycle_of(core(Wrong))


def test_required_field_must_be_nullable() -> None:
    """A field that cannot be null cannot be kept from anybody alone."""

    @strawberry.type(name="Query")
    class Wrong:
        scene: str = strawberry.field(directives=[Requires(capability="ar")])

    with pytest.raises(ConfigError, match=r"Query\.scene has @requires"):
        lifecycle_of(core(Wrong))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ article { title } }", set()),
        ("{ article { text minutes } }", {"Article.text", "Article.minutes"}),
        ("{ item { text } }", {"Item.text"}),
        ("{ plain { text } }", {"Item.text"}),
        ("{ item { ... on Article { minutes } } }", {"Article.minutes"}),
        ("{ item { ...F } } fragment F on Item { ... on Article { old: minutes } }",
         {"Article.minutes"}),
        ("{ article @skip(if: true) { minutes @include(if: false) } }", {"Article.minutes"}),
    ],
)  # fmt: skip
def test_selected_endings_are_known(text: str, expected: set[str]) -> None:
    """An operation knows which ending fields it selects: under any name, in fragments, left out at
    run time or not; a field inherited from an interface ends with the interface's."""
    assert facts(text).sunsets == expected


@pytest.mark.parametrize(
    ("text", "allowed", "spares_token"),
    [
        ("mutation { leave }", True, True),
        ("mutation { save }", True, False),
        ("mutation { leave save }", True, False),
        ("mutation { leave other }", False, False),
        ("mutation { other }", False, False),
    ],
)
def test_verdict_and_token_are_spared_apart(text: str, allowed: bool, spares_token: bool) -> None:
    """A write that waited passes the gate and still needs its viewer; in company the strictest
    field counts."""
    found = facts(text)
    assert (found.always_allowed, found.spares_token) == (allowed, spares_token)
