"""Promises of persisted_queries/shape.py: a hot-fix is served only where the app cannot tell."""

from __future__ import annotations

import pytest
from graphql import GraphQLSchema, build_schema

from persisted_queries.shape import compatible
from tests.unit.persisted_queries.shapes import BUILT, HOME, NOW, SAVE

Changes = tuple[tuple[str, str], ...]

FEED = "feed(first: $first, ids: $ids)"
CARD = "...Card"
ITEM = "... on Item { id title image { thumbnail: url(points: 96) cover: url(points: 358) } }"
FRAGMENT = HOME[HOME.index("fragment Card") :]

REFUSED: dict[str, tuple[Changes, str]] = {
    "field added": (
        (("tagline", "tagline slogan"),),
        "home.slogan: is added",
    ),
    "field dropped": (
        (("    likes\n", ""),),
        "home.likes: is dropped",
    ),
    "dropped for one type": (
        (("{ minutes kicker }", "{ minutes }"),),
        "home.feed.entries(Article).kicker: is dropped",
    ),
    "added for one type": (
        (("{ seconds }", "{ seconds length }"),),
        "home.feed.entries(Video).length: is added",
    ),
    "fragment on a wider type": (
        (("{ minutes kicker }", "{ minutes kicker } ... on Item { author { id } }"),),
        "home.feed.entries(Article).author: is added",
    ),
    "fragment on another type": (
        (("... on Video { seconds }", "... on Podcast { seconds: length }"),),
        "home.feed.entries(Video).seconds: is dropped",
    ),
    "another scalar": (
        (("    likes\n", "    likes: slogan\n"),),
        "home.likes: was Int!, is String!: another type",
    ),
    "another enum": (
        (("    mood\n", "    mood: oldMood\n"),),
        "home.mood: was Mood!, is OldMood!: another type",
    ),
    "text for an enum": (
        (("    mood\n", "    mood: moodWord\n"),),
        "home.mood: was Mood!, is String!: another type",
    ),
    "null where none was": (
        (("{ id name }", "{ id name: nickname }"),),
        "home.viewer.name: was String!, is String: it may be null",
    ),
    "fewer lists": (
        (("    grid\n", "    grid: flat\n"),),
        "home.grid: was [[Int!]]!, is [Int!]!: another nesting of lists",
    ),
    "another alias": (
        (("thumbnail:", "thumb:"),),
        "image.thumbnail: is dropped",
    ),
    "fields exchanged": (
        (("    likes\n    comments\n", "    likes: comments\n    comments: likes\n"),),
        "home.likes: now gets what comments got",
    ),
    "arguments exchanged": (
        (("(points: 96)", "(points: 1)"), ("(points: 358)", "(points: 96)"), ("s: 1)", "s: 358)")),
        "image.thumbnail: now gets what cover got",
    ),
    "__typename dropped": (
        (("__typename\n        ... on Item", "... on Item"),),
        "home.feed.entries(Article).__typename: is dropped",
    ),
    "__typename made up": (
        (("__typename\n    feed", "__typename: slogan\n    feed"),),
        "home.__typename: was __typename, is slogan",
    ),
    "condition added": (
        (("    likes\n", "    likes @include(if: $withViewer)\n"),),
        "home.likes: was there always, is if $withViewer",
    ),
    "condition dropped": (
        ((" @skip(if: $brief)", ""), ("mood\n", "mood @skip(if: $brief)\n")),
        "home.score: was there if not $brief, is always",
    ),
    "condition turned round": (
        (("@skip(if: $brief)", "@include(if: $brief)"),),
        "home.score: was there if not $brief, is if $brief",
    ),
    "condition of one part": (
        (("{ id name }", "{ id name @skip(if: $brief) }"),),
        "home.viewer.name: was there if $withViewer, is if not $brief and $withViewer",
    ),
    "never there": (
        (("    likes\n", "    likes @include(if: false)\n"),),
        "home.likes: is dropped",
    ),
    "a fragment's condition": (
        (("... on Video {", "... on Video @skip(if: $brief) {"),),
        "home.feed.entries(Video).seconds: was there always, is if not $brief",
    ),
    "a default decides": (
        (("$withViewer: Boolean! = true", "$withViewer: Boolean! = false"),),
        "$withViewer: decides @skip or @include; its default was true, is false",
    ),
    "default dropped": (
        (("$first: Int! = 20", "$first: Int!"),),
        "$first: may be left out",
    ),
    "required variable added": (
        (("$ids: [ID!]", "$ids: [ID!], $points: Int!"), ("points: 96", "points: $points")),
        "$points: is new and required",
    ),
    "another name": (
        (("query Home", "query Start"),),
        "was named Home, is named Start",
    ),
    "directive on a field": (
        (("    likes\n", "    likes @quick\n"),),
        "home.likes: has other directives",
    ),
    "deferred part": (
        (("... on Article {", "... on Article @defer {"),),
        "home.feed.entries(Article).minutes: has other directives",
    ),
    "directive on the operation": (
        (("$ids: [ID!])", "$ids: [ID!]) @quick"),),
        "has other directives on the operation",
    ),
    "directive on a variable": (
        (("$ids: [ID!])", "$ids: [ID!] @quick)"),),
        "$ids: has other directives",
    ),
    "no longer valid": (
        (("tagline", "headline"),),
        "the patched text is not valid for the schema in force: line",
    ),
    "no GraphQL": (
        (("query Home", "quarry Home"),),
        "the patched text is no GraphQL",
    ),
    "two operations": (
        (("fragment Card", "query Other { home { likes } } fragment Card"),),
        "the patched text has 2 operations",
    ),
}

ALLOWED: dict[str, Changes] = {
    "the same": (),
    "renamed field under alias": (("    likes\n", "    likes: applause\n"),),
    "renamed root field under alias": (("  home {", "  home: start {"),),
    "renamed field with arguments": ((FEED, "feed: stream(first: $first)"), (", $ids: [ID!]", "")),
    "nullable made non-null": (("    tagline\n", "    tagline: slogan\n"),),
    "smaller page by literal": (
        (FEED, "feed(first: 6, ids: $ids)"),
        ("$first: Int! = 20, ", ""),
    ),
    "smaller page by default": (("$first: Int! = 20", "$first: Int! = 6"),),
    "argument left to the schema": (("url(points: 96)", "url"),),
    "fields reordered": (("    likes\n    comments\n", "    comments\n    likes\n"),),
    "fragments reordered": ((FRAGMENT, ""), ("query Home", f"{FRAGMENT}\nquery Home")),
    "fragment inlined": ((f"... on Item {{ {CARD} }}", ITEM), (FRAGMENT, "")),
    "fragment split by type": (
        (
            f"... on Item {{ {CARD} }}",
            f"... on Article {{ {CARD} }} ... on Video {{ {CARD} }} ... on Podcast {{ id }}",
        ),
    ),
    "field asked for twice": (("    likes\n", "    likes likes\n"),),
    "condition split": (
        (
            "score @skip(if: $brief)",
            "score @skip(if: $brief) @include(if: $withViewer) "
            "... @skip(if: $brief) { ... @skip(if: $withViewer) { score } }",
        ),
    ),
    "condition told otherwise": (
        ("viewer @include(if: $withViewer) { id name }", "... @include(if: $withViewer) {VIEWER}"),
        ("{VIEWER}", "{ viewer { id } viewer { name } }"),
    ),
    "condition no app decides": (
        ("$ids: [ID!]", "$ids: [ID!], $new: Boolean = true"),
        ("    likes\n", "    likes @include(if: $new)\n"),
    ),
    "optional variable added": (
        ("$ids: [ID!]", "$ids: [ID!], $points: Int = 64"),
        ("points: 96", "points: $points"),
    ),
    "variable no longer used": ((FEED, "feed(first: $first)"), (", $ids: [ID!]", "")),
    "required made optional": (("$brief: Boolean!", "$brief: Boolean! = false"),),
    "one field for two keys": (("    comments\n", "    comments: likes\n"),),
}


def changed(text: str, changes: Changes) -> str:
    """The text with words replaced, each of which is in it."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def why(
    original: str, patched: str, built: GraphQLSchema = BUILT, now: GraphQLSchema = NOW
) -> list[str]:
    return [str(one) for one in compatible(original, patched, built, now)]


@pytest.mark.parametrize("case", REFUSED)
def test_visible_change_is_refused(case: str) -> None:
    """What the app's generated code would notice is refused, with its place and what it is."""
    changes, expected = REFUSED[case]
    problems = why(HOME, changed(HOME, changes))
    assert any(expected in one for one in problems), problems


@pytest.mark.parametrize("case", ALLOWED)
def test_invisible_change_is_allowed(case: str) -> None:
    """What gives the same keys and types under the same conditions is no problem."""
    assert why(HOME, changed(HOME, ALLOWED[case])) == []


def test_other_operation_type_is_refused() -> None:
    """A write is no read, whatever it answers."""
    built = build_schema("type Query { at: Int } type Mutation { at: Int }")
    problems = why("query At { at }", "mutation At { at }", built, built)
    assert problems == ["was a query, is a mutation", "starts at Mutation, not at Query"]


def test_write_order_is_kept() -> None:
    """Root fields of a mutation run one after another: their order is part of what it does."""
    first, second = "save(input: $input) { id }", "drop(input: $input) { id }"
    both = f"mutation Both($input: SaveInput!) {{ {first} {second} }}"
    other = f"mutation Both($input: SaveInput!) {{ {second} {first} }}"
    assert why(both, other) == ["writes in another order: drop, save"]


def test_renamed_input_type_is_allowed() -> None:
    """The name of an input type never travels: one that takes all the old one took is as good."""
    assert why(SAVE, changed(SAVE, (("SaveInput", "KeepInput"), ("save(", "save: keep(")))) == []


def test_type_joining_an_interface_is_seen() -> None:
    """Even an unchanged text is refused where a known type gets a field through an interface that
    it was not part of when the app was built."""
    sdl = """
      type Query {{ entry: Entry }}
      union Entry = A | B
      interface Timed {{ length: Int! }}
      type A implements Timed {{ length: Int! }}
      type B {also} {{ length: Int! }}
    """
    built, now = (build_schema(sdl.format(also=also)) for also in ("", "implements Timed"))
    text = "query Q { entry { __typename ... on Timed { length } } }"
    assert why(text, text, built, built) == []
    problems = why(text, text, built, now)
    assert problems == ["entry(B).length: is added; the app does not know it"]


def test_unknown_types_are_left_to_the_fence() -> None:
    """What is selected for a type the build has never heard of cannot reach it."""
    patched = changed(HOME, (("... on Video {", "... on Podcast { length } ... on Video {"),))
    assert why(HOME, patched) == []


def test_other_kind_of_type_is_refused() -> None:
    """A type of the same name that became a union is not fenced: the build knows no members."""
    built = build_schema("type Query { e: E } type E { a: Int }")
    now = build_schema("type Query { e: E } union E = F type F { a: Int }")
    text = "query Q { e { __typename } }"
    assert why(text, text, built, now) == ["e: was E, is E: another kind of type"]


def test_condition_of_many_variables_is_refused() -> None:
    """What takes too long to prove counts as not proven."""
    names = [f"$v{number}" for number in range(13)]
    declared = ", ".join(f"{name}: Boolean!" for name in names)
    once = " ".join(f"... @include(if: {name}) {{ likes }}" for name in names)
    twice = " ".join(
        f"... @include(if: {name}) {{ ... @skip(if: $v0) {{ likes }} }}" for name in names
    )
    first = f"query Q({declared}) {{ home {{ {once} }} }}"
    second = f"query Q({declared}) {{ home {{ {twice} ... @include(if: $v0) {{ likes }} }} }}"
    assert why(first, first) == []
    assert "cannot be compared: depends on more than 12 variables" in why(first, second)[0]


INPUTS = """
  enum E {{ A B }}  input I {{ a: Int b: J }}  input J {{ c: [E!]! }}  input K {{ a: Int, b: J }}
  enum F {{ A }}  enum G {{ A B C }}  input Less {{ a: Int }}  input More {{ a: Int b: J d: Int! }}
  input Free {{ a: Float b: J d: Int! = 1 }}  input Strict {{ a: Int! b: J }}
  input Other {{ a: Int b: L }}  input L {{ c: [F!]! }}
  input One @oneOf {{ a: Int b: J }}  scalar S
  type Query {{ f(x: {}): Int }}
"""


def narrowed(sent: str, taken: str) -> list[str]:
    """What is refused of a variable's values when it is declared as `taken`."""
    built, now = (build_schema(INPUTS.format(one.split(" =")[0])) for one in (sent, taken))
    first, second = (f"query Q($v: {one}) {{ f(x: $v) }}" for one in (sent, taken))
    return why(first, second, built, now)


@pytest.mark.parametrize(
    ("sent", "taken", "place"),
    [
        ("Int", "Int!", "$v"),
        ("Int! = 3", "Int!", "$v"),
        ("Int = 3", "Int! = 3", "$v"),
        ("Float", "Int", "$v"),
        ("ID", "String", "$v"),
        ("S", "String", "$v"),
        ("[Int]", "Int", "$v"),
        ("[Int]", "[Int!]", "$v[]"),
        ("[Int]", "[[Int]!]", "$v[]"),
        ("E", "F", "$v"),
        ("E", "String", "$v"),
        ("I", "Less", "$v.b"),
        ("I", "More", "$v.d"),
        ("I", "Strict", "$v.a"),
        ("I", "Other", "$v.b.c[]"),
        ("I", "One", "$v"),
        ("Int", "I", "$v"),
    ],
)
def test_narrowed_variable_is_refused(sent: str, taken: str, place: str) -> None:
    """A variable that takes less than the app may send is refused, with the place inside it."""
    problems = narrowed(sent, taken)
    assert problems
    assert problems[0].startswith(f"{place}: "), problems


@pytest.mark.parametrize(
    ("sent", "taken"),
    [
        ("Int!", "Int"),
        ("Int!", "Int! = 3"),
        ("Int! = 3", "Int"),
        ("Int", "Float"),
        ("Int", "ID"),
        ("String!", "ID!"),
        ("Int", "[Int!]"),
        ("[Int!]!", "[Float]"),
        ("E", "G"),
        ("I", "K"),
        ("I!", "Free"),
        ("One", "I"),
    ],
)
def test_widened_variable_is_allowed(sent: str, taken: str) -> None:
    """A variable that takes all the app sends, and more, is fine."""
    assert narrowed(sent, taken) == []


def test_removed_member_is_refused() -> None:
    """The same text is refused where the schema in force no longer takes an enum's member."""
    text = "query Q($sort: Sort) { home { feed(sort: $sort) { end } } }"
    assert why(text, text) == ["$sort: Sort does not take OLD"]
