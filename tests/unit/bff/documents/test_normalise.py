"""Promises of bff/documents/normalise.py."""

import pytest
from graphql import parse
from hypothesis import given
from hypothesis import strategies as st

from bff.documents.normalise import normalised_key

WORDS = [
    "query", "Home", "(", "$", "n", ":", "Int", "=", "3", ")", "{", "home", "{",
    "...", "F", "feed", "(", "first", ":", "$", "n", "filter", ":", "{", "text", ":",
    '"a # b, c"', "}", ")", "@", "skip", "(", "if", ":", "true", ")", "{", "id", "}", "}", "}",
]  # fmt: skip
FRAGMENT = "fragment F on Home { viewer { id } }"


def key(text: str) -> str:
    return normalised_key(parse(text))


@given(
    st.lists(
        st.sampled_from([" ", "\n", "\t", ",", " , ", "\r\n", " # note\n", "#{}\n"]),
        min_size=len(WORDS),
        max_size=len(WORDS),
    ),
    st.booleans(),
)
def test_layout_never_matters(gaps: list[str], fragment_first: bool) -> None:
    """Whatever stands between the tokens, and whichever definition comes first, the key is one."""
    operation = "".join(word + gap for word, gap in zip(WORDS, gaps, strict=True))
    parts = [FRAGMENT, operation] if fragment_first else [operation, FRAGMENT]
    assert key("\n".join(parts)) == key(" ".join(WORDS) + FRAGMENT)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{ a b }", "{ b a }"),
        ("{ a { b } c }", "{ a { b c } }"),
        ("{ a: b }", "{ b: a }"),
        ("{ a }", "query A { a }"),
        ("query A { a }", "mutation A { a }"),
        ('{ a(b: "c") }', "{ a(b: c) }"),
        ('{ a(b: "1") }', "{ a(b: 1) }"),
        ('{ a(b: "c d") }', '{ a(b: "c  d") }'),
        ('{ a(b: "c, d") }', '{ a(b: "c d") }'),
        ("{ a(b: 1) }", "{ a(b: 1.0) }"),
        ("{ a b }", "{ ab }"),
        ("{ a ...b }", "{ a ...{ b } }"),
        ('{ a(b: ["c", "d"]) }', '{ a(b: ["c\\", \\"d"]) }'),
    ],
)
def test_meaning_always_matters(one: str, other: str) -> None:
    """Texts that mean different things, or order their fields otherwise, have different keys."""
    assert key(one) != key(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{ a }", "query { a }"),
        ('{ a(b: "c") }', '{ a(b: """c""") }'),
        ('{ a(b: "\\u0063") }', '{ a(b: "c") }'),
        ("\ufeff{ a }", "{a}"),
    ],
)
def test_spelling_never_matters(one: str, other: str) -> None:
    """Shorthand, escapes, block strings and a byte order mark do not make another document."""
    assert key(one) == key(other)


def test_locations_are_needed() -> None:
    """A document parsed without locations is a programming error, told at once."""
    with pytest.raises(ValueError, match="no_location"):
        normalised_key(parse("{ a }", no_location=True))
