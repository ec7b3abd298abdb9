"""What the registry says of whoever calls, as the client room judges it; made once for each app
build and kept until the registry, or the clock, makes another of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from types import MappingProxyType

from bff.contract import Lifecycle
from bff.documents.known import KnownRelease, KnownReleases, merged
from bff.fence import FREE, Fence, fence
from bff.request import ClientIdentity
from bff.standing import FieldEnding, GateAnswers, Standing
from persisted_queries.model import Published, RegistryState, SetGate, order, order_of

# Callers that are remembered; anybody may name any version, so there is a bound.
MOST_KEPT = 4_096
NO_DATES: Mapping[str, datetime] = MappingProxyType({})

_Key = tuple[str | None, str | None, frozenset[str] | None]


class Standings:
    """Of all callers, by one state of the registry. `deprecated`: since when fields are; `now` is
    a clock (seconds since 1970, UTC), by which announced brown-outs begin and end."""

    def __init__(
        self,
        state: RegistryState,
        known: KnownReleases,
        lifecycle: Lifecycle,
        deprecated: Mapping[str, datetime] = NO_DATES,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._known = known
        self._lifecycle = lifecycle
        self._gate = _Gate(state) if state.gate != SetGate() else None
        self._brownouts = state.brownouts
        self._deprecated = deprecated
        self._now = now
        self._heeded = lifecycle.capabilities
        self._kept: dict[_Key, Standing] = {}
        self._switch(now())

    def of(self, client: ClientIdentity) -> Standing:
        """The standing of a caller at this moment."""
        if self._brownouts:
            now = self._now()
            if not self._from <= now < self._until:
                self._switch(now)
        told = client.capabilities
        if told:
            told = told & self._heeded
        key = (client.version, client.build, told)
        found = self._kept.get(key)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            found = self._kept[key] = self._made(client)
        return found

    def _switch(self, now: float) -> None:
        """What brown-outs make of this moment, and between which instants it stays so: clocks are
        set back, too."""
        self._kept.clear()
        windows = [
            (one.field, one.begins.timestamp(), one.ends.timestamp()) for one in self._brownouts
        ]
        instants = [at for _, *both in windows for at in both]
        self._from = max((at for at in instants if at <= now), default=-math.inf)
        self._until = min((at for at in instants if at > now), default=math.inf)
        self._announced = [one for one in self._brownouts if one.ends.timestamp() > now]
        fields = {field for field, begins, ends in windows if begins <= now < ends}
        self._out = fields & self._lifecycle.endings.keys()
        fences = [one.fence for one in self._known.releases] or [FREE]
        self._anybodys = merged([*fences, fence({}, {}, self._lifecycle.needs, self._out)])

    def _made(self, client: ClientIdentity) -> Standing:
        known, taken = self._known.of(client), self._known.taken_for(client)
        published = known.published if known is not None else None
        endings = self._endings(client, published)
        return Standing(
            release=known.name if known is not None else None,
            asked=client.release,
            state=published.state if published is not None else None,
            assumed=known.assumed if known is not None else False,
            sunset=published.sunset if published is not None else None,
            fence=self._fence(client, taken, endings),
            anybodys=self._anybodys,
            endings=endings,
            gate=self._gate.answers(client, published) if self._gate is not None else None,
            tells=client.capabilities is not None,
        )

    def _fence(
        self, client: ClientIdentity, taken: KnownRelease | None, endings: Mapping[str, FieldEnding]
    ) -> Fence:
        """What a build cannot decode, has no capability for, and should stop asking for."""
        built = taken.fence if taken is not None else FREE
        has = client.capabilities or frozenset()
        if taken is not None:
            has = has.union(taken.published.capabilities)
        absent = [field for field, needed in self._lifecycle.needs.items() if needed not in has]
        out = self._out.intersection(endings)
        return merged([built, fence({}, {}, absent, out)]) if absent or out else built

    def _endings(
        self, client: ClientIdentity, published: Published | None
    ) -> Mapping[str, FieldEnding]:
        found: dict[str, FieldEnding] = {}
        for field, one in self._lifecycle.endings.items():
            if _is_below(client, published, one.releases_below):
                since = self._deprecated.get(field) or (_midnight(one.since) if one.since else None)
                windows = [(b.begins, b.ends) for b in self._announced if b.field == field]
                found[field] = FieldEnding(
                    field, one.after, one.reason, since, tuple(sorted(windows))
                )
        return found


class _Gate:
    """The version gate and what the store has, at one state of the registry."""

    def __init__(self, state: RegistryState) -> None:
        self._gate = state.gate
        minimum = state.gate.minimum
        self._available = minimum is not None and any(
            order(one.version, one.build) >= order_of(minimum)
            for one in state.releases.values()
            if one.state == "live"
        )

    def answers(self, client: ClientIdentity, published: Published | None) -> GateAnswers:
        gate = self._gate
        return GateAnswers(
            gate.minimum is not None and _is_below(client, published, gate.minimum),
            gate.recommended is not None and _is_below(client, published, gate.recommended),
            self._available,
            gate.store_url,
            gate.message,
        )


def _is_below(client: ClientIdentity, published: Published | None, limit: str) -> bool:
    """Whether a caller is older than `<version>` or `<version>+<build>`. Without a build he is what
    he is taken for; without a version he is below nothing."""
    if client.version is None:
        return False
    build = client.build or (published.build if published is not None else "")
    if not build:
        limit = limit.partition("+")[0]
    return order(client.version, build) < order_of(limit)


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
