"""Chooses the media type of an answer by the request's `Accept` header.

Mobile clients list `multipart/mixed` first on every query and urql lists `text/event-stream`: the
operation decides, not the first type, and an answer in one piece is always one of two JSON types.
A list without either is disregarded and `application/json` sent, as GraphQL over HTTP ("Body")
allows beside 406: an answer in an unasked type can be read, a refusal without one cannot.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

from bff.edge.qualities import qualities

MediaType = Literal["application/json", "application/graphql-response+json"]

JSON: MediaType = "application/json"
GRAPHQL: MediaType = "application/graphql-response+json"

CONTENT_TYPE: dict[MediaType, tuple[bytes, bytes]] = {
    JSON: (b"content-type", b"application/json; charset=utf-8"),
    GRAPHQL: (b"content-type", b"application/graphql-response+json; charset=utf-8"),
}

_LONGEST_CACHED = 256


def negotiate(accept: bytes | None) -> MediaType:
    """The media type of a one-piece answer; never fails."""
    if accept is None:
        return JSON
    if len(accept) > _LONGEST_CACHED:
        return _choose(accept)
    return _choose_cached(accept)


def _choose(accept: bytes) -> MediaType:
    weights = qualities(accept)
    wildcard = weights.get(b"application/*", weights.get(b"*/*", 0.0))
    graphql = weights.get(b"application/graphql-response+json")
    plain = weights.get(b"application/json", wildcard)
    if graphql is None:
        # A wildcard means a client that does not know the new type, unless it rules the old out.
        return GRAPHQL if plain == 0.0 and wildcard > 0.0 else JSON
    return GRAPHQL if graphql > 0.0 and graphql >= plain else JSON


_choose_cached = lru_cache(maxsize=256)(_choose)


def prefers_html(accept: bytes | None) -> bool:
    """Whether a browser's address bar asks: `text/html` named, and not below a JSON type."""
    if accept is None or b"text/html" not in accept.lower():
        return False
    weights = qualities(accept)
    json_weight = max(
        weights.get(b"application/json", 0.0),
        weights.get(b"application/graphql-response+json", 0.0),
    )
    return weights.get(b"text/html", 0.0) > json_weight
