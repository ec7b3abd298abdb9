"""Cursors: opaque names of a place in one ordered list, checked when they come back.

It runs no query. A cursor names a place, never an account, and is not signed: each query is of its
own viewer whatever the place, so a foreign or made-up cursor shows nobody anything but his own.
"""

import base64
import binascii
from datetime import datetime
from typing import Any

import orjson

from core_services.kit.errors import BadCursor
from core_services.kit.times import from_wire, to_wire

LONGEST_CURSOR = 512
_LONGEST_PART = 128
_INT8 = 2**63


class CursorKind:
    """The cursor of one list.

    Its name and the types (datetime, str, int) of the keys it is sorted by.

    A cursor of another list, or one made up, is BadCursor (422), never a database error.
    """

    def __init__(self, name: str, *parts: type[datetime] | type[str] | type[int]) -> None:
        self.name = name
        self._parts = parts

    def encode(self, *values: datetime | str | int) -> str:
        """Return the cursor standing after the row with these sort keys."""
        if len(values) != len(self._parts):
            raise ValueError(f"cursor {self.name} takes {len(self._parts)} parts")
        wire = [to_wire(value) if isinstance(value, datetime) else value for value in values]
        return base64.urlsafe_b64encode(orjson.dumps([self.name, *wire])).decode().rstrip("=")

    def decode(self, cursor: str) -> tuple[Any, ...]:
        """Return the sort keys in the types given; raises BadCursor."""
        try:
            raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True)
            name, *wire = orjson.loads(raw)
            if name != self.name or len(wire) != len(self._parts):
                raise BadCursor
            return tuple(_part(kind, value) for kind, value in zip(self._parts, wire, strict=True))
        except (binascii.Error, ValueError, TypeError, OverflowError) as failure:
            raise BadCursor from failure


def _part(kind: type, value: object) -> datetime | str | int:
    if kind is int:
        if type(value) is int and -_INT8 <= value < _INT8:
            return value
    elif isinstance(value, str) and len(value) <= _LONGEST_PART and "\0" not in value:
        return from_wire(value) if kind is datetime else value
    raise BadCursor
