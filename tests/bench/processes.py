"""Processes of the bench: each on its core, its CPU and memory from the kernel's own accounting.

Linux only: another process's CPU clock and core are asked for in Linux's ways.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from bff.commands.processes import tethered
from tests.bench.http1 import Reply
from tests.bench.load import ask_once

ROOT = Path(__file__).parent.parent.parent
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 10.0
_PAGE = os.sysconf("SC_PAGE_SIZE")


class CannotMeasureError(Exception):
    """The machine, a program or a gateway does not allow the figure; the message names the way
    out."""


@dataclass(frozen=True)
class Cores:
    """Where the gateway runs, and where everything else does."""

    gateway: int
    others: int

    @classmethod
    def choose(cls) -> Cores:
        """The last core for the gateway, the first for the rest. Raises CannotMeasureError."""
        if not hasattr(os, "sched_getaffinity"):
            raise CannotMeasureError(
                f"the bench pins processes to cores, which {sys.platform} "
                "does not offer; run it on Linux"
            )
        cores = sorted(os.sched_getaffinity(0))
        if len(cores) < 2:
            raise CannotMeasureError(
                "one core is not enough: a gateway would be measured "
                "together with its load; give the bench two"
            )
        return cls(cores[-1], cores[0])


@dataclass
class Pinned:
    """One running process on one core."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def cpu_s(self) -> float:
        """Its CPU so far, user and system, of all its threads, ended ones too: what
        /proc/PID/stat holds as utime + stime, without that file's rounding to clock ticks."""
        pid = self.process.pid
        if self.process.poll() is not None:
            raise CannotMeasureError(
                f"{self.name} ended with {self.process.returncode}:\n{self.tail()}"
            )
        # The kernel's MAKE_PROCESS_CPUCLOCK(pid, CPUCLOCK_SCHED), which clock_getcpuclockid(3)
        # makes; Python has no name for it.
        return time.clock_gettime((~pid << 3) | 2)

    def rss_mb(self) -> float:
        """Resident memory now, in MB (10^6)."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * _PAGE / 1e6

    def tail(self) -> str:
        """The end of its log."""
        return self.log.read_text(errors="replace")[-2_000:]


@contextmanager
def pinned(
    name: str, command: list[str], core: int, log: Path, environment: Mapping[str, str]
) -> Iterator[Pinned]:
    """Start a process on a core and stop it at the end, also when this one is killed; its output
    goes to `log`."""
    with log.open("wb") as output, on_core(core):
        process = subprocess.Popen(
            tethered(command),
            env={**_clean(), **environment},
            cwd=ROOT,
            stdout=output,
            stderr=output,
        )
    try:
        yield Pinned(name, process, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def on_core(core: int) -> Iterator[None]:
    """This process, and what it starts meanwhile, on one core: children inherit it, threads of
    theirs included, before their first instruction."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


async def wait_right(
    started: Pinned, port: int, request: bytes, wrong: Callable[[Reply], str | None]
) -> None:
    """Until the gateway answers the request right: it may listen before it knows what it needs.
    Raises CannotMeasureError with what was wrong to the last."""
    until = time.monotonic() + READY_WITHIN_S
    said: str | None = "no answer"
    while time.monotonic() < until:
        started.cpu_s()
        with suppress(OSError, ValueError, TimeoutError):
            said = wrong(await ask_once(port, request))
            if said is None:
                return
        await asyncio.sleep(0.1)
    raise CannotMeasureError(f"{started.name} was not ready: {said}\n{started.tail()}")


async def ask(asked: Pinned, port: int, request: bytes) -> Reply:
    """One request to a process that is ready. Raises CannotMeasureError when none comes back."""
    try:
        return await ask_once(port, request)
    except (OSError, ValueError) as error:
        asked.cpu_s()
        said = str(error) or "no answer in time"
        raise CannotMeasureError(f"{asked.name}: {said}\n{asked.tail()}") from error


def _clean() -> dict[str, str]:
    """The environment without settings meant for other gateways."""
    return {name: value for name, value in os.environ.items() if not name.startswith("BFF_")}
