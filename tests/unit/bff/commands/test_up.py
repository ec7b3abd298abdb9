"""`bff up` before and after what it starts: refusals with a way out, signals, its exit code."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from bff import config as settings_module
from bff.__main__ import main
from bff.commands import up as up_module
from bff.commands.data_lock import alone
from bff.commands.development import layout
from bff.commands.sockets import listen
from bff.commands.up import up
from bff.errors import ConfigError
from tests.harness.ports import free_block


@pytest.fixture
def kept_signals() -> Iterator[None]:
    """The handlers of the test process come back."""
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    before = {number: signal.getsignal(number) for number in numbers}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(data: Path, *arguments: str) -> Result:
    given = ["--data", str(data), "--port-base", str(free_block()), *arguments]
    return CliRunner().invoke(up, given, catch_exceptions=False)


@pytest.mark.parametrize("offset", [1, 3, 101, 103])
def test_taken_port_says_the_way_out(tmp_path: Path, offset: int) -> None:
    """A port in use is named with whose it is and how to take others; nothing was started or
    written."""
    base = free_block()
    data = tmp_path / "data"
    with socket.socket() as other:
        other.bind(("127.0.0.1", base + offset))
        other.listen()
        with pytest.raises(ConfigError) as refused:
            CliRunner().invoke(
                up, ["--data", str(data), "--port-base", str(base)], catch_exceptions=False
            )
    assert f"port {base + offset} for " in str(refused.value)
    assert f"--port-base {base + 1000} --data .data/{base + 1000}" in str(refused.value)
    assert not data.exists()


def test_taken_port_stops_a_gateway() -> None:
    """A single gateway says the same of its own port, and gives a free one back when asked."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}.*--port"):
            listen("127.0.0.1", port)
    listen("127.0.0.1", port).close()
    with pytest.raises(ConfigError, match="cannot listen"):
        listen("no such host", 0)


def test_production_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bff up` starts nothing in production."""
    monkeypatch.setenv("BFF_ENV", "production")
    with pytest.raises(ConfigError, match="BFF_ENV=production"):
        run(tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_crash_is_no_refusal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A fault of ours exits 70, with its traceback: 1 would read as a judgement."""
    monkeypatch.setattr("sys.argv", ["bff", "check"])
    monkeypatch.setattr("bff.__main__.cli", lambda **_: 1 / 0)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 70
    assert "ZeroDivisionError" in capsys.readouterr().err


def test_wrong_settings_end_with_two(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line prints the explanation, no traceback, and exits 2."""
    monkeypatch.setattr("sys.argv", ["bff", "config", "check"])
    monkeypatch.setenv("BFF__EDGE__TYPO", "1")
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "edge.typo" in capsys.readouterr().err


@pytest.mark.usefixtures("kept_signals")
@pytest.mark.parametrize(
    ("arguments", "outcome", "code"),
    [
        (["--once"], lambda *_: True, 0),
        (["--once"], lambda *_: False, 1),
        (["--once"], KeyboardInterrupt, 1),
        ([], KeyboardInterrupt, 0),
    ],
)
def test_exit_code_tells_the_truth(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    outcome: Callable[..., bool] | type[BaseException],
    code: int,
) -> None:
    """`--once` exits 0 only if all was well; being stopped before that is not well. Without it,
    Ctrl-C is the ordinary end."""

    def ran(*_: Any) -> bool:
        if isinstance(outcome, type):
            raise outcome
        return outcome()

    monkeypatch.setattr(up_module, "prepare", lambda *_: None)
    monkeypatch.setattr(up_module, "_run", ran)
    assert run(tmp_path, *arguments).exit_code == code


@pytest.mark.usefixtures("kept_signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_stop_like_ctrl_c(number: signal.Signals) -> None:
    """A polite kill and a closed terminal stop the children too: they are in sessions of their
    own and would stay behind."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    up_module._stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.usefixtures("kept_signals")
def test_nohup_is_respected() -> None:
    """A hang-up that was told to be ignored stays ignored."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    up_module._stop_on_signals()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_second_start_spoils_nothing(tmp_path: Path) -> None:
    """On a data folder in use a second `bff up` names the process that uses it and the way out,
    and has deleted nothing; the folder is free again afterwards."""
    where = layout(settings_module.load(), free_block(), tmp_path)
    where.make_folders()
    where.traces_file("content").write_text("spans")
    with alone(where), pytest.raises(ConfigError, match=rf"\(pid {os.getpid()}\).*--data"):
        run(tmp_path)
    assert where.traces_file("content").read_text() == "spans"
    with alone(where):
        assert (tmp_path / "up.lock").read_text() == f"{os.getpid()}\n"


@pytest.mark.parametrize("folder", ["file", "file/below", "/proc/x", "broken"])
def test_impossible_folder_is_named(tmp_path: Path, folder: str) -> None:
    """A data folder that cannot be made or written is named with the cause and the way out."""
    (tmp_path / "file").write_text("")
    (tmp_path / "broken" / "keys" / "callers.jwks").mkdir(parents=True)
    with pytest.raises(ConfigError, match=r"cannot be used: .*; .*--data") as refused:
        run(tmp_path / folder)
    assert str(tmp_path / folder) in str(refused.value)
