"""Validators and caching rules of an answer (RFC 9111, RFC 9110 §8.8): who may keep it, how long,
and whether the client has it already. Status codes stay the edge's."""

from __future__ import annotations

import re

import xxhash

from bff.response.envelope import CacheScope, Envelope, Holds

Header = tuple[bytes, bytes]

_ENTITY_TAG = re.compile(rb'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")')


class HttpCache:
    """The rules of one process.

    `no-store`: every refusal, and what the pipeline says. `private, no-cache`: a viewer's answer
    may be kept by the app alone and is revalidated by its tag before every use. `public`: the same
    for every viewer and every release, GET only and without field errors, so that no CDN keeps a
    failure; for `public_max_age_s` at most, and no longer than services said. Longer, while it is
    asked for anew or nobody can be asked, only where they allow it, and for `public_stale_s`.
    """

    def __init__(
        self,
        public_max_age_s: int,
        public_stale_s: int = 0,
        *,
        cookie_credential: bool,
        by_origin: bool = False,
    ) -> None:
        self._max_age = public_max_age_s
        self._stale = public_stale_s
        viewer = b"Accept, Accept-Encoding, Authorization"
        if cookie_credential:
            viewer += b", Cookie"
        self._nobodys = (b"cache-control", b"no-store"), (b"vary", viewer)
        self._viewers = (b"cache-control", b"private, no-cache"), (b"vary", viewer)
        # Where other origins may read (Fetch standard, CORS protocol and HTTP caches): or a copy
        # made for who named none would be given to a browser, which may not read it.
        self._vary = b"Accept, Accept-Encoding" + (b", Origin" if by_origin else b"")

    def scope(self, envelope: Envelope, *, safe: bool) -> CacheScope:
        """Who may keep this answer; `safe` tells a GET or HEAD."""
        if envelope.code is not None:
            return "no-store"
        if envelope.cache == "public" and (
            envelope.errors or not safe or not self._public_age(envelope.holds)
        ):
            return "private"
        return envelope.cache

    def headers(self, scope: CacheScope, holds: Holds | None = None) -> tuple[Header, Header]:
        """`Cache-Control` (RFC 9111, RFC 5861) and `Vary`."""
        if scope == "no-store":
            return self._nobodys
        if scope == "private":
            return self._viewers
        parts = [b"public, max-age=%d" % self._public_age(holds)]
        if holds is not None:
            for name, seconds in (
                (b"stale-while-revalidate", holds.while_revalidate),
                (b"stale-if-error", holds.if_error),
            ):
                if allowed := min(seconds, self._stale):
                    parts.append(b"%s=%d" % (name, allowed))
        return (b"cache-control", b", ".join(parts)), (b"vary", self._vary)

    def _public_age(self, holds: Holds | None) -> int:
        return self._max_age if holds is None else min(self._max_age, holds.max_age)


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
