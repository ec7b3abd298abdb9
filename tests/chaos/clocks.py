"""Processes with a wrong clock: faketime moves their wall clock, and leaves the monotonic one."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from unittest import mock

import httpx2

from bff.commands.launch import start_service
from tests.chaos.rig import Rig
from tests.harness.databases import not_proven

NO_FAKETIME = "put faketime on PATH (apt install faketime)"
WITHIN_S = 15.0
# A Date header has whole seconds, the file is looked at once a second, and machines are busy.
EXACT_S = 5.0


@dataclass
class Clock:
    """The wall clock of a running process, which may be set at any moment; of one without much use
    of threads, for which faketime is too slow then. `url` answers /healthz with its Date."""

    file: Path
    url: str = ""

    def environment(self) -> dict[str, str]:
        """Of a process that goes by this clock from its start on."""
        self._write(0)
        return {
            "LD_PRELOAD": _library(),
            "FAKETIME_TIMESTAMP_FILE": str(self.file),
            "FAKETIME_CACHE_DURATION": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }

    def set(self, seconds: int) -> float:
        """So many seconds ahead from now on; gives what the process says its time is off by, once
        that is it."""
        self._write(seconds)
        end = time.monotonic() + WITHIN_S
        while abs((found := skew_of(self.url)) - seconds) > EXACT_S and time.monotonic() < end:
            time.sleep(0.1)
        return found

    def _write(self, seconds: int) -> None:
        unfinished = self.file.with_suffix(".new")
        unfinished.write_text(f"{seconds:+d}s\n")
        unfinished.replace(self.file)


def _library() -> str:
    program = shutil.which("faketime")
    if program is None:
        not_proven("faketime", NO_FAKETIME)
    said = subprocess.run(
        [program, "-f", "+0s", "env"], capture_output=True, text=True, check=True
    ).stdout
    line = next(line for line in said.splitlines() if line.startswith("LD_PRELOAD="))
    return line.partition("=")[2]


def restart(rig: Rig, service: str, seconds: int) -> float:
    """Start a service anew, its clock so many seconds ahead; gives by how many it says it is."""
    children = rig.stack.children
    child = next(one for one in children.children if one.name == service)
    children.children.remove(child)
    child.process.terminate()
    child.process.wait(30)
    told = {
        "LD_PRELOAD": _library(),
        "FAKETIME": f"{seconds:+d}s",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    with mock.patch.dict(os.environ, told if seconds else {}):
        started = start_service(rig.stack.where, children, service)
    children.wait_ready(started)
    return skew_of(started.url)


def skew_of(url: str) -> float:
    """By how many seconds the time of who answers there is ahead of ours."""
    told = httpx2.get(f"{url}/healthz", timeout=10, trust_env=False).headers["date"]
    return (parsedate_to_datetime(told) - datetime.now(UTC)).total_seconds()
