"""Releases made up for tests of what a schema change does to them."""

from __future__ import annotations

import hashlib
import itertools
from datetime import UTC, date, datetime

from graphql import build_schema

from persisted_queries.impact import Shipped
from persisted_queries.manifest import ManifestOperation
from persisted_queries.model import Published, State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
_NUMBERS = itertools.count(1)


def operation(body: str, name: str = "Read") -> ManifestOperation:
    """A registered operation with this text."""
    kind = "mutation" if body.startswith("mutation") else "query"
    hashed = hashlib.sha256(body.encode()).hexdigest()
    return ManifestOperation(hashed, name, kind, body, hashed)  # type: ignore[arg-type]


def published(
    name: str = "7.3.0+801", state: State = "live", sunset: date | None = None
) -> Published:
    """A release as the log would tell it."""
    version, _, build = name.partition("+")
    number = next(_NUMBERS)
    return Published(version, build, "", "", (), state, NOW, number, None, sunset)


def shipped(
    *bodies: str,
    built: str | None = None,
    name: str = "7.3.0+801",
    state: State = "live",
    sunset: date | None = None,
) -> Shipped:
    """A release that sends these texts; `built` is its SDL."""
    operations = tuple(operation(body) for body in bodies)
    schema = build_schema(built) if built is not None else None
    return Shipped(published(name, state, sunset), operations, schema)
