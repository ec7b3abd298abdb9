"""A small schema, its documents and releases, for the tests of the documents room."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from graphql import build_schema

from bff.config import DocumentsConfig
from bff.documents.prepare import Preparer
from bff.documents.trees import Trees
from bff.errors import RequestError
from persisted_queries.manifest import parse_manifest
from persisted_queries.releases import Release

SCHEMA = build_schema(
    """
    input Filter { not: Filter, ids: [ID], text: String }
    enum Kind { ARTICLE VIDEO }
    interface Node { id: ID! }
    type Author implements Node { id: ID!, name: String, items(first: Int): [Item] }
    type Item implements Node {
      id: ID!, title: String, kind: Kind, author: Author, related: [Item]
    }
    type Home { feed(first: Int, last: Int, filter: Filter): [Item], viewer: Author, home: Home }
    type Query {
      home: Home, item(id: ID!, price: Float, kind: Kind): Item, numbers(of: [Int]): Int
    }
    type Mutation { save(id: ID!): Item }
    type Subscription { changed(id: ID!): Item }
    """
)

HOME = "query Home { home { feed(first: 10) { id title } viewer { name } } }"
HOME_AGAIN = """
# the same, laid out otherwise
query Home {
  home {
    feed(first: 10,) { id, title }
    viewer { name }
  }
}
"""
HOME_OTHER_ORDER = "query Home { home { feed(first: 10) { title id } viewer { name } } }"
SAVE = "mutation Save($id: ID!) { save(id: $id) { id } }"
ITEM = "query Item { item(id: 1) { title } }"
BROKEN = "query Broken { nothing }"


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def release(operations: dict[str, str], name: str = "7.3.0+1") -> Release:
    """A release whose manifest is the map id → text."""
    version, build = name.split("+")
    return Release("ios", version, build, parse_manifest(json.dumps(operations).encode(), name))


def preparer(development: bool = True, **limits: Any) -> Preparer:
    return Preparer(SCHEMA, DocumentsConfig(**limits), development)


def trees(max_bytes: int = 1_000_000) -> Trees:
    return Trees(max_bytes)


def refusal(text: str, using: Preparer | None = None) -> RequestError:
    """The refusal of an unregistered text; fails the test if the text is accepted."""
    found = using or preparer()
    with pytest.raises(RequestError) as refused:
        found.unregistered(text, found.parse(text, DocumentsConfig().max_tokens))
    return refused.value
