"""A proxy between a gateway and one service that knows what is under way, and may kill the service
in exactly that moment."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from tests.harness.faults.http1 import Message, read_message


@dataclass
class Trap:
    """Set for the next request to one path: `spring` is called so long after it went to the
    service. `reply_s`: when its reply came, None where none did."""

    path: str
    after_s: float
    spring: Callable[[], None]
    sprung_at: float | None = None
    reply_s: float | None = None

    @property
    def interrupted(self) -> bool:
        """Whether it sprang after the whole request was with the service and before its reply."""
        return self.sprung_at is not None and self.reply_s is None


@dataclass
class Interceptor:
    """Forwards to the process on `target`; follows it when it changes."""

    target: int
    port: int = 0
    trap: Trap | None = None
    replayed: int = 0  # replies that told of an effect made earlier
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the gateway's, request by request."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (message := await read_message(reader, request=True)) is not None:
                reply = await self._forward(message)
                if reply is None:
                    writer.transport.abort()
                    return
                writer.write(reply.head + reply.body)
        except (ConnectionError, asyncio.CancelledError):
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _forward(self, message: Message) -> Message | None:
        trap = self.trap if self.trap is not None and message.path == self.trap.path else None
        if trap is not None:
            self.trap = None
        with contextlib.suppress(OSError):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                writer.write(message.head + message.body)
                await writer.drain()
                started = time.monotonic()
                if trap is not None:
                    asyncio.get_running_loop().call_later(trap.after_s, _spring, trap)
                reply = await read_message(reader, request=False)
                if reply is None:
                    return None
                if trap is not None:
                    trap.reply_s = time.monotonic() - started
                self.replayed += b"\r\nidempotency-replayed: true" in reply.head.lower()
                return reply
            finally:
                writer.transport.abort()
        return None

    async def close(self) -> None:
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _spring(trap: Trap) -> None:
    if trap.reply_s is None:
        trap.sprung_at = time.monotonic()
        trap.spring()


@asynccontextmanager
async def intercepting(target: int) -> AsyncIterator[Interceptor]:
    """An interceptor in this process's loop."""
    found = Interceptor(target)
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await found.close()
