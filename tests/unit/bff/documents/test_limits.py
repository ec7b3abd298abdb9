"""Promises of bff/documents/limits.py."""

import pytest
from graphql import OperationDefinitionNode, get_introspection_query, parse

from bff.config import DocumentsConfig
from bff.documents.limits import (
    ASSUMED_PAGE,
    CEILING,
    MAX_DIRECTIVES,
    MAX_NESTING,
    Size,
    exceeded,
    measure,
    unsafe,
)

FREE = DocumentsConfig(max_tokens=10**6, max_depth=10**6, max_aliases=10**6, max_cost=10**9)


def size(text: str, free_introspection: bool = False) -> Size:
    """The size of the first operation."""
    sizes = measure(parse(text), free_introspection).sizes
    return next(found for node, found in sizes if isinstance(node, OperationDefinitionNode))


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        ("{ a }", 1),
        ("{ a { b } c }", 2),
        ("{ a { ... { b { c } } } }", 3),
        ("{ a { ...F } } fragment F on T { b { c } }", 3),
        ("{ ...F } fragment F on T { ...G } fragment G on T { a }", 1),
        ("{ a { ...F } b { c { ...F } } } fragment F on T { d }", 3),
        ("{ ...Missing }", 0),
        ("{ a { ...F } } fragment F on T { b { ...F } }", 2),
    ],
)
def test_depth_follows_fragments(text: str, depth: int) -> None:
    """Depth is fields below fields, through fragments of both kinds; a cycle adds nothing."""
    assert size(text).depth == depth


@pytest.mark.parametrize(
    ("text", "aliases"),
    [
        ("{ a }", 0),
        ("{ x: a y: a { z: b } }", 3),
        ("{ x: a { ...F } y: a { ...F } } fragment F on T { z: b }", 4),
        ("{ ...F } fragment F on T { x: a ...F }", 1),
    ],
)
def test_aliases_count_where_spread(text: str, aliases: int) -> None:
    """An alias in a fragment counts once for every place the fragment is spread."""
    assert size(text).aliases == aliases


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ a }", 1),
        ("{ a { b c } }", 3),
        ("{ a(first: 10) { b c } }", 21),
        ("{ a(last: 3) { b(limit: 4) { c } } }", 16),
        ("{ a(other: 10) { b } }", 2),
        ("{ a(first: 0) { b } }", 2),
        ("{ a(first: -5) { b } }", 2),
        ("query Q($n: Int) { a(first: $n) { b } }", 1 + ASSUMED_PAGE),
        ("{ a(first: 10) { ...F } ...F } fragment F on T { b c }", 23),
        ("{ a(first: " + "9" * 5000 + ") { b } }", CEILING),
    ],
)
def test_cost_multiplies_page_sizes(text: str, cost: int) -> None:
    """Cost is one a field times the page sizes above it, fragments wherever they are spread."""
    assert size(text).cost == cost


def test_exponential_fragments_stay_cheap() -> None:
    """Fragments that double at each of 200 levels are measured, not expanded."""
    levels = (f"fragment F{n} on T {{ ...F{n + 1} ...F{n + 1} x: a }}" for n in range(200))
    found = size("{ ...F0 } " + " ".join(levels) + " fragment F200 on T { a }")
    assert (found.cost, found.aliases) == (CEILING, CEILING)


def test_introspection_is_free_in_development() -> None:
    """What development tools ask of the schema has no depth or cost; elsewhere it counts."""
    text = get_introspection_query()
    assert size(text, free_introspection=True)[0] == 1
    assert size(text, free_introspection=True).cost == 1
    assert size(text).depth > 12
    found = measure(parse(text), free_introspection=True)
    assert exceeded(found, DocumentsConfig()) == []


def test_introspection_hides_nothing_beside_it() -> None:
    """Free introspection frees neither the fields beside it nor the aliases below it."""
    found = size("{ __schema { x: types { name } } a { b { c } } }", free_introspection=True)
    assert (found.depth, found.cost, found.aliases) == (3, 4, 1)


@pytest.mark.parametrize(
    ("text", "config", "problem"),
    [
        ("{ a { b } }", {"max_depth": 1}, "has depth 2, 1 is the limit"),
        ("{ x: a y: a }", {"max_aliases": 1}, "has 2 aliases, 1 is the limit"),
        ("{ a b c }", {"max_cost": 2}, "has cost 3, 2 is the limit"),
        ("{ a b c }", {"max_tokens": 4}, "has more than 4 tokens"),
    ],
)
def test_limit_is_named_and_placed(text: str, config: dict[str, int], problem: str) -> None:
    """Beyond a limit the error names it and the operation's place; at the limit there is none."""
    found = measure(parse("\n  " + text), free_introspection=False)
    (error,) = exceeded(found, FREE.model_copy(update=config))
    assert problem in error["message"]
    assert error["locations"][0]["line"] in (1, 2)
    raised = {key: value + 1 for key, value in config.items()}
    assert exceeded(found, FREE.model_copy(update=raised)) == []


def test_every_exceeded_limit_is_told() -> None:
    """One answer tells all limits of all operations at once."""
    found = measure(parse("query A { x: a { b } } query B { x: a { b } }"), False)
    tight = DocumentsConfig(max_depth=1, max_cost=1)
    assert len(exceeded(found, tight)) == 4


def test_directives_are_bounded() -> None:
    """One directive more than allowed is refused where it stands."""
    allowed = "{ a " + "@d " * MAX_DIRECTIVES + "}"
    assert exceeded(measure(parse(allowed), False), FREE) == []
    (error,) = exceeded(measure(parse(allowed[:-1] + "\n@d }"), False), FREE)
    assert error["locations"] == [{"line": 2, "column": 1}]


def test_comments_are_no_tokens() -> None:
    """A well-commented document has no more tokens than a bare one."""
    assert measure(parse("# x\n{ a # y\n}"), False).tokens == 3


@pytest.mark.parametrize(
    "text",
    [
        "{ a" * (MAX_NESTING + 1) + "}" * (MAX_NESTING + 1),
        "{ a(b: " + "[" * MAX_NESTING + "]" * MAX_NESTING + ") }",
        "{ a(b: " + "{c: " * MAX_NESTING + "1" + "}" * MAX_NESTING + ") }",
        "query Q($a: " + "[" * MAX_NESTING + "T" + "]" * MAX_NESTING + ") { a }",
        "{ ...F0 }"
        + "".join(f"fragment F{n} on T {{ ...F{n + 1} }}" for n in range(MAX_NESTING))
        + f"fragment F{MAX_NESTING} on T {{ a }}",
        "{ ...F0 }"
        + "".join(
            f"fragment F{n} on T {{ ... {{ ...F{n + 1} }} }}" for n in range(MAX_NESTING // 2)
        )
        + f"fragment F{MAX_NESTING // 2} on T {{ a }}",
    ],
    ids=["selections", "lists", "objects", "types", "fragments", "inline fragments"],
)
def test_nesting_is_unsafe_for_all(text: str) -> None:
    """What nests too deeply for Python's stack is refused, registered or not."""
    (error, *_) = unsafe(measure(parse(text), False))
    assert "nests" in error["message"]


def test_ordinary_nesting_is_safe() -> None:
    """Twelve levels of fields in fragments, with input objects, are far from unsafe."""
    text = "{ a(b: {c: [{d: 1}]}) { ...F } }" * 1 + "fragment F on T " + "{ a " * 12 + "}" * 12
    assert unsafe(measure(parse(text), False)) == []
