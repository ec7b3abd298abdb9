"""The headers that say that what an answer rests on ends: Deprecation (RFC 9745), Sunset (RFC 8594)
and Link."""

from __future__ import annotations

from collections.abc import Iterable
from email.utils import format_datetime
from functools import lru_cache

from bff.response.http_cache import Header
from bff.standing import Notice


class Notices:
    """`explained_at` is the page that Link leads to, if there is one."""

    def __init__(self, explained_at: str | None) -> None:
        self._link: list[Header] = []
        if explained_at is not None:
            link = f'<{explained_at}>; rel="deprecation"; type="text/html"'
            self._link.append((b"link", link.encode()))

    def headers(self, notices: Iterable[Notice | None]) -> list[Header]:
        """Of one answer that holds several: the earliest dates of them."""
        given = {one for one in notices if one is not None}
        if not given:
            return []
        first = given.pop() if len(given) == 1 else _earliest(given)
        return [*_dates(first), *self._link]


def _earliest(notices: Iterable[Notice]) -> Notice:
    given = list(notices)
    deprecated = [one.deprecated for one in given if one.deprecated is not None]
    ends = [one.sunset for one in given if one.sunset is not None]
    return Notice(min(deprecated, default=None), min(ends, default=None))


# A release has few of them, and every phone with it gets the same.
@lru_cache(maxsize=256)
def _dates(notice: Notice) -> tuple[Header, ...]:
    found: list[Header] = []
    if notice.deprecated is not None:
        found.append((b"deprecation", b"@%d" % notice.deprecated.timestamp()))
    if notice.sunset is not None:
        found.append((b"sunset", format_datetime(notice.sunset, usegmt=True).encode()))
    return tuple(found)
