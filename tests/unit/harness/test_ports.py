"""Ports for stacks: what test runs side by side choose."""

from __future__ import annotations

import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.harness import ports

ROOT = Path(__file__).parent.parent.parent.parent
PROCESSES, BLOCKS = 3, 20
# All look in the same order, so that they want the same blocks at the same moment; what is chosen
# is held until the input ends.
CHOOSES = """
import random, sys
from tests.harness.ports import free_block
random.seed(7)
print("ready", flush=True)
sys.stdin.readline()
print(*(free_block() for _ in range(int(sys.argv[1]))), flush=True)
sys.stdin.read()
"""
Choosing = subprocess.Popen[str]


def started(stack: ExitStack) -> Choosing:
    """A process that is about to choose; ended with `stack`."""
    process = subprocess.Popen(
        [sys.executable, "-c", CHOOSES, str(BLOCKS)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    stack.enter_context(process)
    stack.callback(process.kill)
    assert line_of(process) == "ready"
    return process


def line_of(process: Choosing) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_processes_never_share_a_block() -> None:
    """Processes that choose at once, in the same order even, all get blocks of their own."""
    with ExitStack() as stack:
        choosing = [started(stack) for _ in range(PROCESSES)]
        for process in choosing:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        chosen = [[int(base) for base in line_of(process).split()] for process in choosing]
    assert [len(bases) for bases in chosen] == [BLOCKS] * PROCESSES
    assert len({base for bases in chosen for base in bases}) == PROCESSES * BLOCKS


def test_block_is_free_but_its_base() -> None:
    """Whoever was given a block can listen on every port of it; its base stays reserved."""
    base = ports.free_block()
    with ExitStack() as stack:
        for offset in ports.USED:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", base + offset))
            listener.listen()
        with pytest.raises(OSError, match="in use"):
            stack.enter_context(socket.socket()).bind(("127.0.0.1", base))


def test_blocks_do_not_overlap() -> None:
    """No port of a block, its base included, belongs to another block."""
    ours = [base + offset for base in ports.BASES for offset in (0, *ports.USED)]
    assert len(ours) == len(set(ours))


def test_taken_block_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """A block with one port in use is not chosen, whichever port that is, and its base is given
    back; where there is no other, the error says so."""
    base = ports.free_block()
    ports._reserved.pop().close()
    monkeypatch.setattr(ports, "BASES", [base])
    for offset in ports.USED:
        with socket.socket() as other:
            other.bind(("127.0.0.1", base + offset))
            with pytest.raises(RuntimeError, match="no free block"):
                ports.free_block()
    assert ports.free_block() == base
