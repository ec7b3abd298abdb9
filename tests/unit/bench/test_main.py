"""The bench's command line refuses what it does not know before anything is started."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from tests.bench.__main__ import main


@pytest.mark.parametrize(
    ("option", "known"), [("--rows", "mercurius"), ("--phases", "c32"), ("--parts", "growth")]
)
def test_unknown_names_are_refused(option: str, known: str) -> None:
    """A misspelt name ends the run at once and says which names there are."""
    outcome = CliRunner().invoke(main, [option, f"{known},nothing"])
    assert outcome.exit_code == 1
    assert "nothing" in outcome.output
    assert known in outcome.output
