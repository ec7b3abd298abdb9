"""The reviewed SDL says what the code says."""

from pathlib import Path

import pytest

import schema
from bff import config
from bff.commands.schema import HEADER, sdl, snapshot_path
from tests.contract.schemas import PLATFORMS

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize("platform", PLATFORMS)
def test_snapshot_equals_the_code(platform: str) -> None:
    """The SDL beside a platform's schema is what its code makes: nothing changes unreviewed."""
    settings = config.load().platforms[platform]
    snapshot = snapshot_path(settings)
    assert snapshot.read_text("utf-8") == sdl(settings), "run `make schema` and review the change"


@pytest.mark.parametrize("platform", PLATFORMS)
def test_snapshot_says_how_it_is_made(platform: str) -> None:
    """A snapshot begins with the command that writes it, and defaults of null are left unsaid."""
    text = snapshot_path(config.load().platforms[platform]).read_text("utf-8")
    assert text.startswith(HEADER)
    assert "make schema" in text.splitlines()[0]
    assert "= null" not in text


def test_schema_package_is_ours() -> None:
    """`schema` is the project's own package, not another one that was installed under the name."""
    assert schema.__file__ is not None
    assert Path(schema.__file__).is_relative_to(PROJECT)
