"""What a supervisor and a worker of `bff serve --workers` say to each other, over a socket pair.

Messages are msgpack behind four bytes of length. The end of the stream is a message too: the other
process is gone.
"""

from __future__ import annotations

import asyncio
import socket

import msgspec

from bff.telemetry.aggregate import Family

LONGEST = 16 * 1024 * 1024
_LENGTH = 4


class Message(msgspec.Struct, tag=True, array_like=True):
    """The base of all."""


class Up(Message):
    """Worker: everything is loaded; nothing is accepted yet."""


class Ready(Message):
    """Worker: every readiness check said ok."""


class Failed(Message):
    """Worker: it cannot start, and why."""

    reason: str


class Accept(Message):
    """Supervisor: open the door."""


class Retire(Message):
    """Supervisor: another took over; finish and end."""


class Ask(Message):
    """Supervisor: tell your metrics."""


class Tell(Message):
    """Worker: its metrics."""

    families: list[Family]


class AskAll(Message):
    """Worker: tell the metrics of the group; here are mine."""

    number: int
    families: list[Family]


class TellAll(Message):
    """Supervisor: the metrics of the group."""

    number: int
    families: list[Family]


Any = Up | Ready | Failed | Accept | Retire | Ask | Tell | AskAll | TellAll
_decoder: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Any)
_encode = msgspec.msgpack.Encoder().encode


def framed(message: Message) -> bytes:
    """A message as it travels."""
    data = _encode(message)
    return len(data).to_bytes(_LENGTH, "big") + data


class Channel:
    """One end. Whoever reads and whoever writes must be in the loop it was opened in."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def over(cls, end: socket.socket) -> Channel:
        """Take over one end of a socket pair."""
        end.setblocking(False)
        return cls(*await asyncio.open_unix_connection(sock=end))

    def send(self, message: Message) -> None:
        """Write without waiting; what cannot be sent because the other is gone is dropped."""
        if not self._writer.is_closing():
            self._writer.write(framed(message))

    async def flush(self) -> None:
        """Wait until the system has taken all. Raises OSError."""
        await self._writer.drain()

    async def read(self) -> Any | None:
        """The next message; None at the end, and for what is none: a program of another version
        (upgraded in place) is no partner."""
        try:
            size = int.from_bytes(await self._reader.readexactly(_LENGTH), "big")
            if size > LONGEST:
                return None
            return _decoder.decode(await self._reader.readexactly(size))
        except (asyncio.IncompleteReadError, OSError, msgspec.DecodeError):
            return None

    def close(self) -> None:
        self._writer.close()
