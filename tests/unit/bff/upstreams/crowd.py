"""Several requests on one gateway process whose only transport answers when told to."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bff.config import TelemetryConfig
from bff.loaders.accounts import AccountCardByIdLoader
from bff.request import Arrival, Deadline, Viewer
from bff.upstreams.calls import Caller, CallLog, Services
from bff.upstreams.coalesce import Coalescer
from bff.upstreams.transport import Incoming, Outgoing
from tests.unit.bff.upstreams.fakes import CLIENT, answer, services

VIEWERS = [Viewer(f"account-{n}", f"device-{n}", f"session-{n}", 1, ("app",)) for n in range(9)]
Answers = Callable[[Outgoing], Incoming]


def card(account_id: str) -> dict[str, Any]:
    return {
        "id": account_id,
        "handle": account_id,
        "display_name": account_id.upper(),
        "avatar": None,
        "verified": False,
        "follower_count": 1,
    }


def cards(call: Outgoing) -> Incoming:
    """Every account there is, but `nobody`."""
    ids = json.loads(call.body or b"")["ids"]
    return answer({"cards": [card(one) for one in ids if one != "nobody"]})


class Gated:
    """Answers once `gate` is open; keeps every call, and which were given up."""

    def __init__(self, answers: Answers = cards) -> None:
        self.answers = answers
        self.gate = asyncio.Event()
        self.gate.set()
        self.calls: list[Outgoing] = []
        self.dropped = 0

    async def send(self, call: Outgoing) -> Incoming:
        self.calls.append(call)
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            self.dropped += 1
            raise
        return self.answers(call)

    async def close(self) -> None: ...

    @property
    def ids(self) -> list[list[str]]:
        return [json.loads(call.body or b"")["ids"] for call in self.calls]


class Process:
    """One gateway process over a gated transport, and requests on it."""

    def __init__(
        self,
        answers: Answers = cards,
        telemetry: TelemetryConfig | None = None,
        *,
        coalesce: bool = True,
        **fields: Any,
    ) -> None:
        self.transport = Gated(answers)
        made = services(self.transport, telemetry)
        coalescer = Coalescer(made.metrics.joined) if coalesce else None
        self.services: Services = replace(made, coalescer=coalescer, **fields)

    def caller(self, number: int = 0, milliseconds: float = 1500) -> Caller:
        """The caller of request number so and so, of a viewer of its own."""
        arrival = Arrival(f"request-{number}", CLIENT, Deadline.after_ms(milliseconds))
        made = Caller(self.services, arrival, CallLog())
        made.viewer = VIEWERS[number]
        return made

    def load(self, caller: Caller, *ids: str) -> asyncio.Task[list[Any]]:
        """Cards for one request, in a task of its own."""
        return asyncio.create_task(AccountCardByIdLoader(caller).load_all(ids))

    async def sent(self, calls: int) -> None:
        """Until so many calls are under way."""
        while len(self.transport.calls) < calls:
            await asyncio.sleep(0)


def names(found: Sequence[Any]) -> list[str | None]:
    return [None if one is None else one.display_name for one in found]
