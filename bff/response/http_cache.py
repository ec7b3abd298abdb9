"""Validators and caching rules of an answer (RFC 9111, RFC 9110 §8.8): who may keep it, how long,
and whether the client has it already. Status codes stay the edge's."""

from __future__ import annotations

import re

import xxhash

from bff.response.envelope import CacheScope, Envelope

Header = tuple[bytes, bytes]

_ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


# The headers that say which release calls, and what it can do.
_BY_RELEASE = (
    b"Accept, Accept-Encoding, apollographql-client-version, graphql-client-version, x-app-build, "
    b"x-client-capabilities"
)


class HttpCache:
    """The rules of one process.

    `no-store`: every refusal, and what the pipeline says. `private, no-cache`: a viewer's answer
    may be kept by the app alone and is revalidated by its tag before every use. `public`: the same
    for every viewer, GET only and without field errors, so that no CDN keeps a failure.
    `public-by-release`: the same, but for what some release is not sent.
    """

    def __init__(self, public_max_age_s: int, *, cookie_credential: bool) -> None:
        viewer = b"Accept, Accept-Encoding, Authorization"
        if cookie_credential:
            viewer += b", Cookie"
        public = b"public, max-age=%d" % public_max_age_s
        self._headers: dict[CacheScope, tuple[Header, Header]] = {
            "no-store": ((b"cache-control", b"no-store"), (b"vary", viewer)),
            "private": ((b"cache-control", b"private, no-cache"), (b"vary", viewer)),
            "public": ((b"cache-control", public), (b"vary", b"Accept, Accept-Encoding")),
            "public-by-release": ((b"cache-control", public), (b"vary", _BY_RELEASE)),
        }

    def scope(self, envelope: Envelope, *, safe: bool) -> CacheScope:
        """Who may keep this answer; `safe` tells a GET or HEAD."""
        if envelope.code is not None:
            return "no-store"
        cache = envelope.cache
        if cache in ("public", "public-by-release") and (envelope.errors or not safe):
            return "private"
        return cache

    def headers(self, scope: CacheScope) -> tuple[Header, Header]:
        """`Cache-Control` and `Vary`."""
        return self._headers[scope]


def entity_tag(body: bytes) -> bytes:
    """A weak tag of an uncompressed body: compressed forms of it share the tag."""
    return b'W/"' + xxhash.xxh3_128_hexdigest(body).encode("ascii") + b'"'


def is_known(tag: bytes, if_none_match: bytes | None) -> bool:
    """Whether `If-None-Match` holds `tag`, by weak comparison (RFC 9110 §13.1.2), or is `*`."""
    if if_none_match is None:
        return False
    if if_none_match.strip() == b"*":
        return True
    return tag.removeprefix(b"W/") in _ENTITY_TAG.findall(if_none_match)
