"""Promises of bff/documents/prepare.py."""

import string
from typing import Any

import pytest
from graphql import GraphQLSchema, get_introspection_query, parse, print_ast
from hypothesis import given, settings
from hypothesis import strategies as st

from bff.config import DocumentsConfig
from bff.contract import OperationFacts
from bff.documents import limits, prepare
from bff.documents.prepare import (
    MAX_ERRORS,
    MAX_MESSAGE,
    OVERLAP_BUDGET,
    TOO_ENTANGLED,
    Preparer,
    text_hash,
)
from bff.errors import ParseFailed, RequestError, ValidationFailed

from .samples import HOME, SCHEMA, preparer, refusal, sha256, trees

DEVELOPMENT, PRODUCTION = preparer(), preparer(development=False)


def placed(error: RequestError) -> bool:
    """Whether every error object has a message and at least one place."""
    return bool(error.errors) and all(
        entry["message"]
        and all(place["line"] >= 1 for place in entry["locations"])
        and entry["locations"]
        for entry in error.errors
    )


def test_valid_text_is_prepared() -> None:
    """A valid text gives a document with hash, tree and one operation by name."""
    document = DEVELOPMENT.unregistered(HOME, DEVELOPMENT.parse(HOME, None))
    operation = document.operations["Home"]
    assert document.hash == sha256(HOME)
    assert (operation.name, operation.type) == ("Home", "query")
    assert (operation.document_hash, operation.document_id) == (
        sha256(HOME),
        f"sha256:{sha256(HOME)}",
    )
    tree, definition = operation.parsed()
    assert print_ast(tree) == print_ast(parse(HOME))
    assert tree.definitions == (definition,)
    assert not operation.registered
    assert operation.facts.root_fields == ("home",)


def test_facts_are_asked_per_operation() -> None:
    """Each operation carries what `describe`, asked once, says of it in its place."""
    asked: list[tuple[Any, ...]] = []

    def describe(schema: GraphQLSchema, document: Any) -> list[OperationFacts]:
        asked.append((schema, document))
        return [OperationFacts((name,), None, False, False) for name in "AB"]

    found = Preparer(SCHEMA, DocumentsConfig(), True, describe)
    text = "query A { home { home { home { viewer { id } } } } } mutation B { save(id: 1) { id } }"
    tree = found.parse(text, None)
    document = found.unregistered(text, tree)
    assert asked == [(SCHEMA, tree)]
    assert [document.operations[name].parsed()[1] for name in "AB"] == [*tree.definitions]
    assert document.operations["B"].facts.root_fields == ("B",)
    assert document.operations["B"].type == "mutation"


@pytest.mark.parametrize(
    "text", ["", "{", "{ home { id }", "query { } ", "}", "{ a(b: \u0000) }", 'query { a(b: "x) }']
)
def test_syntax_errors_have_their_code(text: str) -> None:
    """A text that is not GraphQL is a parse failure with the place."""
    error = refusal(text)
    assert isinstance(error, ParseFailed)
    assert placed(error)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{ nothing }", "Cannot query field 'nothing'"),
        ("{ home }", "must have a selection"),
        ("query Q($a: Int) { home { home { viewer { id } } } }", "never used"),
        ("{ item { id } }", "is required"),
        ("{ numbers(of: " + "9" * 5000 + ") }", "Int"),
        ("{ ...F } fragment F on Query { ...F }", "within itself"),
        ("query A { numbers } query A { numbers }", "only one operation named"),
        ("type T { a: Int }", "not executable"),
        ("fragment F on Home { home { home { viewer { id } } } }", "never used"),
        ("subscription { changed(id: 1) { id } other: changed(id: 2) { id } }", "one top level"),
    ],
)
def test_invalid_documents_have_their_code(text: str, words: str) -> None:
    """A text that breaks a rule of GraphQL is a validation failure with the place."""
    error = refusal(text)
    assert isinstance(error, ValidationFailed)
    assert words in error.errors[0]["message"]
    assert placed(error)


def test_fragments_alone_are_no_document() -> None:
    """A document without an operation is refused, also where its fragments use one another."""
    text = "fragment F on Home { home { ...G } } fragment G on Home { viewer { id } }"
    assert isinstance(refusal(text), ValidationFailed)


@pytest.mark.parametrize("using", [DEVELOPMENT, PRODUCTION], ids=["development", "production"])
@pytest.mark.parametrize(
    "text",
    [
        "{ homee { viewer { id } } }",
        "{ item(idd: 1) { id } }",
        "{ item(id: 1, kind: ARTICL) { id } }",
    ],
)
def test_suggestions_only_in_development(using: Preparer, text: str) -> None:
    """Names of the schema are suggested to developers and to nobody else."""
    messages = " ".join(entry["message"] for entry in refusal(text, using).errors)
    assert ("Did you mean" in messages) is (using is DEVELOPMENT)


@pytest.mark.parametrize(
    "text",
    [
        "{ __schema { types { name } } }",
        '{ __type(name: "Item") { name } }',
        get_introspection_query(),
        "{ x: __schema { description } }",
        "{ ...F } fragment F on Query { __schema { description } }",
    ],
)
def test_introspection_only_in_development(text: str) -> None:
    """The schema may be read in development; elsewhere such a document is invalid."""
    DEVELOPMENT.unregistered(text, DEVELOPMENT.parse(text, None))
    assert isinstance(refusal(text, PRODUCTION), ValidationFailed)
    with pytest.raises(ValidationFailed):
        PRODUCTION.registered(text, "a1", trees())


def test_typename_is_always_fine() -> None:
    """`__typename` is not introspection."""
    text = "{ __typename home { __typename viewer { __typename } } }"
    assert PRODUCTION.unregistered(text, PRODUCTION.parse(text, None)).operations


def test_token_limit_is_validation() -> None:
    """One token too many is a validation failure, not a syntax error, and names the limit."""
    assert DEVELOPMENT.parse("{ home }", 4)
    with pytest.raises(ValidationFailed, match=r"^Document contains more than 2 tokens") as refused:
        DEVELOPMENT.parse("{ home }", 2)
    assert placed(refused.value)


def test_comments_are_bounded_too() -> None:
    """Comments are not tokens, but as many of them are refused."""
    with pytest.raises(ValidationFailed, match="more than 3 comments"):
        DEVELOPMENT.parse("#\n" * 4 + "{ a }", 3)


def test_lone_surrogate_is_a_parse_failure() -> None:
    """A text that has no UTF-8 is refused where the bad character stands."""
    with pytest.raises(ParseFailed) as refused:
        text_hash("{ a }\n # \ud800")
    assert refused.value.errors[0]["locations"] == [{"line": 2, "column": 4}]


def test_errors_are_few_and_short() -> None:
    """A document wrong everywhere is answered with few errors that do not echo it back."""
    error = refusal("{ " + " ".join(f"wrong{n}" for n in range(300)) + " }")
    assert len(error.errors) == MAX_ERRORS
    (echo,) = refusal("{ " + "z" * 10_000 + " }").errors
    assert len(echo["message"]) <= MAX_MESSAGE + 1


def test_operations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit of operations neither validation nor the contract sees the document."""
    asked: list[Any] = []

    def validating(*given: Any, **_: Any) -> list[Any]:
        asked.append(given)
        return []

    monkeypatch.setattr(prepare, "validate", validating)

    def describe(schema: GraphQLSchema, document: Any) -> list[OperationFacts]:
        asked.append(document)
        return [OperationFacts((), None, False, False)] * limits.MAX_OPERATIONS

    found = Preparer(SCHEMA, DocumentsConfig(), True, describe)
    allowed = many(limits.MAX_OPERATIONS, "query Q% { ...F }") + " fragment F on Query { numbers }"
    with pytest.raises(ValidationFailed, match="has 11 operations, 10 is the limit"):
        found.unregistered("", found.parse("query X { ...F } " + allowed, None))
    assert asked == []
    assert len(found.unregistered("", found.parse(allowed, None)).operations) == 10
    assert len(asked) == 2


def test_registered_documents_have_any_operations() -> None:
    """A reviewed document may hold more operations than others."""
    text = many(limits.MAX_OPERATIONS + 1, "query Q% { numbers }")
    assert len(DEVELOPMENT.registered(text, "a1", trees()).operations) == limits.MAX_OPERATIONS + 1


def many(count: int, text: str) -> str:
    return " ".join(text.replace("%", str(number)) for number in range(count))


BOMBS = {
    "aliases": "{ " + many(600, "a%: numbers") + " }",
    "deep fields": "{ home" * 900 + "}" * 900,
    "quite deep fields": "{ home" * 100 + "}" * 100,
    "deep inline fragments": "{ " + "... { " * 300 + "numbers" + "}" * 301,
    "deep list": "{ numbers(of: " + "[" * 900 + "]" * 900 + ") }",
    "quite deep list": "{ numbers(of: " + "[" * 150 + "]" * 150 + ") }",
    "deep object": "{ home { feed(filter: " + "{not: " * 300 + "{}" + "}" * 300 + ") { id } } }",
    "deep type": "query Q($a: " + "[" * 300 + "Int" + "]" * 300 + ") { numbers }",
    "huge page": "{ home { feed(first: " + "9" * 50_000 + ") { id } } }",
    "fragment cycle": "{ ...F0 } "
    + many(100, "fragment F% on Query { home { home { ...G% } } } fragment G% on Home { ...F% }"),
    "long cycle": "{ ...F0 } "
    + " ".join(f"fragment F{n} on Query {{ ...F{(n + 1) % 200} }}" for n in range(200)),
    "long chain": "{ ...F0 } "
    + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} }}" for n in range(200))
    + " fragment F200 on Query { numbers }",
    "doubling fragments": "{ ...F0 } "
    + " ".join(f"fragment F{n} on Query {{ ...F{n + 1} ...F{n + 1} numbers }}" for n in range(40))
    + " fragment F40 on Query { numbers }",
    "directives": "{ numbers " + "@skip(if: true) " * 200 + "}",
    "same field": "{ " + "numbers " * 1500 + "}",
    "same field with fields": "{ " + "home { viewer { id } } " * 200 + "}",
    "same fragments": "{ "
    + many(100, "...F%")
    + " } "
    + many(100, "fragment F% on Query { home { viewer { id } } }"),
    "tokens": "{ " + "numbers " * 10_000 + "}",
    "comments": "#\n" * 10_000 + "{ numbers }",
    "operations": many(11, "query Q% { numbers }"),
    "wrong operations": many(600, "query Q% { wrong }"),
}  # fmt: skip


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused(name: str) -> None:
    """Known ways to make validation explode are refused as invalid, with a place."""
    error = refusal(BOMBS[name])
    assert isinstance(error, ValidationFailed)
    assert placed(error)


def test_overlap_work_is_bounded() -> None:
    """Merging fields stops at our budget, and the answer says what to do."""
    text = "{ " + "numbers " * 300 + "}"
    assert OVERLAP_BUDGET < 300 * 299
    assert refusal(text).errors[0]["message"] == TOO_ENTANGLED
    assert DEVELOPMENT.registered(text, "a1", trees()).registered


def test_large_list_is_served() -> None:
    """A long list of plain values within the token limit is an ordinary argument."""
    text = "{ numbers(of: [" + "1 " * 1_500 + "]) }"
    assert DEVELOPMENT.unregistered(text, DEVELOPMENT.parse(text, 2_000)).operations


def test_registered_documents_know_no_limits() -> None:
    """A reviewed document may be larger than any limit, but for nesting that endangers us."""
    tight = preparer(max_tokens=1, max_depth=1, max_aliases=1, max_cost=1)
    assert isinstance(refusal(HOME, tight), ValidationFailed)
    document = tight.registered(HOME, "home@7", trees())
    assert document.registered
    assert document.operations["Home"].document_id == "home@7"
    deep = "{ home" * limits.MAX_NESTING + "{ viewer { id } }" + "}" * limits.MAX_NESTING
    with pytest.raises(ValidationFailed, match="nests"):
        tight.registered(deep, "deep", trees())


TOKENS = [
    "{", "}", "(", ")", "[", "]", ":", "=", "!", "|", "&", "$", "@", "...", "query", "mutation",
    "subscription", "fragment", "on", "type", "extend", "schema", "input", "Query", "Home", "Item",
    "home", "item", "feed", "viewer", "id", "title", "numbers", "of", "first", "filter", "not",
    "F", "G", "A", "skip", "include", "if", "defer", "__schema", "__type", "__typename", "name",
    "types", "fields", "true", "null", "1", "-1", "1e999", "99999999999999999999", '"x"', '""""""',
    "$a", "Int", "[Int!]!", "#\n", "\\u0000", "\ud800", "ARTICLE", '"""d"""',
]  # fmt: skip
PIECES = [
    "{ home { feed(first: 3) { ...F id } } }", "fragment F on Item { title author { ...G } }",
    "fragment G on Author { items(first: $n) { ...F } }", "query A($n: Int = 3) { home { ...H } }",
    "fragment H on Home { home { ...H } }", "mutation M { save(id: 1) { id } }",
    "{ item(id: 1, price: 1e400, kind: VIDEO) { id } }", '{ __type(name: "A") { name } }',
    "subscription S { changed(id: 1) { id } }", "{ a: b b: a }", "type Query { home: Int }",
]  # fmt: skip
TEXTS = st.one_of(
    st.text(max_size=200),
    st.text(alphabet=string.printable + '{}()[]$@"', max_size=300),
    st.lists(st.sampled_from(TOKENS), max_size=60).map(" ".join),
    st.lists(st.sampled_from([*PIECES, *TOKENS]), max_size=12).map(" ".join),
    st.builds(
        lambda piece, at, token: piece[: at % len(piece)] + token + piece[at % len(piece) :],
        st.sampled_from([" ".join(PIECES), *PIECES]),
        st.integers(min_value=0),
        st.sampled_from(TOKENS),
    ),
)


@settings(max_examples=400, deadline=None)
@given(TEXTS, st.booleans())
def test_any_text_is_prepared_or_refused(text: str, development: bool) -> None:
    """Whatever the text, it is prepared or refused with places: nothing else is ever raised."""
    using = DEVELOPMENT if development else PRODUCTION
    for registered in (False, True):
        try:
            if registered:
                document = using.registered(text, "a1", trees())
            else:
                document = using.unregistered(text, using.parse(text, 2_000))
        except (ParseFailed, ValidationFailed) as refused:
            assert placed(refused)  # noqa: PT017 - either outcome is right
        else:
            assert document.operations
