"""Whether a schema change may be made today, and from which day it may: what releases and announced
dates forbid. Who is hurt is `impact.py`'s to find, who was seen `usage.py`'s.

What is not known never permits: a gap in the counting holds a removal back as use would.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from graphql import ConstDirectiveNode, GraphQLSchema, StringValueNode

from persisted_queries.changes.compare import compare, own_types
from persisted_queries.changes.model import Change, Kind
from persisted_queries.impact import Impact, Shipped, impacts
from persisted_queries.model import Published, State, order, order_of
from persisted_queries.rollups import NOT_TOLD, OTHERS
from persisted_queries.usage_view import ReleaseUsage, UsageView

# Their users may still be there however little was seen of them, or are not there yet.
UNCONDITIONAL: frozenset[State] = frozenset({"draft", "in_review", "rolling_out", "live"})
GONE: frozenset[State] = frozenset({"blocked", "retired"})
REMOVALS = frozenset({Kind.FIELD_REMOVED, Kind.ENUM_VALUE_REMOVED, Kind.TYPE_REMOVED})
SUNSET = "sunset"
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Promise:
    """`@sunset` on a field or enum member: it stays until the end of `after` (None: no date could
    be read), and releases from `below` on do without it."""

    coordinate: str
    after: date | None
    below: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an announcement forbids a removal, and from when on it no longer does (None: no date
    helps)."""

    coordinate: str
    message: str
    earliest: date | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """A release that a change breaks or endangers. `counts` tells whether breaking it forbids the
    change, `why` in which words, `earliest` from when on it no longer does (None: not by waiting;
    `way_out` says how)."""

    impact: Impact
    usage: ReleaseUsage
    counts: bool
    why: str
    earliest: date | None
    way_out: str = ""

    @property
    def release(self) -> Published:
        return self.impact.shipped.release

    @property
    def forbids(self) -> bool:
        return self.counts and self.impact.breaks


@dataclass(frozen=True, slots=True)
class Judgement:
    """What is to be said of going from one schema to another. `standings` are the releases it does
    something to, in order of version; blocked and retired ones are left out."""

    platform: str
    changes: tuple[Change, ...]
    standings: tuple[Standing, ...]
    refusals: tuple[Refusal, ...]

    @property
    def allowed(self) -> bool:
        return not self.refusals and not any(one.forbids for one in self.standings)

    @property
    def earliest(self) -> date | None:
        """The first day on which nothing known today forbids it; None where waiting is not
        enough."""
        dates = [one.earliest for one in self.standings if one.forbids]
        dates += [one.earliest for one in self.refusals]
        known = [one for one in dates if one is not None]
        return max(known) if known and len(known) == len(dates) else None


@dataclass(frozen=True, slots=True)
class Today:
    """What a judgement rests on beside the schemas: when it is (UTC), what was seen, and for how
    many days nothing may have been seen."""

    now: datetime
    usage: UsageView
    window_days: int

    @property
    def day(self) -> date:
        return self.now.date()

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.window_days)


def judge(
    platform: str,
    schemas: tuple[GraphQLSchema, GraphQLSchema],
    releases: Iterable[Shipped],
    today: Today,
) -> Judgement:
    """Judge going from the first schema to the second."""
    current, proposed = schemas
    changes = compare(current, proposed)
    shipped = [one for one in releases if one.release.state not in GONE]
    found = [one for one in impacts(proposed, current, shipped) if one.hits]
    # Asked before usage is: the answer may wait for what running gateways have yet to tell.
    ending = any(one.shipped.release.state == "sunset" for one in found)
    gap = gap_end(today) if ending else None
    standings = tuple(_standing(platform, one, today, gap) for one in found)
    refusals = tuple(_refusals(changes, promises(current), standings, today.day))
    return Judgement(platform, changes, standings, refusals)


def promises(schema: GraphQLSchema) -> dict[str, Promise]:
    """Every `@sunset` of a schema, by the coordinate of what it announces the end of."""
    found: dict[str, Promise] = {}
    for name, named in own_types(schema).items():
        members = {**getattr(named, "fields", {}), **getattr(named, "values", {})}
        for member, declared in members.items():
            nodes = (declared.ast_node.directives or ()) if declared.ast_node is not None else ()
            for node in nodes:
                if node.name.value == SUNSET:
                    place = f"{name}.{member}"
                    found[place] = _promise(place, node)
    return found


def _promise(coordinate: str, node: ConstDirectiveNode) -> Promise:
    texts = {
        one.name.value: one.value.value
        for one in node.arguments or ()
        if isinstance(one.value, StringValueNode)
    }
    try:
        after = date.fromisoformat(texts.get("after", ""))
    except ValueError:
        after = None
    return Promise(coordinate, after, texts.get("releasesBelow", ""))


def _refusals(
    changes: Iterable[Change],
    announced: Mapping[str, Promise],
    standings: tuple[Standing, ...],
    day: date,
) -> Iterator[Refusal]:
    removed = {one.coordinate for one in changes if one.kind in REMOVALS}
    for place, promise in announced.items():
        owner = place.partition(".")[0]
        if place not in removed and owner not in removed:
            continue
        if promise.after is None:
            told = f'{place}: "after" of its @sunset is no date; write YYYY-MM-DD'
            yield Refusal(place, told)
        elif day <= promise.after:
            told = f"{place} was announced to stay until {promise.after} (@sunset)"
            yield Refusal(place, told, promise.after + DAY)
        yield from _readers_beyond(promise, owner, standings)


def _readers_beyond(
    promise: Promise, owner: str, standings: tuple[Standing, ...]
) -> Iterator[Refusal]:
    """Releases that read what they were announced to do without."""
    if not promise.below:
        return
    below = order_of(promise.below)
    for one in standings:
        if not one.forbids or order(one.release.version, one.release.build) < below:
            continue
        for hit in one.impact.hits:
            if any(found.coordinate in (promise.coordinate, owner) for found in hit.findings):
                told = (
                    f"{promise.coordinate} is announced to end for releases below {promise.below}"
                    f" (@sunset), but {hit.operation.name} of {one.release.name} reads it"
                )
                yield Refusal(promise.coordinate, told, one.earliest)


def _standing(platform: str, impact: Impact, today: Today, gap: datetime | None) -> Standing:
    release = impact.shipped.release
    seen = today.usage.release(release.name)
    if release.state in UNCONDITIONAL:
        why = f"is {release.state.replace('_', ' ')}"
        return Standing(impact, seen, True, why, None, _way_out(platform, release))
    if release.sunset is None:
        way_out = _way_out(platform, release)
        return Standing(impact, seen, True, "is in sunset without a date", None, way_out)
    last = _last_use(impact, seen, today)
    why = _still_there(release.sunset, last, today, gap)
    if not why:
        why = f"ended on {release.sunset} and was not used in {today.window_days} days"
        return Standing(impact, seen, False, why, today.day)
    return Standing(impact, seen, True, why, _earliest(release.sunset, last, today, gap))


def _way_out(platform: str, release: Published) -> str:
    verb = f"{release.name} --platform {platform}"
    if release.state in ("draft", "in_review"):
        return f"publish a build that does without, retire this one (bff release retire {verb})"
    return f"sunset it first (bff release sunset {verb} --on YYYY-MM-DD)"


def _last_use(impact: Impact, seen: ReleaseUsage, today: Today) -> datetime | None:
    """Of the release, and of what it breaks in by anyone who may be of it: who did not say which
    release he is, or came after too many others were told apart."""
    usage = today.usage
    found = [seen]
    found += [
        usage.document(nobody, hit.operation.hash)
        for hit in impact.hits
        if hit.breaks
        for nobody in (NOT_TOLD, OTHERS)
    ]
    return max(
        (one.last_seen or today.now for one in found if one.requests), default=seen.last_seen
    )


def _still_there(ended: date, last: datetime | None, today: Today, gap: datetime | None) -> str:
    """Why a release in sunset still counts; "" if it does not."""
    if today.day <= ended:
        return f"is supported until {ended}"
    if gap is not None:
        return f"ended on {ended}, but what it did in {today.window_days} days is not wholly known"
    if last is not None and last > today.now - today.window:
        return f"ended on {ended}, but was used on {last:%Y-%m-%d}"
    return ""


def _earliest(ended: date, last: datetime | None, today: Today, gap: datetime | None) -> date:
    """The sunset is over, and a whole window has passed since it was last seen and since the last
    gap."""
    dates = [ended + DAY, today.day]
    dates += [(one + today.window).date() + DAY for one in (last, gap) if one is not None]
    return max(dates)


def gap_end(today: Today) -> datetime | None:
    """When the last gap in the counting of the window ended, to the day and never too early; None
    where there was none. Asks seldom: each answer may have to be waited for."""
    if _whole(today, today.window_days):
        return None
    if not _whole(today, 1):
        return today.now
    known, gap = 1, today.window_days  # days back: counted since, not counted since
    while gap - known > 1:
        middle = (known + gap) // 2
        known, gap = (middle, gap) if _whole(today, middle) else (known, middle)
    return today.now - known * DAY


def _whole(today: Today, days: int) -> bool:
    return today.usage.is_complete(today.now - days * DAY)
