"""One key for all texts that are one document but for layout; the order of fields counts."""

from __future__ import annotations

import hashlib
import json

from graphql import DefinitionNode, DocumentNode, TokenKind

_STRINGS = (TokenKind.STRING, TokenKind.BLOCK_STRING)


def normalised_key(document: DocumentNode) -> str:
    """Lower-case hex SHA-256 over the sorted definitions, each as its significant tokens.

    Equal for texts that differ in whitespace, commas, comments, order of definitions, spelling of
    a string value or of the shorthand `{ … }`. The document must have been parsed with locations.
    """
    definitions = sorted(_significant(definition) for definition in document.definitions)
    return hashlib.sha256("\n".join(definitions).encode()).hexdigest()


def _significant(definition: DefinitionNode) -> str:
    """Walks the parser's own token chain: cheaper than printing, and nothing is lexed twice."""
    location = definition.loc
    if location is None:
        raise ValueError("normalised_key needs locations; parse without no_location=True")
    token, end = location.start_token, location.end_token
    words = ["query"] if token.kind is TokenKind.BRACE_L else []
    while True:
        if token.kind in _STRINGS:
            words.append(json.dumps(token.value))
        elif token.kind is not TokenKind.COMMENT:
            words.append(token.value or token.kind.value)
        if token is end or token.next is None:
            return " ".join(words)
        token = token.next
