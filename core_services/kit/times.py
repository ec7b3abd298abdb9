"""Instants as the services keep and send them: UTC, whole milliseconds, RFC 3339 with a final Z."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the process clock in UTC, cut to milliseconds so that storing it loses nothing."""
    return whole_milliseconds(datetime.now(UTC))


def whole_milliseconds(at: datetime) -> datetime:
    """Return `at` in UTC without its microseconds; a naive value is refused (ValueError)."""
    if at.tzinfo is None:
        raise ValueError("a time needs a zone; build it with tzinfo=UTC")
    at = at.astimezone(UTC)
    return at.replace(microsecond=at.microsecond // 1000 * 1000)


def to_wire(at: datetime) -> str:
    """Return `2026-11-20T08:46:00.000Z` (RFC 3339 section 5.6) for an instant in UTC."""
    return at.isoformat(timespec="milliseconds")[:23] + "Z"


def from_wire(text: str) -> datetime:
    """Read what `to_wire` wrote, or any RFC 3339 time with a zone.

    Anything else is a ValueError.
    """
    return whole_milliseconds(datetime.fromisoformat(text))
