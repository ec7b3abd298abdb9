"""What bff/documents/source.py promises of its threads, over a registry in memory."""

from __future__ import annotations

import threading

from bff.documents.snapshot import Snapshot
from bff.documents.source import RegistrySource
from persisted_queries.store import Store
from tests.harness.registries import Made

from .samples import HOME, SCHEMA

WAIT_S = 5.0


def _uncounted(_event: str) -> None:
    """Counts nothing."""


def test_each_watch_has_its_end() -> None:
    """A watch that was stopped in the middle of a poll ends after it, though another has begun;
    stopping it once more does not stop the other."""
    made = Made(Store.in_memory())
    source = RegistrySource(made.reader(), SCHEMA, 0.02, _uncounted)
    held, go_on, came = threading.Event(), threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def hold(_: Snapshot) -> None:
        threads.append(threading.current_thread())
        held.set()
        go_on.wait(WAIT_S)

    def take(snapshot: Snapshot) -> None:
        if "1.1+1" in snapshot.state.releases:
            came.set()

    stop_first = source.watch(hold)
    made.publish("1.0+1", HOME)
    assert held.wait(WAIT_S)
    stop_first()
    stop_second = source.watch(take)
    try:
        go_on.set()
        threads[0].join(WAIT_S)
        assert not threads[0].is_alive()
        stop_first()
        made.publish("1.1+1", HOME)
        assert came.wait(WAIT_S)
    finally:
        stop_second()
