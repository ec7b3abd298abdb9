"""Child processes: awaited until ready, told of when they end, always stopped."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bff.commands import processes
from bff.commands.processes import Child, Children, tail
from bff.errors import ConfigError
from tests.harness.databases import free_port

SERVER = """
import http.server, sys

class Ready(http.server.BaseHTTPRequestHandler):
    asked = 0

    def do_GET(self):
        Ready.asked += 1
        self.send_response(200 if Ready.asked > 2 else 503)
        self.end_headers()
        self.wfile.write(b"starting")

    def log_message(self, *_):
        pass

http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Ready).serve_forever()
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("deaf", flush=True)
time.sleep(60)
"""


def start(children: Children, folder: Path, program: str, *arguments: str, port: int = 1) -> Child:
    command = [sys.executable, "-c", program, *arguments]
    return children.start("child", command, {}, f"http://127.0.0.1:{port}", folder / "child.log")


def test_ready_child_is_awaited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child is ready when /readyz says so, whatever proxy the environment names; leaving stops
    it."""
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    port = free_port()
    with Children() as children:
        child = start(children, tmp_path, SERVER, str(port), port=port)
        children.wait_ready(child)
        children.check()
    assert child.process.returncode is not None


def test_ended_child_shows_its_log(tmp_path: Path) -> None:
    """A child that ended is told with its exit code and the end of its log, and is not awaited
    any longer."""
    program = "print('\\n'.join(f'line {n}' for n in range(50))); raise SystemExit(3)"
    with Children() as children:
        child = start(children, tmp_path, program)
        with pytest.raises(ConfigError, match="child ended with exit code 3") as ended:
            children.wait_ready(child)
    assert "line 49" in str(ended.value)
    assert "line 30" not in str(ended.value)


def test_late_child_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that never becomes ready is told with what it said last."""
    monkeypatch.setattr(processes, "READY_WITHIN_S", 0.2)
    with Children() as children:
        child = start(children, tmp_path, "import time; time.sleep(60)", port=free_port())
        with pytest.raises(ConfigError, match=r"child is not ready \(.*\n.*its log is empty"):
            children.wait_ready(child)


def test_stubborn_child_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that ignores the polite signal is gone all the same."""
    monkeypatch.setattr(processes, "STOP_WITHIN_S", 0.2)
    with Children() as children:
        child = start(children, tmp_path, STUBBORN)
        wait_for(lambda: "deaf" in tail(child))
    assert child.process.returncode == -9


def test_children_stop_after_an_error(tmp_path: Path) -> None:
    """An error while others are being started leaves nothing running."""

    def start_two() -> None:
        with children:
            start(children, tmp_path, "import time; time.sleep(60)")
            raise ConfigError("the next one failed")

    children = Children()
    with pytest.raises(ConfigError):
        start_two()
    assert children.children[0].process.returncode is not None


def test_second_interrupt_is_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second Ctrl-C while a child takes its time ends it at once, without an error."""
    waits = iter([True])
    really = subprocess.Popen.wait

    def impatient(process: subprocess.Popen[bytes], timeout: float | None = None) -> int:
        if next(waits, False):
            raise KeyboardInterrupt
        return really(process, timeout)

    with Children() as children:
        child = start(children, tmp_path, STUBBORN)
        wait_for(lambda: "deaf" in tail(child))
        monkeypatch.setattr(subprocess.Popen, "wait", impatient)
    assert child.process.returncode == -9


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux can be asked to")
def test_children_end_with_killed_starter(tmp_path: Path) -> None:
    """A starter that is killed, and can stop nobody, leaves no child behind."""
    log = str(tmp_path / "child.log")
    program = f"""
from pathlib import Path; import sys, time
from bff.commands.processes import Children
child = Children().start(
    "c", [sys.executable, "-c", "import time; time.sleep(60)"], {{}}, "", Path({log!r})
)
print(child.process.pid, flush=True)
time.sleep(60)
"""
    starter = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE)
    assert starter.stdout is not None
    pid = int(starter.stdout.readline())
    starter.kill()
    starter.wait()
    starter.stdout.close()
    wait_for(lambda: not runs(pid))


def runs(pid: int) -> bool:
    """Whether a process runs; one that ended and that nobody has asked about does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_for(happened: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not happened():
        assert time.monotonic() < until, "it did not happen within 30 s"
        time.sleep(0.01)


def test_log_of_before_is_kept(tmp_path: Path) -> None:
    """A restart begins a new log; what still writes to the old one writes beside it."""
    log = tmp_path / "child.log"
    with log.open("w") as old, Children() as children:
        old.write("first\n")
        old.flush()
        child = start(children, tmp_path, "print('second')")
        child.process.wait(30)
        old.write("late\n")
    assert log.read_text() == "second\n"
    assert (tmp_path / "child.log.1").read_text() == "first\nlate\n"


def test_unwritable_log_is_named(tmp_path: Path) -> None:
    """A log that cannot be opened is told with its path and the way out."""
    (tmp_path / "child.log").mkdir()
    with Children() as children, pytest.raises(ConfigError, match=r"child\.log .*--data"):
        start(children, tmp_path, "")
