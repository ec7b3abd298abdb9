"""What a schema change does to the documents of a release."""

from __future__ import annotations

import pytest
from graphql import build_schema

from persisted_queries.changes.model import Kind, Verdict
from persisted_queries.impact import Finding, impacts
from tests.unit.persisted_queries.shipped import shipped

SDL = """
directive @fallback(member: String!) on ENUM
directive @used(by: Int = 1) on FIELD
type Query {
  home(first: Int! = 10, after: String, size: Size = SMALL): Home
  item: Item
  feed: [Entry!]!
  saved: [Entry]
  search(filter: Filter, sort: Sort): [Article!]
}
type Mutation { save(input: SaveInput!): Home }
type Home { title: String! subtitle: String state: State! note: State image(size: Int = 1): String }
interface Item { id: ID! title(length: Int = 5): String }
type Article implements Item { id: ID! title(length: Int = 5): String words: Int }
type Video implements Item { id: ID! title(length: Int = 5): String length: Int! }
union Entry = Article | Video
enum State { NEW OLD }
enum Size { SMALL LARGE }
enum Sort { DATE NAME }
input Filter { text: String limit: Int = 5 sort: Sort nested: Filter }
input SaveInput { id: ID! size: Size note: String }
"""


def judged(
    body: str, old: str, new: str, *, sdl: str = SDL, built: str | None = SDL
) -> tuple[Finding, ...]:
    """What replacing text in the schema does to a release with one document."""
    assert old in sdl
    proposed = build_schema(sdl.replace(old, new))
    (found,) = impacts(proposed, build_schema(sdl), [shipped(body, built=built)])
    return tuple(one for hit in found.hits for one in hit.findings)


HOME = "query Read { home { title } }"

BREAKS: dict[str, tuple[str, str, str, str, Kind | None]] = {
    "field removed": (HOME, "title: String! ", "", "Home.title", Kind.FIELD_REMOVED),
    "field becomes nullable": (
        HOME,
        "title: String! ",
        "title: String ",
        "Home.title",
        Kind.FIELD_TYPE_CHANGED,
    ),
    "field gets another type": (
        HOME,
        "title: String! ",
        "title: Int! ",
        "Home.title",
        Kind.FIELD_TYPE_CHANGED,
    ),
    "field removed below a fragment": (
        "query Read { home { ...F } } fragment F on Home { subtitle }",
        "subtitle: String ",
        "",
        "Home.subtitle",
        Kind.FIELD_REMOVED,
    ),
    "given argument removed": (
        'query Read { home(after: "x") { title } }',
        "after: String, ",
        "",
        "Query.home(after:)",
        Kind.ARGUMENT_REMOVED,
    ),
    "left out argument now required": (
        HOME,
        "first: Int! = 10",
        "first: Int!",
        "Query.home(first:)",
        Kind.ARGUMENT_DEFAULT_CHANGED,
    ),
    "required argument added": (
        HOME,
        "home(",
        "home(must: Int!, ",
        "Query.home(must:)",
        Kind.ARGUMENT_ADDED,
    ),
    "nullable variable in what became non-null": (
        "query Read($after: String) { home(after: $after) { title } }",
        "after: String,",
        'after: String! = "",',
        "Query.home(after:)",
        Kind.ARGUMENT_TYPE_CHANGED,
    ),
    "enum member written out is removed": (
        "query Read { home(size: LARGE) { title } }",
        "enum Size { SMALL LARGE }",
        "enum Size { SMALL }",
        "Size.LARGE",
        Kind.ENUM_VALUE_REMOVED,
    ),
    "enum member that a variable may hold": (
        "query Read($size: Size) { home(size: $size) { title } }",
        "enum Size { SMALL LARGE }",
        "enum Size { SMALL }",
        "Size.LARGE",
        Kind.ENUM_VALUE_REMOVED,
    ),
    "enum member deep in a variable": (
        "query Read($f: Filter) { search(filter: $f) { words } }",
        "enum Sort { DATE NAME }",
        "enum Sort { DATE }",
        "Sort.NAME",
        Kind.ENUM_VALUE_REMOVED,
    ),
    "input field removed that a variable may hold": (
        "mutation Save($input: SaveInput!) { save(input: $input) { title } }",
        " note: String }",
        " }",
        "SaveInput.note",
        Kind.INPUT_FIELD_REMOVED,
    ),
    "input field required that a variable leaves out": (
        "mutation Save($input: SaveInput!) { save(input: $input) { title } }",
        " note: String }",
        " note: String more: Int! }",
        "SaveInput.more",
        Kind.INPUT_FIELD_ADDED,
    ),
    "input field retyped that a variable may hold": (
        "query Read($f: Filter) { search(filter: $f) { words } }",
        "text: String",
        "text: [String]",
        "Filter.text",
        Kind.INPUT_FIELD_TYPE_CHANGED,
    ),
    "input takes one field of a variable": (
        "query Read($f: Filter) { search(filter: $f) { words } }",
        "input Filter { text: String limit: Int = 5 ",
        "input Filter @oneOf { text: String limit: Int ",
        "Filter",
        Kind.ONE_OF_ADDED,
    ),
    "input field written out is removed": (
        'query Read { search(filter: {text: "a"}) { words } }',
        "text: String ",
        "",
        "",
        None,
    ),
    "fragment on a type taken out of a union": (
        "query Read { feed { ... on Video { length } } }",
        "union Entry = Article | Video",
        "union Entry = Article",
        "",
        None,
    ),
    "fragment on a type that left an interface": (
        "query Read { item { ... on Video { length } } }",
        "type Video implements Item",
        "type Video",
        "",
        None,
    ),
    "type read through an interface that it left": (
        "query Read { feed { ... on Item { id } } }",
        "type Video implements Item",
        "type Video",
        "Video",
        Kind.INTERFACE_REMOVED,
    ),
    "the same by a named fragment": (
        "query Read { feed { ...F } } fragment F on Item { id }",
        "type Video implements Item",
        "type Video",
        "Video",
        Kind.INTERFACE_REMOVED,
    ),
    "type read through a union that it left": (
        "query Read { item { ... on Entry { ... on Item { id } } } }",
        "union Entry = Article | Video",
        "union Entry = Article",
        "Entry",
        Kind.UNION_MEMBER_REMOVED,
    ),
    "argument of another type": (
        "query Read($n: Int!) { home(first: $n) { title } }",
        "first: Int! = 10",
        "first: Float! = 10",
        "Query.home(first:)",
        Kind.ARGUMENT_TYPE_CHANGED,
    ),
    "directive removed": (
        "query Read { home { title @used } }",
        "directive @used(by: Int = 1) on FIELD",
        "",
        "",
        None,
    ),
    "operation root renamed": (
        HOME,
        "type Query {",
        "schema { query: Root mutation: Mutation } type Query { a: Int } type Root {",
        "",
        Kind.QUERY_ROOT_CHANGED,
    ),
    "object becomes interface": (
        "query Read { home { image } }",
        "type Home {",
        "type Other implements Home { title: String! subtitle: String state: State! note: State"
        " image(size: Int = 1): String } interface Home {",
        "Home",
        Kind.TYPE_KIND_CHANGED,
    ),
}


@pytest.mark.parametrize("named", BREAKS)
def test_broken_document_is_named(named: str) -> None:
    """A document that would be refused, or whose answer its app cannot decode, is broken by the
    change that did it, with the place in its text."""
    body, old, new, coordinate, kind = BREAKS[named]
    found = [one for one in judged(body, old, new) if one.verdict is Verdict.BREAKING]
    if kind is Kind.QUERY_ROOT_CHANGED:  # the fields of the old root are gone as well
        found = [one for one in found if one.kind is kind]
    if kind is None or kind is Kind.ARGUMENT_TYPE_CHANGED:
        assert found
    else:
        assert [(one.coordinate, one.kind) for one in found] == [(coordinate, kind)]
    assert all(line == 1 and column >= 1 for one in found for line, column in one.places)


UNTOUCHED: dict[str, tuple[str, str, str]] = {
    "field removed that nobody reads": (HOME, "subtitle: String ", ""),
    "argument removed that is left out": (HOME, "after: String, ", ""),
    "enum member removed from answers": (
        "query Read { home { state } }",
        "enum State { NEW OLD }",
        "enum State { NEW }",
    ),
    "other enum member written out": (
        "query Read { home(size: SMALL) { title } }",
        "enum Size { SMALL LARGE }",
        "enum Size { SMALL }",
    ),
    "input field removed beyond reach": (HOME, " note: String }", " }"),
    "union member removed without fragment": (
        "query Read { feed { ... on Article { words } } }",
        "union Entry = Article | Video",
        "union Entry = Article",
    ),
    "enum member added to inputs": (
        "query Read($size: Size) { home(size: $size) { title } }",
        "enum Size { SMALL LARGE }",
        "enum Size { SMALL LARGE HUGE }",
    ),
    "type narrowed below its interface": (
        "query Read { item { id } }",
        "words: Int",
        "words: Int!",
    ),
    "field added": (HOME, "type Home {", "type Home { more: Int!"),
    "default changed of a given argument": (
        "query Read { home(first: 5) { title } }",
        "first: Int! = 10",
        "first: Int! = 20",
    ),
}


@pytest.mark.parametrize("named", UNTOUCHED)
def test_unaffected_document_is_left(named: str) -> None:
    """A change that a document does not lean on does nothing to it."""
    assert judged(*UNTOUCHED[named]) == ()


DANGERS: dict[str, tuple[str, str, str, str, bool, str]] = {
    "enum member in a non-null field": (
        "query Read { home { state } }",
        "enum State { NEW OLD }",
        "enum State { NEW OLD ODD }",
        "State.ODD",
        True,
        "null in place of the nearest nullable parent",
    ),
    "enum member in a nullable field": (
        "query Read { home { note } }",
        "enum State { NEW OLD }",
        "enum State { NEW OLD ODD }",
        "State.ODD",
        True,
        "null",
    ),
    "enum member with a fallback": (
        "query Read { home { note } }",
        "enum State { NEW OLD }",
        'enum State @fallback(member: "OLD") { NEW OLD ODD }',
        "State.ODD",
        True,
        "OLD",
    ),
    "type added to a union in a list of non-null": (
        "query Read { feed { ... on Article { words } } }",
        "union Entry = Article | Video",
        "union Entry = Article | Video | Home",
        "Entry",
        True,
        "the item is dropped",
    ),
    "type added to a union in a list of nullable": (
        "query Read { saved { ... on Article { words } } }",
        "union Entry = Article | Video",
        "union Entry = Article | Video | Home",
        "Entry",
        True,
        "null as the item",
    ),
    "new type behind an interface": (
        "query Read { item { id } }",
        "union Entry",
        "type Note implements Item { id: ID! title(length: Int = 5): String } union Entry",
        "Note",
        True,
        "null",
    ),
    "field becomes non-null": (
        "query Read { home { subtitle } }",
        "subtitle: String ",
        "subtitle: String! ",
        "Home.subtitle",
        False,
        "",
    ),
    "default changed of an argument left out": (
        HOME,
        "first: Int! = 10",
        "first: Int! = 20",
        "Query.home(first:)",
        False,
        "",
    ),
    "default changed below an interface": (
        "query Read { item { title } }",
        "type Video implements Item { id: ID! title(length: Int = 5)",
        "type Video implements Item { id: ID! title(length: Int = 7)",
        "Video.title(length:)",
        False,
        "",
    ),
    "default changed of a variable that may be absent": (
        "query Read($s: Size) { home(size: $s) { title } }",
        "size: Size = SMALL",
        "size: Size = LARGE",
        "Query.home(size:)",
        False,
        "",
    ),
    "argument added": (
        HOME,
        "after: String,",
        "after: String, more: Int,",
        "Query.home(more:)",
        False,
        "",
    ),
    "input field added within a variable": (
        "mutation Save($input: SaveInput!) { save(input: $input) { title } }",
        " note: String }",
        " note: String more: Int }",
        "SaveInput.more",
        False,
        "",
    ),
    "input default changed, left out of a literal": (
        'query Read { search(filter: {text: "a"}) { words } }',
        "limit: Int = 5",
        "limit: Int = 6",
        "Filter.limit",
        False,
        "",
    ),
    "directive default changed": (
        "query Read { home { title @used } }",
        "@used(by: Int = 1)",
        "@used(by: Int = 2)",
        "@used(by:)",
        False,
        "",
    ),
}


@pytest.mark.parametrize("named", DANGERS)
def test_endangered_document_is_named(named: str) -> None:
    """A dangerous change is told of each document it reaches, with what the fence makes of it for
    a build whose schema is known."""
    body, old, new, coordinate, protected, effect = DANGERS[named]
    found = [one for one in judged(body, old, new) if one.kind is not Kind.APPLIED]
    assert [(one.verdict, one.coordinate) for one in found] == [(Verdict.DANGEROUS, coordinate)]
    assert (found[0].protected, found[0].effect) == (protected, effect)


def test_unknown_build_is_unprotected() -> None:
    """A release whose schema nobody kept is never called protected."""
    (found,) = judged(
        "query Read { home { state } }",
        "enum State { NEW OLD }",
        "enum State { NEW OLD ODD }",
        built=None,
    )
    assert not found.protected
    assert found.effect == ""


def test_knowing_build_is_not_endangered() -> None:
    """A member that comes back is nothing new to a build that was made with it."""
    knows = SDL.replace("enum State { NEW OLD }", "enum State { NEW OLD ODD }")
    body, old = "query Read { home { state } }", "enum State { NEW OLD }"
    assert judged(body, old, "enum State { NEW OLD ODD }", built=knows) == ()
    assert judged(body, old, "enum State { NEW OLD ODD }", built=SDL)


def test_own_schema_decides_nullability() -> None:
    """A field that becomes nullable breaks the build that was made with it non-null, and not the
    older one that was made with it nullable."""
    older = SDL.replace("title: String! ", "title: String ")
    change = (HOME, "title: String! ", "title: String ")
    assert [one.kind for one in judged(*change, built=SDL)] == [Kind.FIELD_TYPE_CHANGED]
    assert judged(*change, built=older) == ()


def test_earlier_harm_is_not_repeated() -> None:
    """What was broken for a build before the change is not laid to it; what it adds is."""
    was = SDL.replace("subtitle: String ", "subtitle: String! old: Int ")
    body = "query Read { home { subtitle title old } }"
    found = judged(body, "title: String! ", "title: Int! ", built=was)
    assert [(one.coordinate, one.message) for one in found] == [
        ("Home.title", "field Home.title was String! and is Int!")
    ]


def test_safe_change_judges_nothing() -> None:
    """Nothing is told of a change that is safe, whatever was broken before."""
    was = SDL.replace("subtitle: String ", "subtitle: String! old: Int ")
    body = "query Read { home { subtitle title old } }"
    assert judged(body, "type Home {", "type Home { more: Int", built=was) == ()


def test_narrower_type_may_break() -> None:
    """Two fields under one name must stay of one type: a document in which they no longer are is
    broken, though each by itself got narrower."""
    body = "query Read { feed { ... on Article { title } ... on Video { title } } }"
    found = judged(
        body,
        "type Article implements Item { id: ID! title(length: Int = 5): String",
        "type Article implements Item { id: ID! title(length: Int = 5): String!",
    )
    assert [one.verdict for one in found] == [Verdict.DANGEROUS, Verdict.BREAKING]
    assert "conflict" in found[1].message


def test_every_place_is_told() -> None:
    """A document that reads a field at several places has them all, by line and column."""
    body = "query Read {\n  a: home { title }\n  b: home { ...F }\n}\nfragment F on Home { title }"
    (found,) = judged(body, "title: String! ", "")
    assert found.places == ((2, 13), (5, 22))


def test_shared_documents_keep_releases_apart() -> None:
    """One text sent by two builds is judged by the schema of each."""
    older = SDL.replace("title: String! ", "title: String ")
    releases = [shipped(HOME, built=older, name="7.2.0+1"), shipped(HOME, built=SDL)]
    proposed = build_schema(SDL.replace("title: String! ", "title: String "))
    found = list(impacts(proposed, build_schema(SDL), releases))
    assert [(one.shipped.name, one.breaks) for one in found] == [
        ("7.2.0+1", False),
        ("7.3.0+801", True),
    ]
