"""Who waits for an answer, by what the client says; a document may know better."""

from __future__ import annotations

import re
from functools import lru_cache

from bff.request import Priority

# RFC 9218 section 4.1, a parameter of a structured dictionary (RFC 8941): an integer from 0 to 7.
_URGENCY = re.compile(rb"(?:^|,)[ \t]*u=([0-7])[ \t]*(?=[,;]|$)")
_BY_URGENCY = (*[Priority.USER] * 4, *[Priority.PREFETCH] * 2, *[Priority.BACKGROUND] * 2)
_LONGEST_CACHED = 64


def priority_of(priority: bytes | None, purpose: bytes | None) -> Priority | None:
    """The priority that the headers `priority` (RFC 9218: u=0 to 3 a person waits, 4 and 5 fetched
    ahead, 6 and 7 in the background) and `sec-purpose` name, None where they name none. Who
    fetches ahead does so however urgently."""
    if purpose is not None and purpose.strip().lower().startswith(b"prefetch"):
        return max(Priority.PREFETCH, priority_of(priority, None) or Priority.USER)
    if priority is None:
        return None
    return _read_cached(priority) if len(priority) <= _LONGEST_CACHED else _read(priority)


def _read(priority: bytes) -> Priority | None:
    # A key that stands twice counts as it stands last (RFC 8941 section 3.2).
    found = _URGENCY.findall(priority)
    return _BY_URGENCY[int(found[-1])] if found else None


_read_cached = lru_cache(maxsize=256)(_read)
