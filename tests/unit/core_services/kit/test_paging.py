"""Cursors and times: what goes out comes back, and nothing else gets in."""

import base64
import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core_services.kit.errors import BadCursor
from core_services.kit.paging import LONGEST_CURSOR, CursorKind
from core_services.kit.times import from_wire, now, to_wire, whole_milliseconds

FEED = CursorKind("feed", datetime, str, int)


def packed(value: object) -> str:
    """Return a made-up cursor of any JSON value."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@given(
    st.datetimes(timezones=st.just(UTC)).map(whole_milliseconds),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=64),
    st.integers(-(2**63), 2**63 - 1),
)
def test_cursor_comes_back_whole(at: datetime, name: str, number: int) -> None:
    """Any sort keys survive the way out and back."""
    assert FEED.decode(FEED.encode(at, name, number)) == (at, name, number)


def test_ordinary_cursor_is_short() -> None:
    """The cursors we hand out fit the parameter that brings them back."""
    assert len(FEED.encode(now(), "x" * 64, 2**63 - 1)) < LONGEST_CURSOR


TIME = "2026-11-20T08:46:00.000Z"
MADE_UP: dict[str, str] = {
    "empty": "",
    "text": "hello",
    "not base64": "ä!",
    "not json": base64.urlsafe_b64encode(b"[1,").decode(),
    "not utf-8": base64.urlsafe_b64encode(b'["\xff"]').decode(),
    "object": packed({"feed": 1}),
    "string": packed("feed"),
    "other list": packed(["saved", TIME, "a", 1]),
    "part missing": packed(["feed", TIME, "a"]),
    "part too many": packed(["feed", TIME, "a", 1, 2]),
    "no time": packed(["feed", "soon", "a", 1]),
    "time without zone": packed(["feed", "2026-11-20T08:46:00", "a", 1]),
    "time overflow": packed(["feed", "0001-01-01T00:00:00+14:00", "a", 1]),
    "number for text": packed(["feed", TIME, 7, 1]),
    "text for number": packed(["feed", TIME, "a", "1"]),
    "bool for number": packed(["feed", TIME, "a", True]),
    "float for number": packed(["feed", TIME, "a", 1.5]),
    "beyond int8": packed(["feed", TIME, "a", 2**63]),
    "nul": packed(["feed", TIME, "a\0", 1]),
    "long part": packed(["feed", TIME, "a" * 129, 1]),
    "deep": base64.urlsafe_b64encode(b"[" * 300).decode(),
}


@pytest.mark.parametrize("cursor", MADE_UP.values(), ids=MADE_UP)
def test_made_up_cursor_is_refused(cursor: str) -> None:
    """What this list did not hand out is BAD_CURSOR, never a database error."""
    with pytest.raises(BadCursor):
        FEED.decode(cursor)


@given(st.text(max_size=100))
def test_any_text_is_refused(cursor: str) -> None:
    """No text makes the decoder fail in another way."""
    with pytest.raises(BadCursor):
        FEED.decode(cursor)


def test_wire_time_is_exact() -> None:
    """Times go out in UTC with three decimals and Z, whatever zone they came in."""
    at = datetime(2026, 11, 20, 9, 46, 0, 123_999, timezone(timedelta(hours=1)))
    assert to_wire(whole_milliseconds(at)) == "2026-11-20T08:46:00.123Z"
    assert from_wire("2026-11-20T08:46:00.123Z") == whole_milliseconds(at)


def test_naive_time_is_refused() -> None:
    """A time without a zone is a mistake of the program and says so."""
    with pytest.raises(ValueError, match="needs a zone"):
        whole_milliseconds(datetime(2026, 11, 20))  # noqa: DTZ001 - the mistake in question
