"""The registry of one platform as values: entries of its log, and the state they add up to.

Nothing is read or written here; who signs, stores and fetches is `log.py` and `registry.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Literal, get_args

import msgspec

State = Literal["draft", "in_review", "rolling_out", "live", "sunset", "blocked", "retired"]
STATES: tuple[State, ...] = get_args(State)
# A schema change may break none of these: their users cannot be asked to come back later.
SUPPORTED: frozenset[State] = frozenset({"draft", "in_review", "rolling_out", "live", "sunset"})
# Longer or other ones no caller can name (bff/client/identify.py), and nobody should have to print.
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
BUILD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
# Without a zone it is no instant, and cannot be compared with one.
Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# Of an object. Anything else is refused where it is read: it would be a path to anywhere.
Hash = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{64}\Z")]
# From → to. Nothing leads back from `retired`: whoever relies on a retired build being gone (a
# removed field) must be able to.
TRANSITIONS: Mapping[State, frozenset[State]] = {
    "draft": frozenset({"in_review", "rolling_out", "live", "blocked", "retired"}),
    "in_review": frozenset({"draft", "rolling_out", "live", "blocked", "retired"}),
    "rolling_out": frozenset({"rolling_out", "live", "sunset", "blocked", "retired"}),
    "live": frozenset({"rolling_out", "sunset", "blocked", "retired"}),
    "sunset": frozenset({"sunset", "live", "blocked", "retired"}),
    "blocked": frozenset({"live", "sunset", "retired"}),
    "retired": frozenset(),
}


class Entry(msgspec.Struct, frozen=True, tag_field="kind"):
    """Base of what a log entry may say."""


class Publish(Entry, frozen=True, tag="publish"):
    """A release and what it sends. `manifest` and `schema` are hashes of objects; `schema` is the
    SDL the app's code was generated from. Its first state is `draft` unless told."""

    version: str
    build: str
    manifest: Hash
    schema: Hash
    capabilities: tuple[str, ...] = ()
    state: State = "draft"


class SetState(Entry, frozen=True, tag="state"):
    """`rollout`: share of devices in per cent while rolling out. `sunset`: the day after which the
    release is no longer supported, while it is in sunset."""

    version: str
    build: str
    state: State
    rollout: int | None = None
    sunset: date | None = None
    reason: str = ""


class SetGate(Entry, frozen=True, tag="gate"):
    """The version gate: below `minimum` an upgrade is forced, below `recommended` it is hinted at.
    The whole gate is replaced by each entry."""

    minimum: str | None = None
    recommended: str | None = None
    store_url: str | None = None
    message: str | None = None


class Remap(Entry, frozen=True, tag="remap"):
    """A hot-fix: `id` runs the document object `hash` in place of what its release published; for
    one release (`<version>+<build>`) or, with None, for all. `hash` None undoes it."""

    id: str
    hash: Hash | None
    release: str | None = None
    reason: str = ""


class RecordSchema(Entry, frozen=True, tag="schema"):
    """From now on the platform answers by this SDL (hash of an object). `reason`: why, where
    `bff check` had refused it."""

    schema: Hash
    reason: str = ""


class Brownout(Entry, frozen=True, tag="brownout"):
    """Between two instants (UTC) releases below a field's `releasesBelow` get FIELD_SUNSET for it.
    `ends` equal to `begins` takes an announced one back."""

    field: str
    begins: Instant
    ends: Instant
    note: str = ""


AnyEntry = Publish | SetState | SetGate | Remap | RecordSchema | Brownout


class Record(msgspec.Struct, frozen=True):
    """One numbered entry of a platform's log. `previous` is the SHA-256 of the entry before, as
    stored ("" for the first); `by` says who wrote it, for people."""

    number: int
    previous: str
    platform: str
    at: Instant
    by: str
    entry: AnyEntry


class Published(msgspec.Struct, frozen=True):
    """A release as the log tells it. `changed` is the number of the entry that last touched it."""

    version: str
    build: str
    manifest: str
    schema: str
    capabilities: tuple[str, ...]
    state: State
    published: datetime
    changed: int
    rollout: int | None = None
    sunset: date | None = None
    reason: str = ""

    @property
    def name(self) -> str:
        """`<version>+<build>`."""
        return f"{self.version}+{self.build}"

    @property
    def is_supported(self) -> bool:
        return self.state in SUPPORTED


class Recorded(msgspec.Struct, frozen=True):
    """A schema the platform answered by, and since when."""

    schema: str
    since: datetime


class RegistryState(msgspec.Struct, frozen=True):
    """What a platform's log adds up to after entry `number`, whose hash is `head`. `releases` are
    in order of version and build; `remaps` is (document id, release or None) → document hash."""

    platform: str
    number: int = 0
    head: str = ""
    releases: Mapping[str, Published] = msgspec.field(default_factory=dict)
    gate: SetGate = SetGate()
    remaps: Mapping[tuple[str, str | None], str] = msgspec.field(default_factory=dict)
    schemas: tuple[Recorded, ...] = ()
    brownouts: tuple[Brownout, ...] = ()

    @property
    def unretired(self) -> list[str]:
        """Names of the releases that may still be met, oldest first."""
        return [name for name, one in self.releases.items() if one.state != "retired"]


class EntryRefusedError(Exception):
    """An entry that does not follow from the state before it: what is wrong and the way out."""


def add(state: RegistryState, record: Record, head: str) -> RegistryState:
    """The state after one more entry; `head` is the entry's own hash. Raises EntryRefusedError."""
    if record.platform != state.platform:
        raise EntryRefusedError(
            f"entry {record.number} is of {record.platform}, this log is {state.platform}'s"
        )
    if record.number != state.number + 1 or record.previous != state.head:
        raise EntryRefusedError(
            f"entry {record.number} does not follow entry {state.number}; fetch the log again"
        )
    changed = _applied(state, record)
    return msgspec.structs.replace(changed, number=record.number, head=head)


def _applied(state: RegistryState, record: Record) -> RegistryState:
    entry = record.entry
    replace = msgspec.structs.replace
    match entry:
        case Publish():
            return replace(state, releases=_with_release(state, entry, record))
        case SetState():
            return replace(state, releases=_with_state(state, entry, record))
        case SetGate():
            for limit in filter(None, (entry.minimum, entry.recommended)):
                _check_name(*limit.partition("+"))
            return replace(state, gate=entry)
        case Remap():
            return replace(state, remaps=_with_remap(state, entry))
        case RecordSchema():
            recorded = Recorded(entry.schema, record.at)
            return replace(state, schemas=(*state.schemas, recorded))
        case Brownout():
            return replace(state, brownouts=_with_brownout(state, entry))


def _with_release(state: RegistryState, entry: Publish, record: Record) -> dict[str, Published]:
    _check_name(entry.version, "+", entry.build)
    found = Published(
        entry.version,
        entry.build,
        entry.manifest,
        entry.schema,
        entry.capabilities,
        entry.state,
        record.at,
        record.number,
    )
    if found.name in state.releases:
        raise EntryRefusedError(
            f"{found.name} is published already and never changes; give the app a new build number"
        )
    releases = {**state.releases, found.name: found}
    return dict(sorted(releases.items(), key=lambda one: order(one[1].version, one[1].build)))


def _check_name(version: str, separator: str, build: str) -> None:
    if VERSION.fullmatch(version) is None or (separator and BUILD.fullmatch(build) is None):
        raise EntryRefusedError(
            f"{(version + separator + build)[:80]!r} is no release that an app can name; a version "
            "is as 7.4.0, of at most 64 letters, and a build of at most 32"
        )


def _with_state(state: RegistryState, entry: SetState, record: Record) -> dict[str, Published]:
    name = f"{entry.version}+{entry.build}"
    release = state.releases.get(name)
    if release is None:
        raise EntryRefusedError(f"{name} was never published; `bff release list` shows what was")
    if entry.state not in TRANSITIONS[release.state]:
        ways = ", ".join(sorted(TRANSITIONS[release.state])) or "nothing; publish a new build"
        raise EntryRefusedError(
            f"{name} is {release.state} and cannot become {entry.state}; it can become {ways}"
        )
    changed = msgspec.structs.replace(
        release,
        state=entry.state,
        rollout=entry.rollout,
        sunset=entry.sunset,
        reason=entry.reason,
        changed=record.number,
    )
    return {**state.releases, name: changed}


def _with_remap(state: RegistryState, entry: Remap) -> dict[tuple[str, str | None], str]:
    remaps = dict(state.remaps)
    place = (entry.id, entry.release)
    if entry.hash is not None:
        remaps[place] = entry.hash
    elif remaps.pop(place, None) is None:
        raise EntryRefusedError(f"{entry.id} is not remapped there; nothing to undo")
    return remaps


def _with_brownout(state: RegistryState, entry: Brownout) -> tuple[Brownout, ...]:
    others = [
        one for one in state.brownouts if (one.field, one.begins) != (entry.field, entry.begins)
    ]
    return tuple(others) if entry.ends <= entry.begins else (*others, entry)


Order = tuple[tuple[int, int, str], ...]
ZERO = (2, 0, "")


def order(version: str, build: str = "") -> tuple[Order, Order]:
    """Sorts releases: numbers compare as numbers (7.10 after 7.9), 7.3 is 7.3.0, a pre-release
    stands before its release."""
    return _order(version), _order(build)


def order_of(named: str) -> tuple[Order, Order]:
    """The same of `<version>` or `<version>+<build>`; without a build it stands before every build
    of its version."""
    version, _, build = named.partition("+")
    return order(version, build)


def _order(words: str) -> Order:
    parts = [
        (2, int(part), "") if part.isdecimal() else (0, 0, part)
        for part in re.split(r"[.\-]", words)
    ]
    numbers = next((at for at, part in enumerate(parts) if part[0] != 2), len(parts))
    kept = numbers
    while kept and parts[kept - 1] == ZERO:
        kept -= 1
    return (*parts[:kept], *parts[numbers:], (1, 0, ""))
