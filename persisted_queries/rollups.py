"""Usage as it is stored: roll-ups, one object each, never changed; who reads them is `usage.py`.

A process keeps one running sum a day (UTC) and writes it again and again, under the next number:
`usage/<platform>/<YYYY-MM-DD>/<process>-<number>`. The highest number of a process tells all that
the lower ones do, so that a write that failed needs no repeating and a reader reads one object per
process and day. `…/compact-<number>` sums up several processes that are done with the day.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple, Protocol

import msgspec

from persisted_queries import model
from persisted_queries.devices import DOCUMENT_LIMIT, HASH_BYTES, RELEASE_LIMIT, Devices

VERSION = 1
COMPACT = "compact"
# Callers that did not say which release they are, and those past what a process tells apart.
# Neither can be a version: those begin with a letter or a digit.
NOT_TOLD = ""
OTHERS = "*"
ALL_DOCUMENTS = ""

# What callers and documents are counted under; a roll-up is not signed, and may say anything.
_RELEASE = re.compile(rf"\*|(?:{model.VERSION.pattern}(?:\+{model.BUILD.pattern})?)?")
_DOCUMENT = re.compile(r"(?:[0-9a-f]{64})?")
_NAME = re.compile(r"(?P<writer>[0-9a-z]+)-(?P<number>[0-9]+)")


class RollUpStore(Protocol):
    """Where roll-ups are; `store.Store` is one. Every method raises StoreGoneError."""

    def create(self, path: str, data: bytes) -> bool:
        """Whether it was created; False where something else stands there already."""

    def get(self, path: str) -> bytes | None:
        """None where there is nothing."""

    def paths(self, prefix: str) -> list[str]:
        """Every path below a folder."""

    def remove(self, paths: Sequence[str]) -> None:
        """Remove objects; one that is not there is no fault."""


class Row(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one release asked of one document within a roll-up; of ALL_DOCUMENTS, the whole of the
    release: what was refused or not registered is counted nowhere else."""

    release: str
    document: str
    requests: int
    errors: int
    bytes_out: int
    first: model.Instant
    last: model.Instant
    devices: bytes = b""
    limit: int = RELEASE_LIMIT


class Trail(msgspec.Struct, frozen=True):
    """What a process counted in a day, and whether it stopped counting there in good order.
    `every_s`: how often it promises to write."""

    process: str
    number: int
    begins: model.Instant
    ends: model.Instant
    every_s: float
    closes: bool = False


class RollUp(msgspec.Struct, frozen=True):
    """A roll-up of one process, or of those a compaction sums up."""

    platform: str
    trails: tuple[Trail, ...]
    rows: tuple[Row, ...]
    version: int = VERSION

    def encode(self) -> bytes:
        """As it is stored: JSON."""
        return msgspec.json.encode(self)


_decoder = msgspec.json.Decoder(RollUp)


def read(store: RollUpStore, path: str, platform: str) -> RollUp:
    """Raises ValueError for what is no roll-up of this platform that we can read (or is gone by
    now), StoreGoneError."""
    data = store.get(path)
    if data is None:
        raise ValueError("is gone")
    found = _decoder.decode(data)  # msgspec's errors are ValueErrors
    if found.platform != platform or found.version != VERSION:
        raise ValueError(f"is of {found.platform}, version {found.version}")
    if any(len(row.devices) % HASH_BYTES or row.limit < 3 for row in found.rows):
        raise ValueError("holds device hashes that are cut off")
    if not all(
        _RELEASE.fullmatch(r.release) and _DOCUMENT.fullmatch(r.document) for r in found.rows
    ):
        raise ValueError("counts what is no release or no document")
    return found


class Name(NamedTuple):
    """`writer` is a process, or COMPACT."""

    writer: str
    number: int
    path: str


def folder(platform: str, day: date) -> str:
    """Where the roll-ups of a day are."""
    return f"usage/{platform}/{day.isoformat()}"


def path(platform: str, day: date, writer: str, number: int) -> str:
    """The name of an object."""
    return f"{folder(platform, day)}/{writer}-{number:06d}"


def parse(paths: Iterable[str]) -> list[Name]:
    """What is a roll-up by its name, lowest number first; other names are left alone."""
    found = []
    for one in paths:
        named = _NAME.fullmatch(one.rpartition("/")[2])
        if named is not None:
            found.append(Name(named["writer"], int(named["number"]), one))
    return sorted(found, key=lambda name: name.number)


def day_begins(day: date) -> datetime:
    """The first instant of a day, UTC."""
    return datetime.combine(day, time(), UTC)


def day_ends(day: date) -> datetime:
    """The first instant after a day, UTC."""
    return day_begins(day) + timedelta(days=1)


class Tally:
    """A sum of rows that grows."""

    __slots__ = ("bytes_out", "devices", "errors", "first", "last", "requests")

    def __init__(self, first: datetime, limit: int) -> None:
        self.requests = self.errors = self.bytes_out = 0
        self.first = self.last = first
        self.devices = Devices(limit)

    def add(self, row: Row) -> None:
        """Raises ValueError for device hashes that are cut off."""
        self.requests += row.requests
        self.errors += row.errors
        self.bytes_out += row.bytes_out
        self.first = min(self.first, row.first)
        self.last = max(self.last, row.last)
        if row.devices:
            self.devices.merge(Devices.decode(row.limit, row.devices))

    def merge(self, other: Tally) -> None:
        """Add another sum."""
        self.requests += other.requests
        self.errors += other.errors
        self.bytes_out += other.bytes_out
        self.first = min(self.first, other.first)
        self.last = max(self.last, other.last)
        self.devices.merge(other.devices)

    def row(self, release: str, document: str) -> Row:
        """As it is stored."""
        devices = self.devices
        return Row(
            release,
            document,
            self.requests,
            self.errors,
            self.bytes_out,
            self.first,
            self.last,
            devices.encode(),
            devices.limit,
        )


class Book(dict[tuple[str, str], Tally]):
    """Sums by (release, document)."""

    def tally(
        self, release: str, document: str, first: datetime, limit: int = DOCUMENT_LIMIT
    ) -> Tally:
        """The sum of a pair, begun if need be: that of a document with this limit of devices."""
        found = self.get((release, document))
        if found is None:
            found = Tally(first, limit if document else RELEASE_LIMIT)
            self[release, document] = found
        return found

    def add(self, rows: Iterable[Row]) -> None:
        """Add what a roll-up holds."""
        for row in rows:
            self.tally(row.release, row.document, row.first).add(row)

    def rows(self) -> tuple[Row, ...]:
        """As they are stored, in order."""
        found: Mapping[tuple[str, str], Tally] = self
        return tuple(found[pair].row(*pair) for pair in sorted(found))
