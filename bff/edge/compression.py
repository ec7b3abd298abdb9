"""Compresses an answer's body by the request's `Accept-Encoding`, at levels that cost the least.

Measured on a home screen of 14.4 KB (µs, bytes out): zstd 3 24, 3711; gzip 1 (isal) 17, 4077;
br 2 44, 3805; br 4 95, 3696; zlib 6 73, 3722. At 1.2 KB gzip is also the smallest. So of equally
welcome codings zstd goes first, then gzip; br is for who prefers it or takes nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import brotli
import zstandard
from isal import igzip

from bff.edge.qualities import qualities

_LONGEST_CACHED = 256
_zstd = zstandard.ZstdCompressor(level=3)


def _gzip(body: bytes) -> bytes:
    compressed: bytes = igzip.compress(body, 1, mtime=0)
    return compressed


def _brotli(body: bytes) -> bytes:
    compressed: bytes = brotli.compress(body, quality=2)
    return compressed


# In the order of preference.
_CODINGS: dict[str, Callable[[bytes], bytes]] = {
    "zstd": _zstd.compress,
    "gzip": _gzip,
    "br": _brotli,
}


def compress(
    body: bytes, accept_encoding: bytes | None, *, from_bytes: int
) -> tuple[bytes, str | None]:
    """The body to send and its content coding, None for as it is.

    Bodies below `from_bytes` stay as they are, and so does one that would not shrink.
    """
    if accept_encoding is None or len(body) < from_bytes:
        return body, None
    cached = len(accept_encoding) <= _LONGEST_CACHED
    coding = _choose_cached(accept_encoding) if cached else _choose(accept_encoding)
    if coding is None:
        return body, None
    compressed = _CODINGS[coding](body)
    return (compressed, coding) if len(compressed) < len(body) else (body, None)


def _choose(accept_encoding: bytes) -> str | None:
    """The coding of the greatest weight (RFC 9110 §12.5.3); identity wins only where the client
    puts it higher by name, and is sent unasked where the client rules out all there is."""
    weights = qualities(accept_encoding)
    # `*` is what careless clients send: they get the one coding everybody reads.
    weights.setdefault(b"gzip", weights.get(b"*", 0.0))
    best, best_weight = None, weights.get(b"identity", 0.0)
    for coding in _CODINGS:
        weight = weights.get(coding.encode(), 0.0)
        if weight > best_weight or (weight == best_weight > 0.0 and best is None):
            best, best_weight = coding, weight
    return best


_choose_cached = lru_cache(maxsize=256)(_choose)
