"""bff/commands/supervise.py: no slot stays empty; real groups are in tests/e2e/test_workers.py."""

from __future__ import annotations

import asyncio
import signal
from typing import Any

import pytest

from bff.commands import supervise
from bff.commands.child import Child
from bff.commands.supervise import Supervisor


class Process:
    """One that runs until it is told to end."""

    pid, returncode = 1, None

    def send_signal(self, number: signal.Signals) -> None:
        self.returncode = -number


class Frozen:
    """Settings that nobody reads."""

    def __init__(self) -> None:
        self.is_closed = False

    def close(self) -> None:
        self.is_closed = True


class Group(Supervisor):
    """A group of one whose workers are no processes; starting the first few of them fails."""

    def __init__(self, failures: int = 0) -> None:
        sockets: Any = None
        frozen: Any = Frozen()
        super().__init__("ios", 1, sockets, frozen)
        self.failures = failures
        self.refuses = "it is said to be refused"

    async def _new(self, slot: int, frozen: Any, *, candidate: bool = False) -> Child:
        if self.failures:
            self.failures -= 1
            raise BlockingIOError(11, "Resource temporarily unavailable")
        process: Any = Process()
        child = Child(slot, process, None)  # type: ignore[arg-type]
        child.candidate = candidate
        self._children.add(child)
        return child

    async def _refused(self, new: Child) -> str | None:
        """While the new worker is tried, the old one ends."""
        for old in self.serving() - {new}:
            self._children.discard(old)
            self._has_ended(old, 1)
        await self.settled()
        return self.refuses

    def serving(self) -> set[Child]:
        return {one for one in self._children if one.state != "leaving"}

    async def settled(self) -> None:
        """Whatever was begun is over."""
        async with asyncio.timeout(5):
            while self._tasks:
                await asyncio.sleep(0.001)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Frozen:
    """What a reload reads."""
    found = Frozen()
    monkeypatch.setattr(supervise, "FrozenSettings", lambda: found)
    monkeypatch.setattr(supervise, "BACKOFF_S", 0.001)
    return found


async def test_refused_reload_leaves_no_gap(settings: Frozen) -> None:
    """A worker that ends while new settings are tried in its slot has a successor, though they are
    refused."""
    group = Group()
    await group._start(0)
    (old,) = group.serving()
    await group._reload()
    await group.settled()
    (serving,) = group.serving()
    assert serving is not old
    assert not serving.candidate
    assert settings.is_closed


@pytest.mark.parametrize("reloading", [False, True])
async def test_want_of_processes_ends_nobody(settings: Frozen, reloading: bool) -> None:
    """Where the machine has no process to give, a slot is filled later and a reload refused: the
    group goes on."""
    group = Group()
    await group._start(0)
    (old,) = group.serving()
    group.failures = 3
    if reloading:
        await group._reload()
    else:
        group._children.discard(old)
        group._begin(group._replace(old, 1))
    await group.settled()
    (serving,) = group.serving()
    assert (serving is old) is reloading
    assert not group._stopping
