"""The rig, started once a module, and where tests note what they found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chaos.record import RECORD, Record
from tests.chaos.rig import Rig, running_rig


@pytest.fixture(scope="session")
def record() -> Record:
    """Where tests note their rows; reporting.py shows them."""
    return RECORD


@pytest.fixture(scope="module")
def rig(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """Three services behind the fault proxy."""
    with running_rig(tmp_path_factory.mktemp("chaos"), seeded) as running:
        yield running
