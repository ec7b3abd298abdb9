"""`bff serve PLATFORM --workers N`: keeps N workers serving on one socket.

Promises: a worker that ends by itself is replaced; SIGHUP replaces all, one after the other, each
once its successor is ready, or none where the new settings cannot be served; SIGTERM and SIGINT end
all, each after its own drain; the metrics of the group never go backwards because a worker died.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections import Counter as Tally
from collections.abc import Coroutine
from typing import Any

from prometheus_client import CollectorRegistry

from bff.commands import control
from bff.commands.child import Child
from bff.commands.frozen_settings import FrozenSettings
from bff.commands.sockets import Sockets
from bff.edge.share import ABSENT, Shares
from bff.errors import ConfigError
from bff.telemetry import aggregate
from bff.telemetry.aggregate import Family
from bff.telemetry.logs import logger
from bff.telemetry.process_metrics import GroupMetrics

READY_WITHIN_S = 60.0
# A worker's counts are asked for so often: what is lost with one that is killed.
ASK_EVERY_S = 2.0
FRESH_WITHIN_S = 1.0
# So many unanswered questions in a row: its loop stands still. Counted in our own turns, so that a
# machine that slept kills nobody.
HUNG_AFTER = 15
# Ends in a row, without a worker ever being up, after which there is no point in trying on.
HOPELESS = 3
BACKOFF_S, BACKOFF_MOST_S = 0.5, 30.0
STEADY_S = 60.0
# Beyond lame duck and grace, for usage and spans to be written.
STOP_SLACK_S = 30.0

CANNOT_START, CONFIG_AT_FAULT = 1, 2

log = logger(__name__)


def shared_memory(size: int) -> int:
    """The descriptor of so much memory that children may share."""
    if sys.platform == "linux":
        found = os.memfd_create("facet-workers")
    else:
        found, name = tempfile.mkstemp()
        os.unlink(name)
    os.ftruncate(found, size)
    return found


class Supervisor:
    """The group. `run` gives the exit code."""

    def __init__(self, platform: str, count: int, sockets: Sockets, frozen: FrozenSettings) -> None:
        self._platform = platform
        self._count = count
        self._sockets = sockets
        self._frozen = frozen
        self._children: set[Child] = set()
        self._ended: list[Family] = []
        self._failures: Tally[int] = Tally()
        self._was_up = False
        self._stopping = False
        self._reloading: asyncio.Task[None] | None = None
        self._exit_code = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self._all_gone = asyncio.Event()
        self._counts = shared_memory(4 * count)
        self._shares = Shares(self._counts)
        for slot in range(count):
            self._shares.set(slot, ABSENT)
        self._registry = CollectorRegistry()
        self._metrics = GroupMetrics(self._registry)

    async def run(self) -> int:
        """Until every worker has ended."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        for slot in range(self._count):
            self._begin(self._start(slot))
        self._begin(self._ask_regularly())
        await self._all_gone.wait()
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        return self._exit_code

    def _begin(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # A fault of ours must not leave a group nobody looks after.
            log.error("supervisor_failed", exc_info=error)
            self._give_up(CANNOT_START)

    # Workers come and go.

    async def _start(self, slot: int) -> None:
        if self._stopping or self._in_slot(slot):
            return
        child = await self._new(slot, self._frozen)
        if self._stopping:
            child.stop()

    def _in_slot(self, slot: int) -> list[Child]:
        return [one for one in self._children if one.slot == slot and one.state != "leaving"]

    async def _new(self, slot: int, frozen: FrozenSettings, *, candidate: bool = False) -> Child:
        arguments = [self._platform, "--public", str(self._sockets.public.fileno())]
        arguments += ["--slot", str(slot), "--shares", str(self._counts)]
        descriptors = [self._sockets.public.fileno(), self._counts, *frozen.descriptors]
        if self._sockets.operator is not None:
            arguments += ["--operator", str(self._sockets.operator.fileno())]
            descriptors.append(self._sockets.operator.fileno())
        if self._sockets.operations:
            arguments.append("--operations")
        environment = {**frozen.environment, "FACET_WORKERS": str(self._count)}
        child = await Child.start(slot, arguments, descriptors, environment)
        child.candidate = candidate
        self._children.add(child)
        log.info("worker_started", slot=slot, worker=child.pid)
        self._begin(self._listen(child))
        return child

    async def _listen(self, child: Child) -> None:
        """Hear a worker until it has ended, then see to what that means."""
        while (message := await child.channel.read()) is not None:
            was = child.state
            child.heard(message)
            if isinstance(message, control.AskAll):
                self._begin(self._tell_all(child, message.number))
            if isinstance(message, control.Up):
                self._came_up(child)
            if child.state != was:
                log.info("worker_ready", slot=child.slot, worker=child.pid)
                child.channel.send(control.Accept())
        child.channel.close()  # a worker that is still there takes that for our end, and leaves
        code = await child.process.wait()
        child.changed.set()
        self._children.discard(child)
        if not self._in_slot(child.slot):
            self._shares.set(child.slot, ABSENT)
        self._ended = aggregate.added([self._ended, aggregate.counted(child.families)])
        self._has_ended(child, code)

    def _came_up(self, child: Child) -> None:
        """With nobody ready, better an honest /readyz than no answer at all."""
        self._was_up = True
        if not any(other.state == "ready" for other in self._children):
            child.channel.send(control.Accept())

    def _has_ended(self, child: Child, code: int) -> None:
        log.info("worker_ended", slot=child.slot, worker=child.pid, code=code)
        if self._stopping or child.state == "leaving":
            if self._stopping and code != 0:
                self._exit_code = self._exit_code or CANNOT_START
        elif child.candidate:
            pass  # whoever tries it out sees that it has ended
        elif child.said is not None and not self._was_up:
            self._give_up(CONFIG_AT_FAULT)
        elif not child.is_up and self._is_hopeless(child.slot):
            self._give_up(CANNOT_START)
        else:
            self._begin(self._replace(child, code))
        if self._stopping and not self._children:
            self._all_gone.set()

    def _is_hopeless(self, slot: int) -> bool:
        return not self._was_up and self._failures[slot] + 1 >= HOPELESS

    async def _replace(self, child: Child, code: int) -> None:
        lived_s = asyncio.get_running_loop().time() - child.lived_since
        failures = self._failures[child.slot] = (
            1 if lived_s > STEADY_S else self._failures[child.slot] + 1
        )
        # The first time at once; a worker that ends again and again is not started as often.
        pause_s = min(BACKOFF_MOST_S, BACKOFF_S * 2 ** (failures - 2)) if failures > 1 else 0.0
        self._metrics.restarts.labels("hung" if child.hung else "crashed").inc()
        log.error(
            "worker_crashed", slot=child.slot, worker=child.pid, code=code, restarted_in_s=pause_s
        )
        await self._start_in(child.slot, pause_s)

    async def _start_in(self, slot: int, pause_s: float) -> None:
        """Fill a slot after a pause, and try on where the machine has no process to give: the other
        workers serve, and must not end for want of one more."""
        while True:
            await asyncio.sleep(pause_s)
            try:
                await self._start(slot)
            except OSError as error:
                pause_s = min(BACKOFF_MOST_S, max(BACKOFF_S, pause_s * 2))
                log.error(
                    "worker_not_started", slot=slot, reason=error.strerror, again_in_s=pause_s
                )
            else:
                return

    # Signals.

    def stop(self) -> None:
        """End the group; said twice, in haste."""
        if not self._stopping:
            self._stopping = True
            log.info("group_stops", workers=len(self._children))
            self._sockets.close()  # the workers have theirs; the last to close closes the port
            self._begin(self._stop_slow_ones())
        for child in [*self._children]:
            child.stop()
        if not self._children:
            self._all_gone.set()

    async def _stop_slow_ones(self) -> None:
        settings = self._frozen.settings
        patience_s = settings.lame_duck_s + settings.edge.shutdown_grace_s + STOP_SLACK_S
        await asyncio.sleep(patience_s)
        for child in [*self._children]:
            log.error("worker_killed", slot=child.slot, worker=child.pid, after_s=patience_s)
            child.kill()

    def _give_up(self, code: int) -> None:
        if not self._stopping:
            log.error("workers_cannot_start", exit_code=code)
            self._exit_code = code
        self.stop()

    def reload(self) -> None:
        """Replace every worker by one with the settings as they are now."""
        if self._stopping or (self._reloading is not None and not self._reloading.done()):
            log.warning("reload_ignored", reason="a reload or a stop is under way")
            return
        self._reloading = self._begin(self._reload())

    async def _reload(self) -> None:
        try:
            frozen = FrozenSettings()
        except ConfigError as error:
            self._refuse_reload(str(error))
            return
        for slot in range(self._count):
            if self._stopping:
                return
            old = self._in_slot(slot)
            new, refused = await self._tried(slot, frozen)
            if new is None:
                self._refuse_reload(refused)
                if self._frozen is not frozen:
                    frozen.close()
                # The old one may have ended meanwhile, and left its place to who is refused now.
                self._begin(self._start_in(slot, 0.0))
                return
            new.candidate = False
            if self._frozen is not frozen:
                self._frozen.close()
                self._frozen = frozen
            for one in old:
                one.retire()
        self._metrics.reloads.labels("taken").inc()
        log.info("reload_taken", workers=self._count)

    async def _tried(self, slot: int, frozen: FrozenSettings) -> tuple[Child | None, str]:
        """A new worker that is ready; or none, and why."""
        try:
            new = await self._new(slot, frozen, candidate=True)
        except OSError as error:
            return None, f"no new worker could be started ({error.strerror})"
        refused = await self._refused(new)
        if refused is None:
            return new, ""
        new.stop()
        return None, refused

    async def _refused(self, new: Child) -> str | None:
        """Why a new worker does not become ready; None where it is."""
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                await new.no_longer_starts()
        except TimeoutError:
            return f"no worker was ready within {READY_WITHIN_S:g} s; /readyz and the log say why"
        if new.state == "ready" and new.process.returncode is None:
            return None
        return new.said or f"the new worker ended with exit code {new.process.returncode}"

    def _refuse_reload(self, reason: str) -> None:
        self._metrics.reloads.labels("refused").inc()
        log.error("reload_refused", reason=reason)

    # Metrics.

    async def _ask_regularly(self) -> None:
        while True:
            await asyncio.sleep(ASK_EVERY_S)
            for child in [*self._children]:
                if child.unanswered >= HUNG_AFTER:
                    child.hung = True
                    child.kill()
                elif child.is_up:
                    child.ask()

    async def _tell_all(self, asker: Child, number: int) -> None:
        """The sum over all workers, as fresh as they answer; a dead one's counts included."""
        others = [child for child in self._children if child is not asker and child.is_up]
        if others:
            await asyncio.wait([child.ask() for child in others], timeout=FRESH_WITHIN_S)
        parts = [child.families for child in self._children]
        families = aggregate.added([*parts, self._ended, self._own()])
        asker.channel.send(control.TellAll(number, families))

    def _own(self) -> list[Family]:
        states = Tally(child.state for child in self._children)
        for state in ("starting", "ready", "leaving"):
            self._metrics.workers.labels(state).set(states[state])
        return aggregate.read(self._registry)
