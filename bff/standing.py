"""What a gateway knows of the app build that calls, and what an answer tells it, as frozen values.

The documents room makes a `Standing` of the registry; the client room judges it and says what is
`Told`; the response and edge rooms carry that out.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import msgspec

from bff.fence import FREE, Fence


class GateAnswers(msgspec.Struct, frozen=True):
    """What the version gate of a platform says of one caller. `available`: the store has a release
    that is new enough. A caller who names no version is below nothing."""

    below_minimum: bool = False
    below_recommended: bool = False
    available: bool = False
    store_url: str | None = None
    message: str | None = None


class FieldEnding(msgspec.Struct, frozen=True):
    """A field that ends for a caller: it may go after that day (UTC). `since` is the instant of its
    deprecation, if that is known; `brownouts` are from when to when it is not answered before that,
    as announced."""

    field: str
    after: date
    reason: str
    since: datetime | None
    brownouts: tuple[tuple[datetime, datetime], ...] = ()


class Standing(msgspec.Struct, frozen=True, eq=False):
    """One caller, as the registry knows him. `release` is the name of his release, None where that
    is unknown; `asked` the version and build he named. `assumed`: he named no build. `sunset`: the
    last day of a release in that state. `fence` is what he must not be sent now; `anybodys` what
    is withheld from anybody at all, for whoever keeps answers for several. `endings` are the fields
    that end for him. `gate` is None where the platform has none. `tells`: his app told its
    capabilities, and is told ours."""

    release: str | None = None
    asked: str | None = None
    state: str | None = None
    assumed: bool = False
    sunset: date | None = None
    fence: Fence = FREE
    anybodys: Fence = FREE
    endings: Mapping[str, FieldEnding] = msgspec.field(default_factory=dict)
    gate: GateAnswers | None = None
    tells: bool = False


class Notice(msgspec.Struct, frozen=True):
    """That something an answer rests on ends: deprecated since, and unsupported from an instant."""

    deprecated: datetime | None = None
    sunset: datetime | None = None


class Told(msgspec.Struct, frozen=True):
    """What an answer says beside its data: `extensions`, never changed, and a notice."""

    extensions: Mapping[str, Any] = msgspec.field(default_factory=dict)
    notice: Notice | None = None


NOTHING_TOLD = Told()
