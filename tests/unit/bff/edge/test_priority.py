"""bff/edge/priority.py: who waits, by the headers."""

from __future__ import annotations

import pytest

from bff.edge.priority import priority_of
from bff.request import Priority

USER, PREFETCH, BACKGROUND = Priority


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None),
        (b"u=0", USER),
        (b"u=3", USER),
        (b"u=1, i", USER),
        (b"i, u=4", PREFETCH),
        (b"u=5;x=1", PREFETCH),
        (b"u=6", BACKGROUND),
        (b" u=7 , i", BACKGROUND),
        (b"u=0, u=7", BACKGROUND),
        (b"i", None),
        (b"", None),
        (b"u=8", None),
        (b"u=-1", None),
        (b"u=12", None),
        (b"vu=7", None),
        (b'u="7"', None),
        (b"u=7" + b" " * 500, BACKGROUND),
        (b"\xff", None),
    ],
)
def test_urgency_is_read(header: bytes | None, found: Priority | None) -> None:
    """RFC 9218's urgency; what is none says nothing."""
    assert priority_of(header, None) == found


@pytest.mark.parametrize(
    ("priority", "purpose", "found"),
    [
        (None, b"prefetch", PREFETCH),
        (None, b"Prefetch;prerender", PREFETCH),
        (b"u=0", b"prefetch", PREFETCH),
        (b"u=7", b"prefetch", BACKGROUND),
        (None, b"navigate", None),
    ],
)
def test_prefetches_say_so(priority: bytes | None, purpose: bytes, found: Priority | None) -> None:
    """`sec-purpose: prefetch` is a prefetch however urgent it calls itself."""
    assert priority_of(priority, purpose) == found
