"""What can be told of an executable document without parsing it, in a twentieth of the time: its
tokens, its definitions, and one key for all its layouts. Whether it is valid is left to others.

Ten thousand registered texts are looked at before a gateway is ready, and anybody's text before it
is known to be registered. Tests hold it against graphql-core's own lexer and parser.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from itertools import islice
from typing import NamedTuple

from graphql import GraphQLSyntaxError, Lexer, Source

# Lexical tokens of the GraphQL spec (2.1); what stands between them is skipped. What is none takes
# the rest of the text with it: no token of a valid document looks like that.
_TOKEN = re.compile(
    r"""
      [_A-Za-z][_0-9A-Za-z]*+
    | [{}()\[\]:$!=@|&] | \.\.\.
    | -?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![._0-9A-Za-z])
    | \"{3}(?:[^"\\]|\\(?:\"{3})?|"(?!""))*+\"{3}
    | ""(?!") | "(?:[^"\\\n\r]|\\.)++"
    | \#[^\n\r]*+
    | [^ \t\n\r,\ufeff][\s\S]*+
    """,
    re.VERBOSE,
)
_OPENING = frozenset("{([")
_CLOSING = frozenset("})]")
KEY_BYTES = 16

Definition = list[str]


class Scanned(NamedTuple):
    """A text's definitions, each as its tokens; `tokens` is how many they have together."""

    definitions: list[Definition]
    tokens: int

    def key(self) -> bytes | None:
        """16 bytes over the sorted definitions. Equal for texts that differ in white space, commas,
        comments, order of definitions, spelling of a string's value or of the shorthand `{ … }`;
        nothing else is equal. None if a string cannot be read: such a text is not valid."""
        try:
            written = sorted(" ".join(_significant(one)) for one in self.definitions)
        except GraphQLSyntaxError:
            return None
        return hashlib.blake2b("\n".join(written).encode(), digest_size=KEY_BYTES).digest()


def scan(text: str, most: int | None = None) -> Scanned | None:
    """The definitions of a text; None where its brackets do not end them, and beyond `most` tokens
    or as many comments, which is as far as it is read.

    A text without such an end is not valid. One with may be invalid all the same.
    """
    found: Iterable[str]
    if most is None:
        found = _TOKEN.findall(text)
    else:
        found = [match[0] for match in islice(_TOKEN.finditer(text), 2 * most + 1)]
        if len(found) > 2 * most:
            return None
    tokens = [token for token in found if token[0] != "#"] if "#" in text else list(found)
    if most is not None and len(tokens) > most:
        return None
    definitions = _definitions(tokens)
    return None if definitions is None else Scanned(definitions, len(tokens))


def _definitions(tokens: list[str]) -> list[Definition] | None:
    """An operation or fragment ends with the brace that closes its selection set."""
    found: list[Definition] = []
    start = depth = 0
    for place, token in enumerate(tokens):
        if token in _OPENING:
            depth += 1
        elif token in _CLOSING:
            depth -= 1
            if depth < 0:
                return None
            if depth == 0 and token == "}":  # noqa: S105 - a bracket
                found.append(tokens[start : place + 1])
                start = place + 1
    return found if start == len(tokens) else None


def _significant(definition: Definition) -> Iterable[str]:
    words = [_value(word) if word[0] == '"' else word for word in definition]
    return ["query", *words] if words[0] == "{" else words


def _value(string: str) -> str:
    """Raises GraphQLSyntaxError for a string that cannot be read."""
    return json.dumps(Lexer(Source(string)).advance().value)
