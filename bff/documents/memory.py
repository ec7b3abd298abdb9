"""What a prepared document keeps in memory, cut to what execution needs, and how much that is."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from graphql import DocumentNode, Node, Source, Token, TokenKind

# Measured with tracemalloc (a test holds them): the most that a text of one-character fields takes
# per token, in nodes and locations, and what a document has beside its text. In bytes.
PER_TOKEN = 450
PER_DOCUMENT = 4_096


def lighten(document: DocumentNode) -> int:
    """Let go of what only parsing and validation need: the chain of tokens, comments, and text in
    up to four bytes a character. Places of errors stay right: they are counted from the text's
    line ends, in a copy of one byte a character.

    Returns the bytes held from now on, rather too many than too few. To be called once, last.
    """
    location = document.loc
    if location is None:
        raise ValueError("lighten needs locations; parse without no_location=True")
    body = location.source.body
    held = PER_DOCUMENT + len(body) + _unchain(location.start_token)
    source = Source(body.encode("ascii", "replace").decode())
    for node in _nodes(document):
        place = node.loc
        if place is not None:
            place.source = source
            place.start_token = place.end_token = location.start_token
    return held


def _unchain(start: Token) -> int:
    """Cut the chain, that no token keeps another; returns what nodes keep of it, in bytes."""
    held = 0
    token: Token | None = start
    while token is not None:
        if token.kind is not TokenKind.COMMENT:
            held += PER_TOKEN + (sys.getsizeof(token.value) if token.value else 0)
        following = token.next
        token.next = token.prev = None
        token = following
    return held


def _nodes(document: DocumentNode) -> Iterator[Node]:
    pending: list[Node] = [document]
    while pending:
        node = pending.pop()
        yield node
        for key in node.keys:
            value = getattr(node, key)
            if isinstance(value, Node):
                pending.append(value)
            elif isinstance(value, tuple | list):
                pending.extend(value)
