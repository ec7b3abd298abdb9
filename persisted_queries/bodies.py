"""What a registered text says of itself: its one operation, its hash, one key for all its layouts.

Texts are scanned, not parsed: ten thousand are read before a gateway is ready. Whether one is valid
is left to the gateway; what the scan cannot make out is parsed here, for the place of a fault.
"""

from __future__ import annotations

import hashlib
from typing import Literal, NamedTuple, cast, get_args

from graphql import FragmentDefinitionNode, GraphQLError, OperationDefinitionNode, parse

from persisted_queries.scan import Definition, scan

OperationType = Literal["query", "mutation", "subscription"]
# To prepare one holds a gateway's loop, at worst ten seconds for each megabyte.
MOST_LETTERS = 256 * 1024
TYPES = frozenset(get_args(OperationType))


class BodyError(Exception):
    """A text that cannot be registered: what is wrong with it."""


class Body(NamedTuple):
    """A text with one operation. `name` is None for an anonymous one; `key` as `Scanned.key` says;
    `tokens` is how many the text has."""

    text: str
    hash: str
    name: str | None
    type: OperationType
    key: bytes | None
    tokens: int


def read_body(text: str) -> Body:
    """Raises BodyError."""
    if len(text) > MOST_LETTERS:
        raise BodyError(
            f"body has {len(text):,} letters, more than the {MOST_LETTERS:,} that gateways take; "
            "ask for less, or in several operations"
        )
    scanned = scan(text)
    told = _told(scanned.definitions) if scanned is not None else None
    name, kind = told or _parsed(text)
    if scanned is None:
        return Body(text, own_hash(text), name, kind, None, 0)
    return Body(text, own_hash(text), name, kind, scanned.key(), scanned.tokens)


def own_hash(text: str) -> str:
    """Lower-case hex SHA-256 of the exact UTF-8 text. Raises UnicodeEncodeError."""
    return hashlib.sha256(text.encode()).hexdigest()


def _told(definitions: list[Definition]) -> tuple[str, OperationType] | None:
    """Name and type of the one operation beside fragments; None for anything less plain."""
    operations = [words for words in definitions if words[0] != "fragment"]
    if len(operations) != 1:
        return None
    kind, name = operations[0][:2]
    if kind not in TYPES or not name.isidentifier():
        return None
    return name, cast("OperationType", kind)


def _parsed(text: str) -> tuple[str | None, OperationType]:
    try:
        definitions = parse(text).definitions
    except GraphQLError as error:
        line, column = error.locations[0] if error.locations else (1, 1)
        raise BodyError(f"body line {line}, column {column}: {error.message}") from error
    operations = [node for node in definitions if isinstance(node, OperationDefinitionNode)]
    fragments = [node for node in definitions if isinstance(node, FragmentDefinitionNode)]
    if len(operations) + len(fragments) != len(definitions):
        raise BodyError("body defines types; keep only the operation and its fragments")
    if len(operations) != 1:
        raise BodyError(
            f"body has {len(operations)} operations; register each under its own id",
        )
    (found,) = operations
    return found.name.value if found.name else None, found.operation.value
