"""Core service processes within a few hundredths of a second: one process imports everything and
forks the others, which then serve as `python -m core_services serve` does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx2

from tests.harness.databases import free_port

_ROOT = Path(__file__).parent.parent.parent
_READY_S = 20.0


@dataclass(frozen=True)
class Newborn:
    """One service process."""

    pid: int
    port: int

    def kill(self) -> None:
        """Without any warning."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


class Nursery:
    """Where they come from; they are killed with it."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._born: list[Newborn] = []

    async def bear(self) -> Newborn:
        """One more process, ready to answer."""
        port = free_port()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"%d\n" % port)
        self._process.stdin.flush()
        line = await asyncio.to_thread(self._process.stdout.readline)
        newborn = Newborn(int(line), port)
        self._born.append(newborn)
        await _until_ready(port)
        return newborn

    def end(self) -> None:
        """Kill them all."""
        for newborn in self._born:
            newborn.kill()


async def _until_ready(port: int) -> None:
    deadline = time.monotonic() + _READY_S
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
        while time.monotonic() < deadline:
            with suppress(httpx2.TransportError):
                if (await client.get("/healthz")).status_code == 200:
                    return
            await asyncio.sleep(0.01)
    raise RuntimeError(f"the service on port {port} did not answer in {_READY_S:.0f} s")


@contextmanager
def nursery(service: str, environ: Mapping[str, str], log: Path) -> Iterator[Nursery]:
    """A nursery of one service."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.harness.nursery", service],
            env={**os.environ, **environ},
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=output,
        )
    made = Nursery(process)
    try:
        yield made
    finally:
        made.end()
        process.kill()
        process.communicate()


def _main() -> None:
    from core_services.__main__ import find_service
    from core_services.kit.server import serve
    from core_services.kit.settings import load_settings

    service = find_service(sys.argv[1])
    settings = load_settings(service.settings)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    for line in sys.stdin:
        pid = os.fork()
        if pid == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.dup2(2, 1)  # its log, not our answers
            serve(service, settings, "127.0.0.1", int(line))
            os._exit(0)
        sys.stdout.write(f"{pid}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main()
