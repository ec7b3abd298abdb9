"""What tests of the bench share: stub services and the rest of a setting; nothing is timed."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator

import pytest

from tests.bench.processes import Cores
from tests.bench.setting import Setting, make_setting
from tests.harness.databases import not_proven


@pytest.fixture(scope="session")
async def setting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Setting]:
    """Running stub services, and what rows share."""
    if sys.platform != "linux":
        not_proven("Linux", "the bench pins processes to cores as Linux does")
    allowed = sorted(os.sched_getaffinity(0))
    # Nothing is timed here, so that one core does.
    cores = Cores(allowed[-1], allowed[0])
    async with make_setting(tmp_path_factory.mktemp("bench"), cores, 12) as made:
        yield made
