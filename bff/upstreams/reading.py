"""From the bytes of an answer to its record, believing nothing: status, media type, shape, depth.

How many bytes there may be is the transport's; that none are decompressed, too.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from bff.telemetry.logs import logger
from bff.telemetry.metrics import Metrics
from bff.upstreams.guard.verdict import Verdict
from bff.upstreams.method import Method, salvage
from bff.upstreams.refusals import UNREADABLE, Failure, bad_response, refused
from bff.upstreams.transport import Incoming

A = TypeVar("A", bound=msgspec.Struct)
log = logger(__name__)

JSON = "application/json"
# How gzip and zstandard begin. Nobody asks for them, so a body like that is not decoded.
COMPRESSED = (b"\x1f\x8b", b"\x28\xb5\x2f\xfd")


def read(method: Method[A], incoming: Incoming, metrics: Metrics) -> A | Failure:
    """The decoded answer, or the failure that it is."""
    if not 200 <= incoming.status < 300:
        return refused(method, incoming)
    kind = incoming.content_type
    if kind != JSON and kind.partition(";")[0].strip().lower() != JSON:
        return _bad(method, f"content type {kind[:100]!r}")
    try:
        return method.decoder.decode(incoming.body)
    except msgspec.ValidationError as error:
        if method.exact:
            return _bad(method, str(error))
        return _salvaged(method, incoming, metrics)
    except UNREADABLE as error:
        if bytes(incoming.body[:4]).startswith(COMPRESSED):
            return _bad(method, "compressed, though nobody asked for it")
        return _bad(method, _words(error))


def _salvaged(method: Method[A], incoming: Incoming, metrics: Metrics) -> A | Failure:
    try:
        answer, dropped = salvage(method, bytes(incoming.body))
    except UNREADABLE as error:
        return _bad(method, _words(error))
    metrics.dropped(method.service, method.name, dropped)
    log.warning(
        "upstream_values_dropped", upstream=method.service, method=method.name, count=dropped
    )
    return answer


def _bad(method: Method[A], detail: str) -> Failure:
    return Failure(bad_response(method, detail), Verdict.BAD)


def _words(error: Exception) -> str:
    """What is wrong. An error of UTF-8 quotes what it found: that stays out of the log."""
    return "not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)
