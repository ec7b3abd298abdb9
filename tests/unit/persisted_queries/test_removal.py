"""When a schema change is allowed, and from which day on."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest
from graphql import build_schema

from persisted_queries.impact import Shipped
from persisted_queries.model import State
from persisted_queries.removal import Judgement, Today, gap_end, judge, promises
from persisted_queries.rollups import NOT_TOLD, OTHERS
from persisted_queries.usage_view import UNSEEN, NothingKnown, ReleaseUsage, UsageView
from tests.unit.persisted_queries.shipped import NOW, operation, shipped

OLD = """
directive @sunset(after: String!, releasesBelow: String!) on FIELD_DEFINITION | ENUM_VALUE
type Query { home: Home }
type Home { title: String old: String kept: State }
enum State { NEW OLD }
"""
READS = "query Read { home { old } }"
OTHER = "query Other { home { title } }"
REMOVED = ("old: String ", "")
WINDOW = 30


class Seen:
    """Usage as told: release → use; counted without a gap since an instant."""

    def __init__(
        self, releases: dict[str, ReleaseUsage] | None = None, since: datetime | None = None
    ) -> None:
        self._releases = releases or {}
        self._since = since
        self.asked: list[str] = []

    def release(self, name: str) -> ReleaseUsage:
        self.asked.append(name)
        return self._releases.get(name, UNSEEN)

    def document(self, release_name: str, document_hash: str) -> ReleaseUsage:
        return self._releases.get(f"{release_name} {document_hash}", UNSEEN)

    def is_complete(self, since: datetime) -> bool:
        self.asked.append("complete")
        return self._since is None or since >= self._since


def judged(
    *releases: Shipped,
    change: tuple[str, str] = REMOVED,
    usage: UsageView | None = None,
    old: str = OLD,
    now: datetime = NOW,
) -> Judgement:
    """The judgement of replacing text in the schema."""
    assert change[0] in old
    schemas = (build_schema(old), build_schema(old.replace(*change)))
    return judge("ios", schemas, releases, Today(now, usage or Seen(), WINDOW))


@pytest.mark.parametrize("state", ["draft", "in_review", "rolling_out", "live"])
def test_supported_reader_forbids_removal(state: State) -> None:
    """A release that is made, reviewed, rolled out or live forbids what breaks it, however little
    it is used; waiting is no help, ending it is."""
    found = judged(shipped(READS, state=state))
    assert not found.allowed
    assert found.earliest is None
    (standing,) = found.standings
    assert standing.earliest is None
    verb = "retire" if state in ("draft", "in_review") else "sunset"
    assert f"bff release {verb} 7.3.0+801 --platform ios" in standing.way_out


@pytest.mark.parametrize("state", ["blocked", "retired"])
def test_gone_reader_forbids_nothing(state: State) -> None:
    """A blocked or retired release is not asked any more."""
    found = judged(shipped(READS, state=state))
    assert found.allowed
    assert found.standings == ()


def test_breaking_change_nobody_feels() -> None:
    """What no release reads may go, breaking or not."""
    found = judged(shipped(OTHER))
    assert [one.coordinate for one in found.changes] == ["Home.old"]
    assert found.allowed


def test_dangerous_change_is_allowed() -> None:
    """An endangered release is told of and forbids nothing."""
    found = judged(
        shipped("query Read { home { kept } }", built=OLD), change=("NEW OLD", "NEW OLD ODD")
    )
    assert found.allowed
    assert [one.impact.breaks for one in found.standings] == [False]


def sunset(day: date) -> Shipped:
    return shipped(READS, state="sunset", sunset=day)


def test_sunset_holds_until_its_date() -> None:
    """A release in sunset forbids until its day is over, used or not."""
    found = judged(sunset(date(2026, 12, 24)))
    assert not found.allowed
    assert found.earliest == date(2026, 12, 25)
    assert not judged(sunset(NOW.date())).allowed


def test_ended_and_unused_release_is_let_go() -> None:
    """After its date, not seen in a window counted without gaps, a release forbids nothing."""
    found = judged(sunset(date(2026, 11, 19)))
    assert found.allowed
    assert found.standings[0].impact.breaks
    assert not found.standings[0].counts


def test_use_after_sunset_holds_on() -> None:
    """A release that was seen holds until a whole window after it was seen last."""
    seen = Seen({"7.3.0+801": ReleaseUsage(5, 0, 2, 0.01, NOW - timedelta(days=10))})
    found = judged(sunset(date(2026, 10, 1)), usage=seen)
    assert not found.allowed
    assert found.earliest == date(2026, 12, 11)


@pytest.mark.parametrize("nobody", [NOT_TOLD, OTHERS])
def test_use_by_unnamed_apps_holds_on(nobody: str) -> None:
    """What would break, sent by an app that did not say which release it is, may be this one."""
    hashed = operation(READS).hash
    use = ReleaseUsage(1, last_seen=NOW - timedelta(days=1))
    assert not judged(sunset(date(2026, 10, 1)), usage=Seen({f"{nobody} {hashed}": use})).allowed
    assert judged(sunset(date(2026, 10, 1)), usage=Seen({f"{nobody} {'0' * 64}": use})).allowed


def test_gap_never_permits_removal() -> None:
    """What was not counted may be use: a gap holds until a whole window after it ended."""
    found = judged(sunset(date(2026, 10, 1)), usage=Seen(since=NOW - timedelta(days=5)))
    assert not found.allowed
    assert found.earliest == date(2026, 12, 16)
    assert "not wholly known" in found.standings[0].why


def test_unknown_usage_never_permits_removal() -> None:
    """Where nobody counts, a removal is a whole window away every day."""
    found = judged(sunset(date(2026, 10, 1)), usage=NothingKnown())
    assert not found.allowed
    assert found.earliest == date(2026, 12, 21)


def test_latest_of_all_dates_counts() -> None:
    """The earliest date is the one on which the last release lets go; none if one never does."""
    later = shipped(READS, name="7.2.0+1", state="sunset", sunset=date(2027, 3, 1))
    both = judged(sunset(date(2026, 12, 24)), later)
    assert both.earliest == date(2027, 3, 2)
    assert judged(later, shipped(READS, name="7.4.0+1")).earliest is None


def test_coverage_is_asked_before_use() -> None:
    """Whether the counting is whole is asked first: the answer may wait for counts to come in."""
    seen = Seen()
    judged(sunset(date(2026, 10, 1)), usage=seen)
    assert seen.asked == ["complete", "7.3.0+801"]


def test_gap_ends_to_the_day() -> None:
    """The end of the last gap is found to the day; a lasting one ends now."""
    whole = Today(NOW, Seen(), WINDOW)
    assert gap_end(whole) is None
    assert gap_end(Today(NOW, Seen(since=NOW - timedelta(hours=60)), WINDOW)) == NOW - timedelta(2)
    assert gap_end(Today(NOW, NothingKnown(), WINDOW)) == NOW


ANNOUNCED = OLD.replace(
    "old: String ", 'old: String @sunset(after: "2026-12-31", releasesBelow: "7.4") '
)
END = ('old: String @sunset(after: "2026-12-31", releasesBelow: "7.4") ', "")


def test_announced_date_is_kept() -> None:
    """What was announced to stay until a day stays until then, though nobody reads it."""
    found = judged(old=ANNOUNCED, change=END)
    assert not found.allowed
    assert found.earliest == date(2027, 1, 1)
    assert "2026-12-31" in found.refusals[0].message
    assert judged(old=ANNOUNCED, change=END, now=datetime(2027, 1, 1, tzinfo=UTC)).allowed


def test_reader_beyond_announcement_is_named() -> None:
    """A supported release that reads what it was announced to do without is named."""
    release = shipped(READS, name="7.4.0+900")
    found = judged(release, old=ANNOUNCED, change=END, now=datetime(2027, 2, 1, tzinfo=UTC))
    (refusal,) = found.refusals
    assert "7.4.0+900" in refusal.message
    assert "7.4" in refusal.message
    older = shipped(READS, name="7.3.9+900")
    assert not judged(
        older, old=ANNOUNCED, change=END, now=datetime(2027, 2, 1, tzinfo=UTC)
    ).refusals


@pytest.mark.parametrize(("build", "beyond"), [("899", False), ("900", True)])
def test_announcement_may_name_a_build(build: str, *, beyond: bool) -> None:
    """An end announced for releases below a build is none for builds from that one on."""
    below = ('releasesBelow: "7.4"', 'releasesBelow: "7.4.0+900"')
    end = (END[0].replace(*below), "")
    release = shipped(READS, name=f"7.4.0+{build}")
    now = datetime(2027, 2, 1, tzinfo=UTC)
    found = judged(release, old=ANNOUNCED.replace(*below), change=end, now=now)
    assert bool(found.refusals) is beyond


def test_announcement_binds_with_its_type() -> None:
    """Removing the type of an announced field, or an announced enum member, is held the same."""
    sdl = OLD.replace("OLD }", 'OLD @sunset(after: "2027-05-01", releasesBelow: "8") }')
    member = ('OLD @sunset(after: "2027-05-01", releasesBelow: "8") }', "}")
    assert judged(old=sdl, change=member).earliest == date(2027, 5, 2)
    whole = sdl[sdl.index("enum State") :]
    gone = sdl.replace(" kept: State", "").replace(whole, "")
    schemas = (build_schema(sdl), build_schema(gone))
    assert judge("ios", schemas, [], Today(NOW, Seen(), WINDOW)).earliest == date(2027, 5, 2)


def test_unreadable_date_is_refused() -> None:
    """A date that is none forbids the removal, and waiting is no help."""
    wrong = ('"2026-12-31"', '"soon"')
    found = judged(old=ANNOUNCED.replace(*wrong), change=(END[0].replace(*wrong), ""))
    assert "YYYY-MM-DD" in found.refusals[0].message
    assert found.earliest is None


def test_promises_are_read() -> None:
    """Every announcement of a schema is found by its coordinate."""
    (found,) = promises(build_schema(ANNOUNCED)).values()
    assert (found.coordinate, found.after, found.below) == ("Home.old", date(2026, 12, 31), "7.4")
