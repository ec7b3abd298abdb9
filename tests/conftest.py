"""Seeded databases, made once a session; every stack starts from copies of them."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import FrameType
from unittest import mock

import pytest

from bff.plans import compiler
from tests.harness.stack import prepare_databases


def _interrupt(_: int, __: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # said twice, it is meant
    raise KeyboardInterrupt


def pytest_configure() -> None:
    """SIGTERM ends a run as Ctrl-C does, processes and databases it started included: `make test`
    has a half in the background that no Ctrl-C reaches. Spans are written soon: tests read them."""
    signal.signal(signal.SIGTERM, _interrupt)
    os.environ.setdefault("OTEL_BSP_SCHEDULE_DELAY", "200")


def pytest_collection_finish() -> None:
    """What was collected stays for the whole run: to look through it for circles as often as Python
    does by itself took a third of the run's CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three seeded SQLite files."""
    data = tmp_path_factory.mktemp("seeded")
    prepare_databases(data)
    return data


@pytest.fixture(scope="session", autouse=True)
def _one_code_a_text() -> Iterator[None]:
    """Gateways are built here by the hundred from the same documents: Python compiles the text of
    each plan once."""
    with mock.patch.object(compiler, "code_of", lru_cache(maxsize=1_024)(compiler.code_of)):
        yield
