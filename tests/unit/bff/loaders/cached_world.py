"""One gateway process with a cache, requests on it, and services that answer when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from msgspec.structs import replace as replaced

from bff.loaders.accounts import AccountCardByIdLoader, ProfileByViewerLoader
from bff.loaders.base import Loader
from bff.request import ClientIdentity, Viewer
from bff.store.background import Background
from bff.store.records import RecordCache
from bff.upstreams.calls import Caller, CallLog
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.transport import Incoming, Outgoing, TransportFailure
from tests.unit.bff.store.kept import Clock, Counted
from tests.unit.bff.upstreams.fakes import VIEWER, arrival, services

SHARED = "public, max-age=60, stale-while-revalidate=60, stale-if-error=600"
OWN = "private, max-age=0, stale-if-error=600"
ANN, BEN = VIEWER, Viewer("account-2", "device-2", "session-2", 1, ("app",))


def card(account_id: str, name: str) -> dict[str, Any]:
    return {
        "id": account_id,
        "handle": account_id,
        "display_name": name,
        "avatar": None,
        "verified": False,
        "follower_count": 1,
    }


class Service:
    """Answers cards and profiles once `gate` is open; `control` is what it declares, `version`
    stands in every name, `fault` is raised instead."""

    def __init__(self, control: str | None = SHARED) -> None:
        self.control = control
        self.tags: str | None = None
        self.version = 1
        self.fault: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[Outgoing] = []

    async def send(self, call: Outgoing) -> Incoming:
        self.calls.append(call)
        version = self.version
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return Incoming(200, "application/json", self._body(call, version), self.control, self.tags)

    def _body(self, call: Outgoing, version: int) -> bytes:
        asked = json.loads(call.body or b"{}").get("ids", [])
        known = [one for one in asked if one != "nobody"]
        return json.dumps({"cards": [card(one, f"{one} {version}") for one in known]}).encode()

    async def close(self) -> None: ...

    @property
    def asked(self) -> list[list[str]]:
        """The keys of each call."""
        return [json.loads(call.body or b"{}").get("ids", []) for call in self.calls]

    @property
    def paths(self) -> list[str]:
        return [urlsplit(call.url).path for call in self.calls]


class Process:
    """A gateway process: its services, coalescer and cache."""

    def __init__(self, service: Any, *, coalesce: bool = True, refreshes: int = 4) -> None:
        self.service = service
        self.clock = Clock()
        self.counted = Counted()
        self.cache = RecordCache(
            1_000_000,
            self.counted,
            jitter=0.0,
            background=Background(refreshes),
            clock=self.clock,
        )
        made = services(service)
        self.services = replace(
            made,
            cache=self.cache,
            coalescer=Coalescer(made.metrics.joined) if coalesce else None,
        )

    def caller(
        self, viewer: Viewer | None = ANN, release: str = "7.3.0", milliseconds: float = 5_000
    ) -> Caller:
        """One request."""
        client = ClientIdentity(name="ios-app", version=release)
        arrived = replaced(arrival(milliseconds), client=client)
        made = Caller(self.services, arrived, CallLog())
        made.viewer = viewer
        return made

    def cards(self, viewer: Viewer | None = ANN, **more: Any) -> AccountCardByIdLoader:
        """One request's loader of what is everybody's."""
        return AccountCardByIdLoader(self.caller(viewer, **more))

    def profile(self, viewer: Viewer | None = ANN, **more: Any) -> ProfileByViewerLoader:
        return ProfileByViewerLoader(self.caller(viewer, **more))

    async def names(self, *keys: str, loader: Loader[Any, Any] | None = None) -> list[Any]:
        """Display names by a request of its own; None, or the code of an error."""
        answers = await (loader or self.cards()).load_all(list(keys))
        return [getattr(one, "display_name", getattr(one, "code", None)) for one in answers]

    async def quiet(self) -> None:
        """Until nothing goes on that nobody waits for."""
        while self.cache.background._running:
            await asyncio.sleep(0)


def away() -> TransportFailure:
    return TransportFailure("down")


async def until(true: Callable[[], bool]) -> None:
    """Turns the loop until something is so."""
    async with asyncio.timeout(5):
        while not true():
            await asyncio.sleep(0)
