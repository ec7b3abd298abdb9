"""Processes of the bench: their core, their CPU, their end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from tests.bench.processes import CannotMeasureError, Cores, on_core, pinned

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the bench runs on Linux alone")
BUSY = (
    "import time\nwhile time.process_time() < 0.3: pass\nprint('done', flush=True)\ntime.sleep(60)"
)


def test_cpu_is_the_kernels(tmp_path: Path) -> None:
    """The process clock agrees with utime + stime of /proc; the process is on its core."""
    core = min(os.sched_getaffinity(0))
    log = tmp_path / "log"
    with pinned("busy", [sys.executable, "-c", BUSY], core, log, {}) as process:
        until = time.monotonic() + 30
        while "done" not in log.read_text() and time.monotonic() < until:
            time.sleep(0.01)
        pid = process.process.pid
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        assert process.cpu_s() >= 0.3
        assert process.cpu_s() == pytest.approx(ticks, abs=0.05)
        assert os.sched_getaffinity(pid) == {core}
        assert process.rss_mb() > 1
    assert process.process.poll() is not None


def test_ended_process_is_told(tmp_path: Path) -> None:
    """A gateway that ended is no figure; the end of its log says why."""
    script = "import sys; sys.exit('no key file')"
    with pinned("short", [sys.executable, "-c", script], 0, tmp_path / "log", {}) as process:
        process.process.wait(30)
        with pytest.raises(CannotMeasureError, match="no key file"):
            process.cpu_s()


def test_core_is_given_back() -> None:
    """What was allowed before is allowed again."""
    before = os.sched_getaffinity(0)
    with on_core(min(before)):
        assert os.sched_getaffinity(0) == {min(before)}
    assert os.sched_getaffinity(0) == before


def test_one_core_is_refused() -> None:
    """Gateway and load on one core would be measured together."""
    with on_core(min(os.sched_getaffinity(0))), pytest.raises(CannotMeasureError, match="one core"):
        Cores.choose()
