"""The fault proxy as a process of its own, and the hand that switches its faults."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import msgspec

from bff.commands.processes import tethered
from tests.harness.faults.fault import OK, Counts, Fault

_ROOT = Path(__file__).parent.parent.parent.parent


class FaultProxy:
    """Routes by name; every order is followed before its method returns."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._orders: IO[bytes] = process.stdin
        self._answers: IO[bytes] = process.stdout
        self.ports = msgspec.json.decode(self._line(), type=dict[str, int])

    def url(self, route: str) -> str:
        return f"http://127.0.0.1:{self.ports[route]}"

    def set(self, route: str, fault: Fault) -> None:
        """This fault from now on, counted from zero."""
        self._order({"route": route, "fault": fault, "zero": True})

    def clear(self, route: str) -> Counts:
        """No fault from now on; what was counted until now, which is kept on."""
        return self._order({"route": route, "fault": OK})

    def counts(self, route: str) -> Counts:
        return self._order({"route": route})

    def zero(self, route: str) -> None:
        self._order({"route": route, "zero": True})

    @contextmanager
    def spoiling(self, route: str, fault: Fault) -> Iterator[None]:
        """The fault for as long as this is open."""
        self.set(route, fault)
        try:
            yield
        finally:
            self.clear(route)

    def _order(self, order: Mapping[str, object]) -> Counts:
        self._orders.write(msgspec.json.encode(order) + b"\n")
        self._orders.flush()
        return msgspec.json.decode(self._line(), type=Counts)

    def _line(self) -> bytes:
        line = self._answers.readline()
        if not line:
            raise RuntimeError("the fault proxy ended; its words are in the test's stderr")
        return line


@contextmanager
def fault_proxy(upstreams: Mapping[str, str]) -> Iterator[FaultProxy]:
    """A running proxy, by route its upstream (see Route); it ends with this, whatever happens."""
    routes = [f"{name}={upstream}" for name, upstream in upstreams.items()]
    command = [sys.executable, "-m", "tests.harness.faults", *routes]
    process = subprocess.Popen(
        tethered(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=_ROOT
    )
    try:
        yield FaultProxy(process)
    finally:
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
