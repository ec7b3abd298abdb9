"""One stack a session: services and gateways are real processes, started once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.harness.attacks import Closed, closed_here
from tests.harness.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(seeded: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with running_stack(tmp_path_factory.mktemp("stack"), seeded) as running:
        yield running


@pytest.fixture(scope="session")
def token(stack: Stack) -> str:
    """An access token of the demonstration account."""
    return stack.token()


@pytest.fixture(scope="session")
async def closed(stack: Stack) -> AsyncIterator[Closed]:
    """A gateway as attackers meet it."""
    async with closed_here(stack) as made:
        yield made
