"""What an answer says of how long it stays what it is, by what its services said (docs/caching.md).

Apps read it off `extensions.freshness` of their own answers; of public ones CDNs read it off
`Cache-Control`, which is the http_cache's.
"""

from __future__ import annotations

from typing import Any

from bff.response.envelope import Holds
from bff.upstreams.call_log import CallLog

FRESHNESS = "freshness"
STEADY_S = 60


def holds_of(calls: CallLog) -> Holds | None:
    """How long the answer holds; None if no service said anything. One that says nothing beside
    others that do allows no longer stay than they."""
    stays = calls.stays
    if stays is None:
        return None
    if calls.undeclared:
        return Holds(int(stays.max_age))
    return Holds(int(stays.max_age), int(stays.while_revalidate), int(stays.if_error))


def told_to_app(calls: CallLog, *, whole: bool) -> dict[str, Any]:
    """`extensions.freshness`: after how many seconds it is worth while to ask again; of an answer
    that is not `whole`, at once. Nothing where a service said nothing: it cannot be known."""
    stays = calls.stays
    if stays is None or calls.undeclared:
        return {}
    seconds = int(stays.max_age) if whole else 0
    return {FRESHNESS: {"maxAgeS": seconds, "class": class_of(seconds)}}


def class_of(seconds: int) -> str:
    """`live`: ask whenever it is shown; `brief`: when it is shown again after a while; `steady`:
    not while one looks at it."""
    if seconds <= 0:
        return "live"
    return "brief" if seconds < STEADY_S else "steady"
