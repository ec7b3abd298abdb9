"""Promises of bff/documents/limits.py."""

import pytest
from graphql import DocumentNode, build_schema, get_introspection_query, parse

from bff.config import DocumentsConfig
from bff.documents.limits import (
    MAX_DIRECTIVES,
    MAX_INTROSPECTIONS,
    MAX_NESTING,
    MAX_OPERATIONS,
    Measure,
    Measured,
    Size,
    exceeded,
    unsafe,
)
from bff.documents.pages import ASSUMED_LIST, ASSUMED_PAGE, CEILING

# Most limits are of the text alone: they hold for what this schema does not know, too.
SCHEMA = build_schema(
    """
    interface Node { id: ID! }
    type Page { total: Int, items: [Item!]!, tags: [String!]! }
    type Shared { items: [Item] }
    type Item implements Node {
      id: ID!, comments(first: Int! = 7, after: String): Page!, replies(last: Int): Page,
      parts: [Item], shared(first: Int = 3): Shared, tags: [String], grid: [[Item!]!]!, node: Node
    }
    union Any = Item | Shared
    type Query {
      item: Item, items(pageSize: Int = 9): [Item], shared: Shared, any: [Any],
      wide(first: Int = 80): Page, node: Node
    }
    type Mutation { save: [Item] }
    """
)
FREE = DocumentsConfig(max_tokens=10**6, max_depth=10**6, max_aliases=10**6, max_cost=10**9)


def measure(document: DocumentNode, free_introspection: bool = False) -> Measured:
    return Measure(SCHEMA, free_introspection)(document)


def size(text: str, free_introspection: bool = False) -> Size:
    """The size of the first operation."""
    return measure(parse(text), free_introspection).operations[0][1]


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


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        ("{ item { comments { total } } }", 2 + 7),
        ("{ item { comments(first: 2) { total } } }", 2 + 2),
        ('{ item { comments(after: "x") { items { id } } } }', 2 + 7 * 2),
        ("query Q($n: Int!) { item { comments(first: $n) { total } } }", 2 + ASSUMED_PAGE),
        ("query Q($n: Int) { wide(first: $n) { total } }", 1 + 80),
        ("{ item { shared(first: null) { items { id } } } }", 2 + 50 + 50 * ASSUMED_LIST),
        ("{ items { id } }", 1 + 9),
        ("{ item { replies { total } } }", 2 + ASSUMED_LIST),
        ("{ item { parts { id } } }", 2 + ASSUMED_LIST),
        ("{ item { parts { parts { id } } } }", 2 + ASSUMED_LIST + ASSUMED_LIST**2),
        ("{ any { ... on Item { id } } }", 1 + ASSUMED_LIST),
        ("{ item { tags } }", 2),
        ("{ item { grid { id } } }", 2 + ASSUMED_LIST),
        ("{ shared { items { id } } }", 2 + ASSUMED_LIST),
        ("mutation { save { id } }", 1 + ASSUMED_LIST),
        ("{ item { ...F } } fragment F on Item { comments { ...P } } "
         "fragment P on Page { items { id } tags }", 2 + 7 * 3),
        ("{ node { ... on Item { comments { items { id } } } } }", 2 + 7 * 2),
        ("{ item { node { ... on Item { parts { id } } } } }", 3 + ASSUMED_LIST),
        ("{ nothing { items { id } } }", 3),
    ],
)  # fmt: skip
def test_cost_knows_the_schema(text: str, cost: int) -> None:
    """A page counts as its default where it is not given, as the largest where it is a variable; a
    list of objects without one as an assumed size, but for the list that is the page itself."""
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


EVERYTHING = get_introspection_query(
    specified_by_url=True,
    directive_is_repeatable=True,
    schema_description=True,
    input_value_deprecation=True,
    experimental_directive_deprecation=True,
    one_of=True,
)


def test_whole_introspection_is_within_limits() -> None:
    """What GraphiQL and other tools send, with all they may ask for, is no bomb."""
    assert exceeded(measure(parse(EVERYTHING), True), DocumentsConfig()) == []


@pytest.mark.parametrize(
    "text",
    [
        "{ a: __schema { description } b: __schema { description } c: __schema { description } }",
        '{ ...F } fragment F on Query { __schema { description } ...G a: __type(name: "A") { name }'
        ' } fragment G on Query { b: __type(name: "A") { name } }',
        "query A { __schema { description } } query B { __schema { description } } "
        "query C { __schema { description } }",
    ],
    ids=["aliases", "fragments", "operations"],
)
def test_introspection_is_counted(text: str) -> None:
    """`__schema` and `__type` may be asked twice a document, wherever they stand."""
    (error,) = exceeded(measure(parse(text), True), FREE)
    assert f"asks {MAX_INTROSPECTIONS + 1} times" in error["message"]
    twice = '{ __schema { description } __type(name: "A") { name } }'
    assert exceeded(measure(parse(twice), True), FREE) == []


def test_operations_are_counted() -> None:
    """One operation more than allowed is refused where it stands."""
    allowed = "{ a }\n" * MAX_OPERATIONS
    assert exceeded(measure(parse(allowed)), FREE) == []
    (error,) = exceeded(measure(parse(allowed + "{ a }")), FREE)
    assert error["locations"] == [{"line": MAX_OPERATIONS + 1, "column": 1}]


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
