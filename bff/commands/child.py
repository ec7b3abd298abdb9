"""A supervisor's view of one worker: its process, what it said last, how it is spoken to."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from typing import Literal

from bff.commands import control
from bff.commands.control import Channel
from bff.telemetry.aggregate import Family

State = Literal["starting", "ready", "leaving"]


class Child:
    """One worker. `said` is why it could not start, in its own words; a `candidate` is tried out
    and not replaced when it ends."""

    def __init__(self, slot: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.slot = slot
        self.process = process
        self.channel = channel
        self.state: State = "starting"
        self.is_up = False
        self.said: str | None = None
        self.families: list[Family] = []
        self.unanswered = 0
        self.lived_since = asyncio.get_running_loop().time()
        self.hung = self.candidate = False
        self.changed = asyncio.Event()
        self._answer: asyncio.Future[None] | None = None

    @classmethod
    async def start(
        cls, slot: int, arguments: list[str], descriptors: list[int], environment: dict[str, str]
    ) -> Child:
        """Start a worker that inherits these descriptors. It gets a session of its own: Ctrl-C in a
        terminal is the supervisor's to pass on. Raises OSError."""
        ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, "-m", "bff.commands.worker", *arguments]
            process = await asyncio.create_subprocess_exec(
                *command,
                "--control",
                str(theirs.fileno()),
                pass_fds=[*descriptors, theirs.fileno()],
                env={**os.environ, **environment},
                start_new_session=True,
            )
        return cls(slot, process, await Channel.over(ours))

    @property
    def pid(self) -> int:
        return self.process.pid

    def heard(self, message: control.Any) -> None:
        """Remember what it said."""
        match message:
            case control.Up():
                self.is_up = True
            case control.Ready() if self.state == "starting":
                self.state = "ready"
            case control.Failed(reason):
                self.said = reason
            case control.Tell(families) | control.AskAll(_, families):
                self.families, self.unanswered = families, 0
                if self._answer is not None and not self._answer.done():
                    self._answer.set_result(None)
        self.changed.set()

    def retire(self) -> None:
        """Finish what is under way and end; others have taken over."""
        self.state = "leaving"
        self.channel.send(control.Retire())

    def stop(self) -> None:
        """Pass SIGTERM on; twice means haste."""
        self.state = "leaving"
        self._send(signal.SIGTERM)

    def kill(self) -> None:
        self._send(signal.SIGKILL)

    def _send(self, number: signal.Signals) -> None:
        if self.process.returncode is None:
            self.process.send_signal(number)

    def ask(self) -> asyncio.Future[None]:
        """Ask for its metrics; done when it has answered, this question or one before."""
        self.unanswered += 1
        self.channel.send(control.Ask())
        if self._answer is None or self._answer.done():
            self._answer = asyncio.get_running_loop().create_future()
        return self._answer

    async def no_longer_starts(self) -> None:
        """Until it is ready, or has ended."""
        while self.state == "starting" and self.process.returncode is None:
            self.changed.clear()
            await self.changed.wait()
