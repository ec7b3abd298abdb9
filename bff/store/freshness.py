"""What a service's `cache-control` allows to be kept, as values (RFC 9111 section 5.2, RFC 5861).

Closed: what is not declared in full, or not understood, is not kept at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

MOST_S = 7 * 86_400
"""A longer time is taken for this one."""

_NEVER = frozenset({"no-store", "no-cache"})
_NO_STALE = frozenset({"must-revalidate", "proxy-revalidate"})


class Freshness(NamedTuple):
    """Seconds since the call began: an answer is fresh for `max_age`, may be given while it is
    asked for anew for `while_revalidate` more, and in place of a failure for `if_error` more.
    `private`: it is one viewer's."""

    max_age: int
    while_revalidate: int
    if_error: int
    private: bool

    @property
    def longest(self) -> int:
        """The hard time to live."""
        return self.max_age + max(self.while_revalidate, self.if_error)


NOTHING_KEPT = Freshness(0, 0, 0, True)
"""Of an answer that is to be asked for every time."""


@lru_cache(maxsize=512)
def read_freshness(cache_control: str) -> Freshness | None:
    """The freshness a `cache-control` declares; None if nothing may be kept by it: one of
    `public` and `private` must stand in it, and `max-age`."""
    found: dict[str, str] = {}
    for part in cache_control.split(","):
        name, _, value = part.partition("=")
        value = value.strip(' "')
        if found.setdefault(name.strip().lower(), value) != value:
            return None  # said twice, in two ways
    if not _NEVER.isdisjoint(found) or ("public" in found) == ("private" in found):
        return None
    # `private="set-cookie"` speaks of a header, not of the answer.
    if found.get("public") or found.get("private"):
        return None
    stale = _NO_STALE.isdisjoint(found)
    age = _seconds(found.get("max-age"))
    revalidate = _seconds(found.get("stale-while-revalidate", "0")) if stale else 0
    error = _seconds(found.get("stale-if-error", "0")) if stale else 0
    if age is None or revalidate is None or error is None or not (age or revalidate or error):
        return None
    return Freshness(age, revalidate, error, "private" in found)


def folded(freshnesses: Iterable[Freshness | None]) -> Freshness | None:
    """The freshness of what several answers are made of: as short as the shortest of each; None if
    one of them may not be kept."""
    found = list(freshnesses)
    kept = [one for one in found if one is not None]
    if not kept or len(kept) != len(found):
        return None
    ages, revalidates, errors, privates = zip(*kept, strict=True)
    return Freshness(min(ages), min(revalidates), min(errors), any(privates))


def read_tags(header: str | None) -> tuple[str, ...]:
    """The tags of a comma-separated header, each once."""
    if not header:
        return ()
    return tuple(dict.fromkeys(tag for part in header.split(",") if (tag := part.strip())))


def _seconds(value: str | None) -> int | None:
    if value is None or not value.isascii() or not value.isdecimal() or len(value) > 12:
        return None
    return min(int(value), MOST_S)
