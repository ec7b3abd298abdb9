"""bff/documents/standings.py: what the registry says of a caller, at one moment of the clock."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bff.contract import Ending, Lifecycle
from bff.documents.known import KnownRelease, KnownReleases
from bff.documents.standings import MOST_KEPT, Standings
from bff.fence import FREE, Fence, fence
from bff.request import ClientIdentity
from persisted_queries.model import Brownout, Published, RegistryState, SetGate, State

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OLD = fence({"Kind": ["VIDEO"]}, {})
LIFECYCLE = Lifecycle(
    {
        "Item.old": Ending(date(2027, 3, 31), "7.3.0", "Ask for new.", date(2026, 1, 1), True),
        "Item.text": Ending(date(2027, 6, 30), "8.0.0", "", None, False),
    },
    {"Item.scene": "ar", "Item.track": "audio"},
)


def release(
    name: str, state: State = "live", *capabilities: str, built: Fence = FREE
) -> KnownRelease:
    version, _, build = name.partition("+")
    sunset = date(2027, 2, 28) if state == "sunset" else None
    published = Published(version, build, "", "", capabilities, state, NOW, 1, sunset=sunset)
    return KnownRelease(published, built)


RELEASES = [
    release("7.1.0+1", "blocked"),
    release("7.2.0+1", "sunset", "audio", built=OLD),
    release("7.3.0+1", "live", "ar"),
    release("7.4.0+5", "rolling_out"),
]


def standings(
    gate: SetGate | None = None,
    brownouts: tuple[Brownout, ...] = (),
    deprecated: dict[str, datetime] | None = None,
    clock: list[float] | None = None,
) -> Standings:
    state = RegistryState(
        "ios",
        releases={one.name: one.published for one in RELEASES},
        gate=gate or SetGate(),
        brownouts=brownouts,
    )
    known = KnownReleases([(one, None) for one in RELEASES])
    now = clock or [NOW.timestamp()]
    return Standings(state, known, LIFECYCLE, deprecated or {}, lambda: now[0])


def caller(name: str | None, capabilities: set[str] | None = None) -> ClientIdentity:
    version, _, build = (name or "").partition("+")
    told = None if capabilities is None else frozenset(capabilities)
    return ClientIdentity("app", version or None, build or None, capabilities=told)


def test_release_is_described() -> None:
    """A caller of a known release has its name, state and last day."""
    found = standings().of(caller("7.2.0+1"))
    assert (found.release, found.asked, found.state) == ("7.2.0+1", "7.2.0+1", "sunset")
    assert (found.assumed, found.sunset, found.gate) == (False, date(2027, 2, 28), None)
    assert standings().of(caller("7.2.0")).assumed


@pytest.mark.parametrize("name", [None, "9.9.9+1", "7.3.0+2"])
def test_unknown_caller_has_no_release(name: str | None) -> None:
    """Whoever names no release, or one that was not published, is known by what he says alone."""
    found = standings().of(caller(name))
    assert (found.release, found.asked, found.state) == (None, name, None)


@pytest.mark.parametrize(
    ("minimum", "name", "below"),
    [
        ("7.3.0", "7.2.0+1", True),
        ("7.3.0", "7.3.0+1", False),
        ("7.3.0", "7.3.0-beta.2+1", True),
        ("7.3.0", "7.10.0", False),
        ("7.3.0", "6", True),
        ("7.3.0", "7.3", False),
        ("7.0", "7.0.0-beta.1+1", True),
        ("7.3", "7.3.0-beta.1+1", True),
        ("7.3.1", "7.3", True),
        ("7.3.0", "7.3.0", False),
        ("7.3.0+7", "7.3.0+6", True),
        ("7.3.0+7", "7.3.0+10", False),
        ("7.3.0+7", "7.2.0+900", True),
        ("7.3.0+7", "7.3.0", True),  # taken for 7.3.0+1
        ("7.5.0+7", "7.5.0", False),  # may be a build that is new enough
        ("7.3.0", None, False),
    ],
)
def test_minimum_is_compared_as_versions(minimum: str, name: str | None, below: bool) -> None:
    """Numbers compare as numbers, 7.3 is 7.3.0, a pre-release is older than its release, builds
    count only where the gate names one, and who names no version is below nothing."""
    gate = standings(SetGate(minimum=minimum)).of(caller(name)).gate
    assert gate is not None
    assert gate.below_minimum is below
    same = standings(SetGate(recommended=minimum)).of(caller(name)).gate
    assert same is not None
    assert (same.below_recommended, same.below_minimum) == (below, False)


@pytest.mark.parametrize(
    ("minimum", "available"),
    [("7.0.0", True), ("7.3.0", True), ("7.3.0+1", True), ("7.3.0+2", False), ("7.4.0", False)],
)
def test_only_live_releases_are_available(minimum: str, available: bool) -> None:
    """The store has what is live; a release that is still rolling out is not there for all."""
    gate = standings(SetGate(minimum=minimum)).of(caller("6.0.0")).gate
    assert gate is not None
    assert gate.available is available


def test_missing_capability_withholds_fields() -> None:
    """Fields that need a capability are absent for who has it neither published nor told."""
    of = standings().of
    assert of(caller("7.3.0+1")).fence.absent == {"Item.track"}
    assert of(caller("7.3.0+1", {"audio", "unheard"})).fence is FREE
    assert of(caller("7.2.0+1")).fence.absent == {"Item.scene"}
    assert of(caller("7.2.0+1")).fence.enums == OLD.enums
    assert of(caller(None)).fence.absent == {"Item.scene", "Item.track"}
    assert of(caller(None, {"ar", "audio"})).fence is FREE


def test_told_capabilities_are_noticed() -> None:
    """An app that tells of its capabilities, be it none, is told ours."""
    of = standings().of
    assert not of(caller("7.3.0+1")).tells
    assert of(caller("7.3.0+1", set())).tells


def test_fields_end_for_older_releases() -> None:
    """A field ends for releases below its `releasesBelow`, known or not, and for nobody else."""
    of = standings().of
    assert set(of(caller("7.2.0+1")).endings) == {"Item.old", "Item.text"}
    assert set(of(caller("7.2.9")).endings) == {"Item.old", "Item.text"}
    assert set(of(caller("7.3.0+1")).endings) == {"Item.text"}
    assert of(caller("8.0.0")).endings == of(caller(None)).endings == {}


def test_deprecation_date_prefers_the_registry() -> None:
    """Since when a field is deprecated says the log, else the schema's author, else nobody."""
    recorded = datetime(2026, 4, 1, 8, tzinfo=UTC)
    found = standings(deprecated={"Item.old": recorded}).of(caller("7.0")).endings
    assert (found["Item.old"].since, found["Item.text"].since) == (recorded, None)
    declared = standings().of(caller("7.0")).endings["Item.old"].since
    assert declared == datetime(2026, 1, 1, tzinfo=UTC)


# --- brown-outs


def at(hour: int, minute: int = 0) -> datetime:
    return NOW.replace(hour=hour, minute=minute)


WINDOWS = (
    Brownout("Item.old", at(13), at(14)),
    Brownout("Item.old", at(13, 30), at(15)),
    Brownout("Item.nobody", at(10), at(20)),
)


def test_brown_out_follows_the_clock() -> None:
    """A field goes and comes back by the clock alone, for older releases alone, over windows that
    overlap; a clock that is set back is believed."""
    clock = [at(12).timestamp()]
    made = standings(brownouts=WINDOWS, clock=clock)

    def denied(name: str, hour: int, minute: int = 0) -> set[str]:
        clock[0] = at(hour, minute).timestamp()
        return set(made.of(caller(name, {"ar", "audio"})).fence.brownouts)

    assert denied("7.2.0+1", 12, 59) == set()
    assert denied("7.2.0+1", 13) == {"Item.old"}
    assert denied("7.3.0+1", 13, 10) == set()
    assert denied("7.2.0+1", 14, 30) == {"Item.old"}
    assert denied("7.2.0+1", 15) == set()
    assert denied("7.2.0+1", 13, 59) == {"Item.old"}
    assert denied("7.2.0+1", 9) == set()


def test_brown_outs_are_announced() -> None:
    """Whoever is told that a field ends is told of windows that are not over yet, in order."""
    clock = [at(12).timestamp()]
    made = standings(brownouts=tuple(reversed(WINDOWS)), clock=clock)
    announced = made.of(caller("7.2.0+1")).endings["Item.old"].brownouts
    assert announced == ((at(13), at(14)), (at(13, 30), at(15)))
    clock[0] = at(14, 10).timestamp()
    assert made.of(caller("7.2.0+1")).endings["Item.old"].brownouts == (announced[1],)


def test_anybodys_fence_has_everything() -> None:
    """For who keeps answers for all: what is withheld from anybody, now."""
    clock = [at(12).timestamp()]
    made = standings(brownouts=WINDOWS, clock=clock)
    found = made.of(caller("7.3.0+1")).anybodys
    assert found.enums == OLD.enums
    assert found.absent == {"Item.scene", "Item.track"}
    assert found.brownouts == frozenset()
    clock[0] = at(13).timestamp()
    assert made.of(caller("7.3.0+1")).anybodys.brownouts == {"Item.old"}


def test_standings_are_kept() -> None:
    """The same caller has the same standing until something changes; strangers do not pile up."""
    made = standings()
    assert made.of(caller("7.3.0+1")) is made.of(caller("7.3.0+1"))
    for number in range(MOST_KEPT + 10):
        made.of(caller(f"0.{number}"))
    assert len(made._kept) <= MOST_KEPT


def test_unheard_capabilities_make_no_difference() -> None:
    """What the schema knows nothing of does not make another caller of anybody."""
    made = standings()
    assert made.of(caller("7.3.0+1", {"x1", "ar"})) is made.of(caller("7.3.0+1", {"x2", "ar"}))
    assert made.of(caller("7.3.0+1", {"x1"})) is made.of(caller("7.3.0+1", set()))
