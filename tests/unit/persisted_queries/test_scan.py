"""Promises of persisted_queries/scan.py, held against graphql-core's own lexer and parser."""

from __future__ import annotations

import random

import pytest
from graphql import GraphQLSyntaxError, Lexer, Source, TokenKind, parse
from hypothesis import given
from hypothesis import strategies as st

from persisted_queries.scan import KEY_BYTES, scan

WORDS = [
    "query", "Home", "(", "$", "n", ":", "Int", "=", "3", ")", "{", "home", "{",
    "...", "F", "feed", "(", "first", ":", "$", "n", "filter", ":", "{", "text", ":",
    '"a # b, c"', "}", ")", "@", "skip", "(", "if", ":", "true", ")", "{", "id", "}", "}", "}",
]  # fmt: skip
FRAGMENT = "fragment F on Home { viewer { id } }"
DOCUMENT = " ".join(WORDS) + FRAGMENT
# What a text is disturbed with, to become another one or none at all.
PIECES = [
    *"{}()[]:$!=@|&. \t\n\r,\ufeff\x0b#'\"\\;%é",
    *("...", "..", '""', '"""', '\\"""', '"\\n"', '"a', "\\u0041", "0", "00", "-1", "1.5", "1e3"),
    *("1.", "-", "1x", "é1", "# note\n", "#\r", "x", "query", "fragment", "true", "null"),
]


def key(text: str) -> bytes | None:
    scanned = scan(text)
    return scanned.key() if scanned is not None else None


def lexed(text: str) -> list[tuple[str, str | None]] | None:
    """Kind and value of every token but comments; None for what cannot be lexed."""
    lexer, found = Lexer(Source(text)), []
    try:
        while lexer.advance().kind is not TokenKind.EOF:
            kind = lexer.token.kind
            string = kind in (TokenKind.STRING, TokenKind.BLOCK_STRING)
            found.append(("String" if string else kind.value, lexer.token.value))
    except GraphQLSyntaxError:
        return None
    return found


def is_document(text: str) -> bool:
    try:
        parse(text)
    except GraphQLSyntaxError:
        return False
    return True


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
    assert key("\n".join(parts)) == key(DOCUMENT) != None  # noqa: E711


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
        ("{ a } query B { b }", "{ a query } { B { b } }"),
        ('{ a(b: "}") c }', '{ a(b: "") } { c }'),
    ],
)
def test_meaning_always_matters(one: str, other: str) -> None:
    """Texts that mean different things, or order their fields otherwise, have different keys."""
    assert None is not key(one) != key(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{ a }", "query { a }"),
        ('{ a(b: "c") }', '{ a(b: """c""") }'),
        ('{ a(b: "\\u0063") }', '{ a(b: "c") }'),
        ('{ a(b: "c\\nd") }', '{ a(b: """\n  c\n  d\n""") }'),
        ("\ufeff{ a }", "{a}"),
    ],
)
def test_spelling_never_matters(one: str, other: str) -> None:
    """Shorthand, escapes, block strings and a byte order mark do not make another document."""
    assert key(one) == key(other)


@pytest.mark.parametrize(
    ("document", "none"),
    [
        ("{ a(b: [0 1]) }", "{ a(b: [01]) }"),
        ("{ a(b: [1 b]) }", "{ a(b: [1b]) }"),
        ('{ a(b: ["" "c"]) }', '{ a(b: ["""c"]) }'),
        ("{ a ... b }", "{ a .. . b }"),
    ],
)
def test_glued_tokens_are_no_others(document: str, none: str) -> None:
    """Tokens that may not stand side by side do not pass for the same ones apart."""
    assert is_document(document)
    assert not is_document(none)
    assert key(none) != key(document)


@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_scan_agrees_with_the_lexer(chance: random.Random, disturbances: int) -> None:
    """A disturbed text has the undisturbed one's key if, and only if, it still is a document of the
    very same tokens; what parses always has a key."""
    text = DOCUMENT
    for _ in range(disturbances):
        place = chance.randrange(len(text) + 1)
        text = text[:place] + chance.choice(PIECES) + text[place + chance.choice((0, 0, 1)) :]
    if is_document(text):
        assert key(text) is not None
    assert (key(text) == key(DOCUMENT)) == (lexed(text) == lexed(DOCUMENT))


@given(st.lists(st.sampled_from(PIECES), max_size=12).map("".join))
def test_values_are_read_as_the_lexer_does(pieces: str) -> None:
    """Any run of characters in a list makes a document of as many tokens as the lexer finds, or has
    no key that a document could have."""
    text = f"{{ a(b: [{pieces}]) }}"
    scanned = scan(text)
    if is_document(text):
        assert scanned is not None
        assert scanned.key() is not None
        assert scanned.tokens == len(lexed(text) or ())
        respelt = "\n".join(_spelt(*token) for token in lexed(text) or ())
        assert key(respelt) == scanned.key()


def _spelt(kind: str, value: str | None) -> str:
    if kind != "String":
        return value if value is not None else kind
    return '"' + "".join(f"\\u{{{ord(one):x}}}" for one in value or "") + '"'


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "}",
        "{ a",
        "{ a )",
        "query A",
        "{ a } b",
        '{ a(b: "c) }',
        "{ a(b: 'c') }",
        "{ a ; }",
    ],
)
def test_unfinished_texts_have_no_definitions(text: str) -> None:
    """What does not end with a closed selection set is not taken for a document."""
    scanned = scan(text)
    assert scanned is None or scanned.definitions == []


def test_bad_strings_have_no_key() -> None:
    """A string with an escape that means nothing makes a text without a key."""
    assert key('{ a(b: "\\q") }') is None


@pytest.mark.parametrize("extra", ["a ", "a# \n", "# \n"])
def test_reading_ends_at_the_bound(extra: str) -> None:
    """A text is read up to so many tokens and as many comments, and no further."""
    assert scan("{" + "a " * 8 + "}", 10) is not None
    assert scan("{" + "# \na " * 8 + "}", 10) is not None
    assert scan("{" + "a " * 8 + extra * 11 + "}", 10) is None


def test_key_is_short() -> None:
    """Ten thousand keys take little memory."""
    assert len(key(DOCUMENT) or b"") == KEY_BYTES
