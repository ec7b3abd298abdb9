"""Seeded databases, made once a session; every stack starts from copies of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from unittest import mock

import pytest

from bff.plans import compiler
from tests.harness.stack import prepare_databases


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
