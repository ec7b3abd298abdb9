"""What follows from the verdict on an app build: which operations it is refused, and what every
answer tells it. Who calls, and how he stands, is found elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Protocol

from bff.client.endings import told_of
from bff.client.verdict import NO_GATE, Verdict, judge
from bff.config import ClientConfig
from bff.errors import (
    ClientBlocked,
    ClientError,
    ClientUpgradeRequired,
    DocumentNotInRelease,
    DocumentNotRegistered,
    DocumentTextNotRegistered,
    ReleaseRetired,
    ReleaseUnknown,
    RequestError,
    ValidationFailed,
)
from bff.standing import NOTHING_TOLD, Standing, Told

# Callers whose verdict is remembered, and sets of ending fields one caller was told of.
MOST_KEPT = 4_096
MOST_TOLD = 256
# What a build that is refused may hear in place of the verdict, because its documents are no longer
# looked after. A document that is only not known *yet* (APQ) may be a sign-out, and is not here.
NOT_ANSWERED = (
    DocumentNotRegistered,
    DocumentTextNotRegistered,
    DocumentNotInRelease,
    ReleaseUnknown,
    ReleaseRetired,
    ValidationFailed,
)


class Facts(Protocol):
    """Of an operation, what the gate looks at."""

    @property
    def always_allowed(self) -> bool: ...
    @property
    def public(self) -> bool: ...
    @property
    def sunsets(self) -> frozenset[str]: ...


class Gate:
    """The rules of one process. `capabilities` are those the schema knows of."""

    def __init__(self, config: ClientConfig, capabilities: Iterable[str] = ()) -> None:
        self._config = config
        self._capabilities = sorted({*config.capabilities, *capabilities})
        self._kept: dict[Standing, Admission] = {}

    def admit(self, standing: Standing) -> Admission:
        """What becomes of a caller; never fails."""
        found = self._kept.get(standing)
        if found is None:
            if len(self._kept) >= MOST_KEPT:
                self._kept.clear()
            found = self._kept[standing] = self._judged(standing)
        return found

    def _judged(self, standing: Standing) -> Admission:
        verdict = judge(standing)
        client = self._client(standing, verdict)
        return Admission(standing, verdict, client, self._config)

    def _client(self, standing: Standing, verdict: Verdict) -> dict[str, Any]:
        """`extensions.client` of every ordinary answer; empty where there is nothing to tell."""
        client: dict[str, Any] = {}
        if standing.gate is not None:
            client = status(standing, verdict)
        if standing.tells:
            client["capabilities"] = self._capabilities
        return client


class Admission:
    """The verdict on one caller and what follows from it; shared by his requests."""

    def __init__(
        self,
        standing: Standing,
        verdict: Verdict,
        client: Mapping[str, Any],
        config: ClientConfig,
    ) -> None:
        self.standing = standing
        self.verdict = verdict
        self._refusal = _refusal(standing, verdict, config)
        self._ordinary = Told({"client": client}) if client else NOTHING_TOLD
        # What he may meet that ends: his release, or a field he asks for.
        self._endings = frozenset(standing.endings)
        self._ends = bool(self._endings) or standing.sunset is not None
        self._told: dict[frozenset[str], Told] = {}

    def check(self, facts: Facts) -> None:
        """Raises ClientBlocked, ClientUpgradeRequired, ReleaseRetired or ReleaseUnknown for an
        operation this caller is refused; none is that is marked `@alwaysAllowed`."""
        if self._refusal is not None and not facts.always_allowed:
            raise self._refusal()

    def instead(self, error: ClientError) -> ClientError:
        """What a caller hears whose document is not answered: the verdict, if that refuses him."""
        refusal = self._refusal
        return refusal() if refusal is not None and isinstance(error, NOT_ANSWERED) else error

    def told(self, facts: Facts) -> Told:
        """What the answer to an operation says beside its data; nothing where that is anybody's."""
        if facts.public:
            return NOTHING_TOLD
        if not self._ends:
            return self._ordinary
        met = facts.sunsets & self._endings
        found = self._told.get(met)
        if found is None:
            if len(self._told) >= MOST_TOLD:
                self._told.clear()
            found = self._told[met] = told_of(self.standing, met, self._ordinary)
        return found


def status(standing: Standing, verdict: Verdict) -> dict[str, Any]:
    """`extensions.client` without capabilities."""
    gate = standing.gate or NO_GATE
    return {"status": verdict.value, "storeUrl": gate.store_url, "message": gate.message}


def _refusal(
    standing: Standing, verdict: Verdict, config: ClientConfig
) -> Callable[[], RequestError] | None:
    """What makes the refusal, anew for each request: an error keeps where it was raised."""
    gate = standing.gate or NO_GATE
    client = status(standing, verdict)
    name = standing.release or standing.asked
    if standing.state == "retired":
        message = gate.message or f"release {name} is retired; update the app"
        told = client if standing.gate is not None else None
        return partial(ReleaseRetired, message, client=told)
    if verdict is Verdict.BLOCKED:
        message = gate.message or f"release {name} is blocked; update the app"
        return partial(ClientBlocked, message, client=client)
    if verdict is Verdict.FORCE_UPGRADE:
        message = gate.message or f"release {name} is too old; update the app"
        return partial(ClientUpgradeRequired, message, client=client)
    if standing.release is None and config.unknown_release == "refuse":
        said = f"release {name} is not published" if name else "the request names no release"
        return partial(
            ReleaseUnknown, f"{said}; publish the release, and send the app's version and build"
        )
    return None
