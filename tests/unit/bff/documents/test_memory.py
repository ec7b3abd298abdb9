"""Promises of bff/documents/memory.py: what is held is known, and errors keep their places."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from graphql import Node, execute, parse, print_ast

from bff.documents.memory import PER_DOCUMENT, lighten

from .samples import HOME, SCHEMA, preparer

WIDE = "\U0001f600"
TEXTS = {
    "fields": "{" + "a " * 1_990 + "}",
    "long names": "{" + " ".join(f"a{n:029}" for n in range(1_990)) + "}",
    "nested": "{" + "a{b} " * 490 + "}",
    "arguments": "{" + "a(b:1) " * 330 + "}",
    "spreads": "{" + "...F " * 990 + "}",
    "numbers": "{a(b:[" + "1 " * 1_980 + "])}",
    "objects": "{a(b:[" + "{a:1} " * 390 + "])}",
    "directives": "{" + "a@b " * 660 + "}",
    "variables": "query(" + "$a:B " * 490 + "){a}",
    "fragments": "{a}" + "fragment A on B{c} " * 280,
    "strings": "{a(b:[" + '"x" ' * 1_980 + "])}",
    "wide comment": "{a}#" + WIDE * 16_000,
    "comment with one wide character": "{a}#" + WIDE + "a" * 65_000,
    "wide string": '{a(b:"' + WIDE + "a" * 65_000 + '")}',
    "escaped string": '{a(b:"\\u{1F600}' + "a" * 65_000 + '")}',
    "lines": "{a}" + "\n" * 65_000,
    "small": "{a}",
}


@pytest.mark.parametrize("name", TEXTS)
def test_estimate_is_honest(name: str) -> None:
    """What a document says it holds is never less than tracemalloc finds, and not three times as
    much but for the fixed part."""
    gc.collect()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        document = parse((TEXTS[name] + " ")[:-1])
        said = lighten(document)
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    held = after - before
    assert held <= said <= 3 * held + 2 * PER_DOCUMENT


def test_comments_take_a_byte_a_character() -> None:
    """A comment costs its length, however wide its characters."""
    length = 10_000
    plain, wide = lighten(parse("{a}")), lighten(parse("{a} #" + WIDE * length))
    assert wide - plain <= length + 10


def test_tree_is_the_same() -> None:
    """A lightened document still prints as it did, and no token leads to another."""
    document = parse(HOME)
    printed = print_ast(document)
    lighten(document)
    assert print_ast(document) == printed
    pending: list[Node] = [document]
    while pending:
        node = pending.pop()
        assert node.loc is not None
        assert (node.loc.start_token.next, node.loc.end_token.prev) == (None, None)
        for key in node.keys:
            value = getattr(node, key)
            pending += value if isinstance(value, tuple) else [value] * isinstance(value, Node)


def test_document_without_locations_is_refused() -> None:
    """A document parsed without locations cannot be lightened, and says so."""
    with pytest.raises(ValueError, match="no_location"):
        lighten(parse("{a}", no_location=True))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_field_errors_keep_their_places(end: str) -> None:
    """Errors of execution stand where the field stands in the text as sent, after comments and
    strings of any characters."""
    text = end.join(
        [
            f"# {WIDE} first",
            f'query Q {{ item(id: "{WIDE}{WIDE}", kind: VIDEO) {{',
            "  id  # \u00e9",
            "  title } }",
        ]
    )
    found = preparer()
    document = found.unregistered(text, found.parse(text, None))
    tree = document.operations["Q"].read()
    result = execute(SCHEMA, tree, {"item": lambda *_, **__: {"id": 1, "title": boom}})
    (error,) = result.errors or []  # type: ignore[union-attr]
    assert [(at.line, at.column) for at in error.locations or []] == [(4, 3)]


def boom(*_: object) -> None:
    raise RuntimeError("boom")
