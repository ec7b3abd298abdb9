"""Refuses cross-site reads where the credential is a cookie the browser adds by itself.

POST needs no rule of its own: only `application/json` is read, which no browser sends cross-origin
without a preflight. A GET does go out unasked, so with `edge.cookie_credential` it must carry one
of the headers below, which force a preflight. Where apps send `authorization` themselves there is
nothing to forge, and urql, which sends none of these headers, may use GET.
"""

from __future__ import annotations

from bff.edge.head import Head
from bff.errors import CsrfBlocked

PREFLIGHT_HEADERS = frozenset(
    (
        b"apollo-require-preflight",  # Apollo iOS 2.1 and later, Apollo Kotlin
        b"x-apollo-operation-name",  # Apollo iOS 1.x, Apollo's servers
        b"graphql-require-preflight",  # named by GraphQL over HTTP, "Exercise caution"
        b"x-requested-with",  # hand-written fetches
    )
)


def check_preflight(head: Head) -> None:
    """Raises CsrfBlocked when a GET carries none of PREFLIGHT_HEADERS; an empty one counts."""
    if PREFLIGHT_HEADERS.isdisjoint(head.headers):
        raise CsrfBlocked(
            "a GET with a cookie credential needs the header 'apollo-require-preflight: true'; "
            "add it, or send POST"
        )
