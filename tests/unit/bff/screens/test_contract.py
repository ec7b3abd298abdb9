"""The contract of an operation is read off its document: deadline, sections, budgets, priority."""

from __future__ import annotations

import strawberry
from graphql import FragmentDefinitionNode, OperationDefinitionNode, parse
from graphql.execution.collect_fields import FragmentDetails
from graphql.execution.values import VariableValues

from bff.contract import Screen, ScreenPriority, Section, describe
from bff.plans.execute import graphql_schema
from bff.plans.planner import compile_alone
from bff.request import Priority
from bff.screens.contract import MOST_TOLD, NO_CONTRACT, ScreenContract, contract_of, pattern_of
from tests.unit.bff.screens.screen_world import SCHEMA as WORLD


@strawberry.type
class Part:
    word: str | None = strawberry.field(resolver=lambda: "word", directives=[Section(budget_ms=50)])

    again: Part | None = strawberry.field(
        resolver=lambda: None, directives=[Section(budget_ms=200)]
    )


def _part() -> Part:
    return Part()


@strawberry.type
class Query:
    quick: Part = strawberry.field(
        resolver=_part,
        directives=[Screen(deadline_ms=300, priority=ScreenPriority.BACKGROUND)],
    )
    slow: Part = strawberry.field(
        resolver=_part,
        directives=[Screen(deadline_ms=900, priority=ScreenPriority.PREFETCH)],
    )
    plain: str = strawberry.field(resolver=lambda: "plain")


SCHEMA = graphql_schema(strawberry.Schema(Query))


def read(text: str, schema: object = SCHEMA, **variables: object) -> ScreenContract:
    document = parse(text)
    (operation,) = (n for n in document.definitions if isinstance(n, OperationDefinitionNode))
    fragments = {
        node.name.value: FragmentDetails(node)
        for node in document.definitions
        if isinstance(node, FragmentDefinitionNode)
    }
    return contract_of(schema, operation, fragments, VariableValues({}, variables))  # type: ignore[arg-type]


def test_sections_are_in_document_order() -> None:
    """By their keys in the answer, fragments included, each with the shortest budget around it."""
    text = "{ quick { a: word ...P } } fragment P on Part { again { again { word } } }"
    contract = read(text)
    assert [(one.path, one.shortest_s) for one in contract.sections] == [
        ("quick.a", 0.05),
        ("quick.again", 0.2),
        ("quick.again.again", 0.2),
        ("quick.again.again.word", 0.05),
    ]
    assert contract.sections[2].above is contract.sections[1]
    assert [seconds for seconds, _ in contract.budgets] == [0.05, 0.05, 0.2, 0.2]


def test_lists_and_types_are_in_paths() -> None:
    """Places of a list share one path; a union's types are all followed."""
    contract = read("{ home { feed { posts { ... on Post { author { best { id } } } } } } }", WORLD)
    assert [one.path for one in contract.sections] == [
        "home.feed",
        "home.feed.posts[].author.best",
    ]
    assert contract.sections[0].loads == {"posts.feed", "people.person"}
    assert contract.sections[1].loads == {"posts.post"}
    assert pattern_of(["home", "feed", "posts", 3, "author"]) == "home.feed.posts[].author"


def test_shortest_deadline_holds() -> None:
    """Of several screens in one operation; one that is skipped counts for nothing."""
    assert read("{ quick { __typename } slow { __typename } }").deadline_s == 0.3
    text = "query($no: Boolean!) { quick @include(if: $no) { __typename } slow { __typename } }"
    assert read(text, no=False).deadline_s == 0.9


def test_nothing_declared_is_no_contract() -> None:
    """Neither a deadline nor a section."""
    assert read("{ plain __typename }") is NO_CONTRACT


def test_compiled_text_knows_no_sections() -> None:
    """What is declared changes nothing of the text of a plan: it costs where time is up alone."""

    def source(*directives: object) -> str:
        part = strawberry.field(
            resolver=lambda: Part(), graphql_type=Part | None, directives=directives
        )
        home = strawberry.type(type("Home", (), {"part": part}))
        root = strawberry.field(resolver=lambda: home(), graphql_type=home)
        schema = graphql_schema(
            strawberry.Schema(strawberry.type(type("Query", (), {"home": root})))
        )
        document = parse("{ home { part { a: again { __typename } } } }")
        (operation,) = document.definitions
        assert isinstance(operation, OperationDefinitionNode)
        return compile_alone(schema, document, operation, {}).source

    assert source() == source(Section(critical=True, budget_ms=10))


def test_told_sections_are_bounded() -> None:
    """However many places an operation names, so many sections are told of."""
    inner = "word"
    for depth in range(8):
        inner = f"a{depth}: again {{ {inner} }} b{depth}: again {{ {inner} }}"
    assert len(read(f"{{ quick {{ {inner} }} }}").sections) == MOST_TOLD


def test_most_urgent_priority_counts() -> None:
    """An operation is as urgent as its most urgent screen; undeclared is nothing said."""
    text = "query A { quick { word } slow { word } } query B { plain }"
    both, none = describe(SCHEMA, parse(text))
    assert both.priority is Priority.PREFETCH
    assert none.priority is None
