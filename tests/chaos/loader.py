"""`python -m tests.chaos.loader`: loads one port as told on stdin, and tells what came on stdout.

A closed loop (so many connections, each asks again once it is answered) or an open one (so many
requests a second, whatever comes back). A process of its own: what it needs is not the gateway's,
and how busy it was is told too, so that a run in which it was the limit can be thrown away.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import cast

import msgspec
import uvloop

from tests.bench.http1 import Reply, read_reply

RETRY_AFTER = b"\r\nretry-after:"
ERRORS = b'"errors":['
RECONNECT_S = 0.1
ENDS_AFTER_S = 8.0


class Plan(msgspec.Struct):
    """What to do. `rate` 0 is a closed loop. A shed connection comes back after `after_shed_s`, or
    as the answer says where that is negative. `most`: connections an open loop may use; what finds
    none is `unsent`."""

    port: int
    requests: list[str]
    seconds: float
    connections: int = 1
    rate: float = 0.0
    after_shed_s: float = 0.1
    most: int = 1_000


class Found(msgspec.Struct):
    """What came. Times in milliseconds; `busy` is CPU by wall time of this process."""

    good: int = 0
    partial: int = 0
    sheds: int = 0
    sheds_with_retry_after: int = 0
    other: int = 0
    broken: int = 0
    unanswered: int = 0
    unsent: int = 0
    seconds: float = 0.0
    busy: float = 0.0
    p50_ms: float = 0.0
    p99_ms: float = 0.0
    worst_ms: float = 0.0
    good_p99_ms: float = 0.0

    @property
    def answered(self) -> int:
        return self.good + self.partial + self.sheds + self.other

    @property
    def asked(self) -> int:
        return self.answered + self.broken + self.unanswered + self.unsent

    @property
    def goodput(self) -> float:
        """Whole answers a second."""
        return self.good / self.seconds


class Run:
    """One run and all that is counted in it."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.requests = [one.encode("latin-1") for one in plan.requests]
        self.found = Found()
        self.took: list[float] = []
        self.took_good: list[float] = []
        self.over = False
        self.number = 0
        self.waiting = 0
        self.idle: list[Connection] = []
        self.opened = 0

    def next_request(self) -> bytes:
        self.number += 1
        return self.requests[self.number % len(self.requests)]

    def count(self, reply: Reply, took: float) -> float:
        """Note an answer; how long its connection now waits before it asks again."""
        found = self.found
        self.took.append(took)
        if reply.status in (429, 503):
            return self._shed(reply)
        if reply.status != 200:
            found.other += 1
        elif ERRORS in reply.body:
            found.partial += 1
        else:
            found.good += 1
            self.took_good.append(took)
        return 0.0

    def _shed(self, reply: Reply) -> float:
        self.found.sheds += 1
        lower = reply.head.lower()
        at = lower.find(RETRY_AFTER)
        if at < 0:
            return 1.0
        self.found.sheds_with_retry_after += 1
        told = float(lower[at + len(RETRY_AFTER) :].partition(b"\r\n")[0])
        return told if self.plan.after_shed_s < 0 else self.plan.after_shed_s


class Connection(asyncio.Protocol):
    """Asks one thing at a time."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._held = b""
        self._begun = 0.0
        self._asking = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are none of asyncio's classes.
        self._transport = cast(asyncio.Transport, transport)

    def ask(self) -> None:
        if self._run.over or self._transport.is_closing():
            self._transport.close()
            return
        self._asking = True
        self._run.waiting += 1
        self._begun = time.perf_counter()
        self._transport.write(self._run.next_request())

    def data_received(self, data: bytes) -> None:
        data = self._held + data if self._held else data
        reply = read_reply(data)
        if reply is None:
            self._held = data
            return
        self._held = data[reply.size :]
        self._asking = False
        self._run.waiting -= 1
        pause = self._run.count(reply, time.perf_counter() - self._begun)
        if self._run.plan.rate:
            self._run.idle.append(self)
        elif pause:
            asyncio.get_running_loop().call_later(pause, self.ask)
        else:
            self.ask()

    def connection_lost(self, exc: Exception | None) -> None:
        run = self._run
        if self._asking:
            run.waiting -= 1
            run.found.broken += 1
        run.opened -= 1
        if self in run.idle:
            run.idle.remove(self)
        if not run.over and not run.plan.rate:
            loop = asyncio.get_running_loop()
            loop.call_later(RECONNECT_S, lambda: loop.create_task(_open(run, ask=True)))

    def close(self) -> None:
        self._transport.close()


async def _open(run: Run, *, ask: bool) -> Connection | None:
    run.opened += 1
    loop = asyncio.get_running_loop()
    try:
        _, made = await loop.create_connection(lambda: Connection(run), "127.0.0.1", run.plan.port)
    except OSError:
        run.opened -= 1
        run.found.broken += 1
        return None
    if ask:
        made.ask()
    return made


async def load(plan: Plan) -> Found:
    """Run the plan."""
    run = Run(plan)
    started, cpu = time.perf_counter(), time.process_time()
    if plan.rate:
        await _arrivals(run, started)
    else:
        await asyncio.gather(*(_open(run, ask=True) for _ in range(plan.connections)))
        await asyncio.sleep(max(0.0, started + plan.seconds - time.perf_counter()))
    run.found.seconds = time.perf_counter() - started
    run.found.busy = (time.process_time() - cpu) / run.found.seconds
    run.over = True
    # What was asked in time is answered, or it was not.
    last = time.perf_counter() + ENDS_AFTER_S
    while run.waiting and time.perf_counter() < last:
        await asyncio.sleep(0.02)
    run.found.unanswered = run.waiting
    _sum_up(run)
    return run.found


async def _arrivals(run: Run, started: float) -> None:
    """Requests at even intervals, in steps of a hundredth of a second."""
    sent = 0
    while (now := time.perf_counter()) < started + run.plan.seconds:
        due = int((now - started) * run.plan.rate)
        while sent < due:
            sent += 1
            if run.idle:
                run.idle.pop().ask()
            elif run.opened < run.plan.most:
                asyncio.get_running_loop().create_task(_open(run, ask=True))
            else:
                run.found.unsent += 1
        await asyncio.sleep(0.01)


def _sum_up(run: Run) -> None:
    found = run.found
    took, good = sorted(run.took), sorted(run.took_good)
    if took:
        found.p50_ms = took[len(took) // 2] * 1000
        found.p99_ms = took[int(len(took) * 0.99)] * 1000
        found.worst_ms = took[-1] * 1000
    if good:
        found.good_p99_ms = good[int(len(good) * 0.99)] * 1000


def main() -> None:
    """Read the plan, run it, tell."""
    plan = msgspec.json.decode(sys.stdin.buffer.read(), type=Plan)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(load(plan))))


if __name__ == "__main__":
    main()
