"""The releases a gateway knows at one moment, found by what a caller says of itself; frozen, so
that a request keeps what it began with. What follows from a state is the client room's."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce

import msgspec

from bff.fence import FREE, Fence, fence
from bff.request import ClientIdentity
from persisted_queries.catalogue import holds, members
from persisted_queries.model import Order, Published, State, order

# So many releases an error names; the newest.
MOST_NAMED = 5
OUT: frozenset[State] = frozenset({"rolling_out", "live", "sunset"})


class KnownRelease(msgspec.Struct, frozen=True):
    """`members`: the documents it sends, as `catalogue.holds` reads them; None where that cannot be
    known, and then nothing is refused for not being among them. `assumed`: the caller named no
    build; `published` is the newest live one then, and the rest is of all supported builds."""

    published: Published
    fence: Fence = FREE
    members: bytes | None = None
    assumed: bool = False

    @property
    def name(self) -> str:
        """`<version>+<build>`."""
        return self.published.name

    def has(self, places: Sequence[int]) -> bool:
        """Whether it sends the document at these places."""
        sent = self.members
        return sent is None or any(holds(sent, place) for place in places)


class KnownReleases:
    """Every release of a platform; `releases` oldest first, each with the set of operations it
    sends (None: not known)."""

    def __init__(self, releases: Sequence[tuple[KnownRelease, int | None]] = ()) -> None:
        self.releases = tuple(known for known, _ in releases)
        self._orders = [_order(known) for known in self.releases]
        self._by_build: dict[str, dict[str | None, KnownRelease]] = {}
        for known in self.releases:
            published = known.published
            self._by_build.setdefault(published.version, {})[published.build] = known
        for version in self._by_build:
            builds = [one for one in releases if one[0].published.version == version]
            self._by_build[version][None] = _assumed(builds)
        sent = [bits for known, bits in releases if known.published.state != "retired"]
        # What anybody may ask who is of no known release; None: anything there is.
        self.answered = None if None in sent else members(_union(sent))

    def of(self, client: ClientIdentity) -> KnownRelease | None:
        """The release of a caller: its build's; without a build, that of its version."""
        if client.version is None:
            return None
        builds = self._by_build.get(client.version)
        return builds.get(client.build) if builds is not None else None

    def taken_for(self, client: ClientIdentity) -> KnownRelease | None:
        """The release of a caller, or the newest known one that is older than an unknown one; none
        for a caller who says nothing."""
        known = self.of(client)
        if known is not None or client.version is None:
            return known
        own = order(client.version, client.build or "")
        older = bisect_left(self._orders, own)
        return self.releases[older - 1] if older else None

    def who_has(self, places: Sequence[int]) -> list[str]:
        """Names of releases that users have and that send the document at these places, newest
        first. What is not out yet is no phone's to know of."""
        found = (one for one in reversed(self.releases) if one.published.state in OUT)
        return [one.name for one in found if one.members is not None and one.has(places)][
            :MOST_NAMED
        ]

    def answers(self, places: Sequence[int]) -> bool:
        """Whether any release that is not retired sends the document at these places."""
        sent = self.answered
        return sent is None or any(holds(sent, place) for place in places)


def _order(known: KnownRelease) -> tuple[Order, Order]:
    return order(known.published.version, known.published.build)


def _assumed(builds: Sequence[tuple[KnownRelease, int | None]]) -> KnownRelease:
    """What a caller of this version without a build is taken for: whichever build it is, it gets
    no document refused that its build sends, and nothing that its build cannot decode."""
    supported = [one for one in builds if one[0].published.is_supported] or list(builds)
    live = [known for known, _ in supported if known.published.state == "live"]
    newest = (live or [known for known, _ in supported])[-1]
    sent = [bits for _, bits in supported]
    return KnownRelease(
        newest.published,
        merged([known.fence for known, _ in supported]),
        None if None in sent else members(_union(sent)),
        assumed=True,
    )


def merged(fences: Sequence[Fence]) -> Fence:
    """What any of these withholds."""
    different = {one.key: one for one in fences}
    if len(different) == 1:
        return fences[0]
    return fence(
        _merged(one.enums for one in fences),
        _merged(one.types for one in fences),
        frozenset[str]().union(*(one.absent for one in fences)),
        frozenset[str]().union(*(one.brownouts for one in fences)),
    )


def _merged(found: Iterable[Mapping[str, frozenset[str]]]) -> dict[str, frozenset[str]]:
    together: dict[str, frozenset[str]] = {}
    for one in found:
        for name, withheld in one.items():
            together[name] = together.get(name, frozenset()) | withheld
    return together


def _union(sets: Iterable[int | None]) -> int:
    return reduce(lambda one, other: one | other, (bits or 0 for bits in sets), 0)
