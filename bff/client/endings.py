"""What a caller is told of what ends for him: fields his document reads, his own release.

Days are meant in UTC: what may go after a day is there until its last second.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

from bff.standing import FieldEnding, Notice, Standing, Told

LAST_SECOND = time(23, 59, 59, tzinfo=UTC)


def told_of(standing: Standing, met: Iterable[str], ordinary: Told) -> Told:
    """What is told anyway, and of these fields of the caller's endings, earliest first."""
    fields = sorted((standing.endings[one] for one in met), key=lambda one: (one.after, one.field))
    ends = [one.after for one in fields]
    if standing.sunset is not None:
        ends.append(standing.sunset)
    if not ends:
        return ordinary
    since = [one.since for one in fields if one.since is not None]
    extensions = dict(ordinary.extensions)
    if fields:
        extensions["deprecations"] = [_entry(one) for one in fields]
    return Told(extensions, Notice(min(since, default=None), _end_of(min(ends))))


def _entry(ending: FieldEnding) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "field": ending.field,
        "after": ending.after.isoformat(),
        "reason": ending.reason,
    }
    if ending.brownouts:
        entry["brownouts"] = [
            {"from": begins.isoformat(), "to": ends.isoformat()}
            for begins, ends in ending.brownouts
        ]
    return entry


def _end_of(day: date) -> datetime:
    return datetime.combine(day, LAST_SECOND)
