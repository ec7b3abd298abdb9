"""Child processes: awaited until ready, told of when they end, always stopped."""

from __future__ import annotations

import sys
import time
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
        until = time.monotonic() + 30
        while "deaf" not in tail(child) and time.monotonic() < until:
            time.sleep(0.01)
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
