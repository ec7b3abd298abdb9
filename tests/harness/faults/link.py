"""Moves the bytes of one connection both ways: late, slowly, not at all, or as they are."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Protocol

from tests.harness.faults.fault import Counts, Fault, Kind

_CHUNK = 16_384
_FOREVER_S = 3_600.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Told(Protocol):
    """Where a link learns what to do, and counts."""

    fault: Fault
    counts: Counts


class Link:
    """One connection and its other half."""

    def __init__(self, told: Told, ours: Streams, theirs: Streams) -> None:
        self._told = told
        self._ours = ours
        self._theirs = theirs
        self._came_down = False

    async def run(self) -> None:
        """Until either side ends."""
        up = asyncio.create_task(self._pump(self._ours[0], self._theirs[1], down=False))
        down = asyncio.create_task(self._pump(self._theirs[0], self._ours[1], down=True))
        try:
            await asyncio.wait({up, down}, return_when=asyncio.FIRST_COMPLETED)
            if down.done():
                return
            # The one side has said all; what the other still says is passed on.
            await asyncio.wait({down})
        finally:
            up.cancel()
            down.cancel()
            await asyncio.gather(up, down, return_exceptions=True)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool
    ) -> None:
        line = _DelayLine(writer)
        sender = asyncio.create_task(line.run())
        passed = 0
        try:
            with contextlib.suppress(OSError):
                while data := await reader.read(_CHUNK):
                    self._count(len(data), down)
                    data, goes_on = self._changed(data, passed, down)
                    passed += len(data)
                    self._send(line, data, down)
                    if not goes_on:
                        await line.flush()
                        await self._end()
                        return
                await line.flush()
        finally:
            sender.cancel()
            await asyncio.gather(sender, return_exceptions=True)

    def _count(self, size: int, down: bool) -> None:
        counts = self._told.counts
        if down:
            counts.down_bytes += size
        else:
            counts.up_bytes += size
            counts.turns += self._came_down
        self._came_down = down

    def _changed(self, data: bytes, passed: int, down: bool) -> tuple[bytes, bool]:
        """What of it goes on, and whether anything after it may."""
        fault, counts = self._told.fault, self._told.counts
        if fault.kind is Kind.BLACKHOLE:
            counts.injected += 1
            return b"", True
        if not down:
            return data, True
        match fault.kind:
            case Kind.SAYS:
                counts.injected += 1
                return fault.text.encode(), True
            case Kind.LATENCY | Kind.BANDWIDTH:
                counts.injected += 1
            case Kind.RESET_AFTER | Kind.STALL_AFTER if passed + len(data) > fault.bytes:
                counts.injected += 1
                return data[: max(0, fault.bytes - passed)], False
        return data, True

    def _send(self, line: _DelayLine, data: bytes, down: bool) -> None:
        fault = self._told.fault
        if not data:
            return
        if fault.kind is Kind.BANDWIDTH:
            kbps = fault.down_kbps if down else fault.up_kbps
            line.put(data, fault.rtt_ms / 2_000, kbps)
        elif fault.kind is Kind.LATENCY and down:
            jitter = random.uniform(-fault.jitter_ms, fault.jitter_ms)
            line.put(data, max(0.0, fault.ms + jitter) / 1_000, 0)
        else:
            line.put(data, 0, 0)

    async def _end(self) -> None:
        if self._told.fault.kind is Kind.STALL_AFTER:
            await asyncio.sleep(_FOREVER_S)
        await asyncio.sleep(0.01)
        self._ours[1].transport.abort()


class _DelayLine:
    """A wire of some length and width: bytes come out in order, each after its own time."""

    def __init__(
        self,
        writer: asyncio.StreamWriter,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self._writer = writer
        self._clock = clock or asyncio.get_running_loop().time
        self._queue: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue()
        self._busy_until = 0.0

    def put(self, data: bytes, delay_s: float, kbps: float) -> None:
        """`delay_s` on the way, after the time its bits take at `kbps` (0: none)."""
        begins = max(self._clock(), self._busy_until)
        self._busy_until = begins + (len(data) * 8 / (kbps * 1_000) if kbps else 0.0)
        self._queue.put_nowait((self._busy_until + delay_s, data))

    async def run(self) -> None:
        """Deliver until cancelled or the other side is gone."""
        while True:
            at, data = await self._queue.get()
            try:
                await asyncio.sleep(max(0.0, at - self._clock()))
                self._writer.write(data)
                await self._writer.drain()
            except OSError:
                pass  # who listened has left; the rest is nobody's
            finally:
                self._queue.task_done()

    async def flush(self) -> None:
        """Until all that was put has come out."""
        await self._queue.join()
