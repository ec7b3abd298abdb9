"""Child processes of `bff up`: a log file each, awaited until ready, stopped in order."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

import httpx2

from bff.errors import ConfigError

READY_WITHIN_S = 60.0
STOP_WITHIN_S = 15.0
LOG_TAIL = 15
TETHER = Path(__file__).with_name("tether.py")


@dataclass
class Child:
    """One running process and where to ask whether it is ready."""

    name: str
    process: subprocess.Popen[bytes]
    url: str
    log_file: Path


@dataclass
class Children:
    """All of them; leaving the context stops the last started first."""

    children: list[Child] = field(default_factory=list)

    def __enter__(self) -> Children:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._stop(STOP_WITHIN_S)
        except KeyboardInterrupt:  # a second Ctrl-C: whoever presses it has waited enough
            self._stop(0)

    def _stop(self, within: float) -> None:
        for child in reversed(self.children):
            child.process.terminate()
        for child in reversed(self.children):
            try:
                child.process.wait(within)
            except subprocess.TimeoutExpired:
                child.process.kill()
                child.process.wait()

    def start(
        self, name: str, command: list[str], environment: dict[str, str], url: str, log_file: Path
    ) -> Child:
        """Start one process. It gets no terminal signals of its own: Ctrl-C is ours to pass on.
        Raises ConfigError when its log cannot be written."""
        with _new_log(log_file) as log:
            process = subprocess.Popen(  # noqa: S603 - our own commands
                tethered(command), env=environment, stdout=log, stderr=log, start_new_session=True
            )
        child = Child(name, process, url, log_file)
        self.children.append(child)
        return child

    def check(self) -> None:
        """Raises ConfigError for a process that ended, with the end of its log."""
        for child in self.children:
            code = child.process.poll()
            if code is not None:
                raise ConfigError(f"{child.name} ended with exit code {code}:\n{tail(child)}")

    def wait_ready(self, child: Child) -> None:
        """Wait for /readyz. Raises ConfigError with the end of the log when it takes too long."""
        until = time.monotonic() + READY_WITHIN_S
        last = "no answer"
        while time.monotonic() < until:
            self.check()
            try:
                # Not through the proxy of the developer's environment: it cannot reach us.
                answer = httpx2.get(f"{child.url}/readyz", timeout=2, trust_env=False)
                if answer.status_code == 200:
                    return
                last = answer.text
            except httpx2.HTTPError as error:
                last = str(error)
            time.sleep(0.05)
        raise ConfigError(f"{child.name} is not ready ({last}):\n{tail(child)}")


def tethered(command: list[str]) -> list[str]:
    """The command, ending with this process however that ends; elsewhere than on Linux as it
    is."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-IS", str(TETHER), str(os.getpid()), *command]


def _new_log(path: Path) -> IO[bytes]:
    """An empty log. The one before is kept as `….log.1`: a process that still writes to it
    spoils nothing."""
    try:
        if path.is_file():
            path.replace(path.with_name(f"{path.name}.1"))
        return path.open("ab")
    except OSError as error:
        raise ConfigError(
            f"the log {path} cannot be written ({error.strerror}); make its folder one you may "
            "write, or name another data folder with --data"
        ) from error


def tail(child: Child) -> str:
    """The end of a process's log."""
    lines = child.log_file.read_text(errors="replace").splitlines()[-LOG_TAIL:]
    return "\n".join(f"  {line}" for line in lines) or "  (its log is empty)"
