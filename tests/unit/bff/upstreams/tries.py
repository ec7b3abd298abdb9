"""A service of one word, and transports that answer for it in turn, or late."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any

from bff.contract import Scope
from bff.errors import FieldError
from bff.upstreams.calls import Caller, CallLog, Services
from bff.upstreams.method import Answer, Method
from bff.upstreams.transport import Incoming, Outgoing, TransportTimeout
from tests.unit.bff.upstreams.fakes import FakeTransport, answer, arrival


class Word(Answer, frozen=True):
    word: str


READ = Method("content", "word", "GET", "/v1/word", Scope.SHARED, Word)
BATCH = Method("content", "words", "POST", "/v1/words/batch", Scope.SHARED, Word)
WRITE = Method("content", "say", "POST", "/v1/say", Scope.VIEWER, Word, effect=True)
CRITICAL = Method("content", "keys", "GET", "/v1/keys", Scope.SHARED, Word, critical=True)

GOOD = answer({"word": "yes"})
AGAIN: dict[str, Any] = {"retry_share": 0.1, "retry_backoff_ms": 0}
Given = Incoming | Exception


def busy(status: int = 503, retry_after: str | None = None) -> Incoming:
    return Incoming(status, "", b"", retry_after=retry_after)


def in_turn(*given: Given) -> FakeTransport:
    """Answers with each of these, the last one for ever."""
    left = list(given)

    def send(_: Outgoing) -> Incoming:
        one = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(one, Exception):
            raise one
        return one

    return FakeTransport(send)


class Slow(FakeTransport):
    """Each call waits for what its number says: seconds, or an event."""

    def __init__(self, *waits: float | asyncio.Event, last: Given = GOOD) -> None:
        super().__init__(in_turn(last).answering)
        self._waits = waits
        self.cancelled = 0

    async def send(self, call: Outgoing) -> Incoming:
        self.calls.append(call)
        wait = self._waits[min(len(self.calls), len(self._waits)) - 1]
        try:
            async with asyncio.timeout(call.timeout):
                await (asyncio.sleep(wait) if not isinstance(wait, asyncio.Event) else wait.wait())
        except TimeoutError as error:
            raise TransportTimeout("no answer") from error
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        return self.answering(call)


def asking(made: Services, milliseconds: float = 1500) -> Caller:
    return Caller(made, arrival(milliseconds), CallLog())


async def ends(call: Awaitable[Any]) -> str:
    try:
        await call
    except FieldError as error:
        return error.code
    return "ok"
