"""Seeded databases, made once a session; every stack starts from copies of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.harness.stack import prepare_databases


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the three seeded SQLite files."""
    data = tmp_path_factory.mktemp("seeded")
    prepare_databases(data)
    return data
