"""One call in one attempt, in two, or in two at once: what is sent when, and in which slot.

Failure policy: a failed read is tried once more, a failed write only where its key makes that
harmless and nothing of it can still be under way; always inside the request's time and its
service's budget, and never while the breaker doubts the service. What is left is one FieldError.
"""

from __future__ import annotations

import asyncio
from asyncio import Task, TimerHandle
from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
from opentelemetry.trace import Span

from bff.request import Deadline
from bff.telemetry.metrics import Metrics
from bff.telemetry.spans import Attribute
from bff.upstreams.guard import Guard, Verdict
from bff.upstreams.method import Method
from bff.upstreams.reading import read
from bff.upstreams.refusals import Again, Failure, undelivered
from bff.upstreams.transport import Incoming, Outgoing, Transport, TransportError

DEADLINE = "x-deadline-ms"
# What a second try leaves of the request's time, for what can stand in its place if it fails too:
# the last good answer, and the loads below that.
ROOM_S = 0.05
IDEMPOTENCY_KEY = "idempotency-key"

# Told of every good answer: its headers say how long it is good for, and what it made old.
Hear = Callable[[Method[Any], Incoming], None]


class Ask(msgspec.Struct, frozen=True):
    """One call as it is sent. `by_deadline`: its time ends with the request's, not with the
    service's own. `probe`: the breaker decides by it."""

    method: Method[Any]
    outgoing: Outgoing
    guard: Guard
    deadline: Deadline
    by_deadline: bool
    hear: Hear
    probe: bool = False

    def retimed(self, room_s: float = 0.0) -> Ask:
        """The same call as it is sent now, with the time that is left beside some room."""
        left = self.deadline.remaining() - room_s
        patience = min(self.guard.timeout_s, left)
        return self._within(patience, by_deadline=patience == left)

    def as_probe(self) -> Ask:
        """The same call to find out with whether the service is back: slow would be no, so a read
        does not wait longer, and a write decides nothing after that (`_Probe`)."""
        asked = msgspec.structs.replace(self, probe=True)
        slow_s = self.guard.slow_s
        if self.method.effect or self.outgoing.timeout <= slow_s:
            return asked
        return asked._within(slow_s, by_deadline=False)

    def _within(self, patience: float, *, by_deadline: bool) -> Ask:
        outgoing, effect = self.outgoing, self.method.effect
        headers = {**outgoing.headers, DEADLINE: str(int(patience * 1000))}
        timeout = outgoing.timeout if effect else patience
        return msgspec.structs.replace(
            self,
            outgoing=msgspec.structs.replace(outgoing, headers=headers, timeout=timeout),
            by_deadline=by_deadline and not effect,
        )

    def may_repeat(self, failure: Failure) -> bool:
        """Whether a second try could do no harm. What is critical is asked for again by itself."""
        if not self.method.effect:
            return failure.again is not Again.NEVER and not self.method.critical
        return failure.again is Again.ALL and bool(self.outgoing.headers.get(IDEMPOTENCY_KEY))


class _Probe:
    """The breaker's question, as long as it is open: a slow answer is no, also from a write, which
    goes on after that."""

    __slots__ = ("_guard", "_is_open", "_timer")

    def __init__(self, ask: Ask) -> None:
        self._guard = ask.guard
        self._is_open = True
        self._timer: TimerHandle | None = None
        if ask.method.effect:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(ask.guard.slow_s, self._is_late)

    def ends(self) -> bool:
        """Its call has ended; whether the breaker still waits for it."""
        if self._timer is not None:
            self._timer.cancel()
        return self._is_open

    def _is_late(self) -> None:
        self._is_open = False
        self._guard.probe_is_late()


class Sender:
    """Sends calls over this process's transport. A `span` is given where it is recorded."""

    __slots__ = ("_metrics", "_transport")

    def __init__(self, transport: Transport, metrics: Metrics) -> None:
        self._transport = transport
        self._metrics = metrics

    def first(self, ask: Ask, span: Span | None) -> Coroutine[Any, Any, Any | Failure]:
        """The first try, hedged where the settings say so."""
        if ask.guard.hedge_s is None or ask.method.effect:
            return self._attempt(ask, span)
        return self._hedged(ask, span, ask.guard.hedge_s)

    async def second(self, ask: Ask, span: Span | None, failed: Failure) -> Any | Failure:
        """A second try of what failed, where there may be one; else that failure."""
        guard = ask.guard
        if not ask.may_repeat(failed):
            return failed
        pause_s = guard.pause_before_retry(ask.deadline.remaining(), failed.retry_after_s)
        if pause_s is None:
            return failed
        await asyncio.sleep(pause_s)
        if not guard.retake():
            return failed
        if span is not None:
            span.set_attribute(Attribute.RESENDS, 1)
        answer = await self._attempt(ask.retimed(ROOM_S), span)
        if not isinstance(answer, Failure):
            guard.retried("ok")
            return answer
        guard.retried(answer.error.code)
        # One cut short says less than the failure it was to mend.
        return failed if answer.verdict is Verdict.CUT else answer

    async def _attempt(self, ask: Ask, span: Span | None) -> Any | Failure:
        """One try, in a slot already taken: the decoded answer, or how it failed. Whatever
        happens, the slot is given back and the service judged."""
        guard = ask.guard
        started = guard.clock()
        probe = _Probe(ask) if ask.probe else None
        answer: Any
        try:
            incoming = await self._transport.send(ask.outgoing)
            if span is not None:
                span.set_attribute(Attribute.STATUS, incoming.status)
                span.set_attribute(Attribute.BYTES, len(incoming.body))
            answer = read(ask.method, incoming, self._metrics)
            if not isinstance(answer, Failure):
                ask.hear(ask.method, incoming)
        except TransportError as error:
            answer = undelivered(guard.service, error, by_deadline=ask.by_deadline)
        except asyncio.CancelledError:
            guard.given_up(started, ask.outgoing.timeout, probe is not None and probe.ends())
            raise
        except BaseException:
            guard.left(Verdict.CUT, started, probe is not None and probe.ends())
            raise
        verdict = answer.verdict if isinstance(answer, Failure) else Verdict.GOOD
        guard.left(verdict, started, probe is not None and probe.ends())
        return answer

    async def _hedged(self, ask: Ask, span: Span | None, after_s: float) -> Any | Failure:
        """A read that is sent a second time if it has not ended after a while: the first good
        answer counts, and the other call is given up."""
        tasks = [asyncio.create_task(self._attempt(ask, span))]
        try:
            done, _ = await asyncio.wait(tasks, timeout=after_s)
            if not done and ask.guard.may_hedge():
                tasks.append(asyncio.create_task(self._attempt(ask.retimed(), span)))
                first = await _first_good(tasks)
                ask.guard.hedged(won=first is tasks[1])
                return first.result()
            return await tasks[0]
        finally:
            for task in tasks:
                task.cancel()


async def _first_good(tasks: list[Task[Any]]) -> Task[Any]:
    """The first to bring an answer, or a fault of ours; without one, the first that was sent."""
    pending = set(tasks)
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            if task in done and (task.exception() or not isinstance(task.result(), Failure)):
                return task
    return tasks[0]
