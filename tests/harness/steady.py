"""A steady stream of requests over kept connections, as a proxy sends them, and what came of it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

WITHIN_S = 20.0


@dataclass
class Outcome:
    """One request: its status, or the name of what went wrong; when it began, how long it took."""

    what: int | str
    began: float
    seconds: float


@dataclass
class Steady:
    """Sends `request` at a rate. Never a second time: what is lost counts as lost."""

    port: int
    request: bytes
    outcomes: list[Outcome] = field(default_factory=list)
    _idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = field(default_factory=list)

    def told(self) -> Counter[int | str]:
        return Counter(one.what for one in self.outcomes)

    def failed(self) -> list[Outcome]:
        return [one for one in self.outcomes if one.what != 200]

    def percentile(self, share: float) -> float:
        """The seconds that this share of the answers took at most."""
        ordered = sorted(one.seconds for one in self.outcomes)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @asynccontextmanager
    async def flowing(self, per_second: float) -> AsyncIterator[Steady]:
        """Send in the background; the end of the context waits for the answers."""
        source = asyncio.create_task(self._flow(per_second))
        try:
            yield self
        finally:
            source.cancel()
            await asyncio.gather(source, return_exceptions=True)
            await asyncio.gather(*self._asking)
            for _, writer in self._idle:
                writer.close()

    def __post_init__(self) -> None:
        self._asking: set[asyncio.Task[None]] = set()

    async def until(self, holds: Callable[[], bool] | int, within_s: float = 30) -> None:
        """Until a condition holds, or so many more answers came. Raises TimeoutError."""
        more = len(self.outcomes) + holds if isinstance(holds, int) else 0
        async with asyncio.timeout(within_s):
            while len(self.outcomes) < more if isinstance(holds, int) else not holds():
                await asyncio.sleep(0.01)

    async def _flow(self, per_second: float) -> None:
        begun, sent = time.monotonic(), 0
        while True:
            sent += 1
            await asyncio.sleep(max(0.0, begun + sent / per_second - time.monotonic()))
            task = asyncio.create_task(self.ask())
            self._asking.add(task)
            task.add_done_callback(self._asking.discard)

    async def ask(self) -> None:
        """One request and what came of it."""
        began = time.monotonic()
        try:
            async with asyncio.timeout(WITHIN_S):
                what: int | str = await self._asked()
        except (OSError, asyncio.IncompleteReadError) as error:
            what = type(error).__name__
        self.outcomes.append(Outcome(what, began, time.monotonic() - began))

    async def _asked(self) -> int:
        reader, writer = await self._connection()
        writer.write(self.request)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            lines = head.lower().split(b"\r\n")
            sizes = [int(line[15:]) for line in lines if line.startswith(b"content-length:")]
            await reader.readexactly(sizes[0])
        except BaseException:
            writer.close()
            raise
        if b"connection: close" in lines:
            writer.close()
        else:
            self._idle.append((reader, writer))
        return int(head[9:12])

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port)


def post(path: str, body: bytes, token: str | None = None) -> bytes:
    """A whole POST."""
    signed = f"authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nhost: facet\r\ncontent-type: application/json\r\n{signed}"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
