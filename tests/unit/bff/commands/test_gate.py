"""`bff release gate` and `bff release brownout`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from bff.errors import ConfigError
from persisted_queries.model import SetGate
from tests.unit.bff.commands.governed import Governed, governed

FIELD = "AccountCard.avatarUrl"


@pytest.fixture
def registry(tmp_path: Path) -> Governed:
    made = governed(tmp_path)
    made.made.platform = "android"
    return made


def gate(registry: Governed, *arguments: str) -> Result:
    return registry.run("release", "gate", "--platform", "android", *arguments)


def brownout(registry: Governed, *arguments: str, field: str = FIELD) -> Result:
    return registry.run(
        "release", "brownout", "--platform", "android", "--field", field, *arguments
    )


def in_force(registry: Governed) -> SetGate:
    return registry.made.reader().state.gate


def test_gate_is_written(registry: Governed) -> None:
    """What is named stands in the log; what is named later is changed, the rest stays."""
    first = gate(registry, "--minimum", "7.0.0", "--store-url", "market://details?id=x")
    assert (first.exit_code, first.output) == (
        0,
        "android: the version gate is minimum 7.0.0, store_url market://details?id=x (entry 1)\n",
    )
    assert gate(registry, "--recommended", "7.4.0+812", "--message", "New!").exit_code == 0
    assert in_force(registry) == SetGate("7.0.0", "7.4.0+812", "market://details?id=x", "New!")
    assert gate(registry, "--minimum", "", "--message", "").exit_code == 0
    assert in_force(registry) == SetGate(None, "7.4.0+812", "market://details?id=x", None)


def test_gate_is_taken_away(registry: Governed) -> None:
    """--off leaves nothing of it."""
    gate(registry, "--minimum", "7.0.0", "--message", "New!")
    assert gate(registry, "--off").output == "android: the version gate is off (entry 2)\n"
    assert in_force(registry) == SetGate()


def test_gate_is_shown(registry: Governed) -> None:
    """Without options the gate is shown, and nothing is written."""
    assert gate(registry).output == "android: the version gate is off\n"
    gate(registry, "--minimum", "7.0.0")
    assert gate(registry).output == "android: the version gate is minimum 7.0.0\n"
    told: dict[str, Any] = json.loads(gate(registry, "--format", "json").output)
    assert (told["entry"], told["gate"]["minimum"]) == (1, "7.0.0")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--minimum", "7.0.0 beta"),
        ("--recommended", "+7"),
        ("--store-url", "apps.example/reader"),
        ("--off", "--minimum", "7"),
    ],
)
def test_wrong_gate_is_refused(registry: Governed, arguments: tuple[str, ...]) -> None:
    """What is no version or no URL is never written."""
    with pytest.raises(ConfigError):
        gate(registry, *arguments)
    assert registry.made.reader().state.number == 0


def test_recommended_is_not_below_minimum(registry: Governed) -> None:
    """A hint that the minimum makes meaningless is refused, also where it was written before."""
    gate(registry, "--recommended", "7.2.0")
    refused = gate(registry, "--minimum", "7.10.0")
    assert refused.exit_code == 1
    assert "below minimum 7.10.0" in refused.output
    assert gate(registry, "--minimum", "7.2.0").exit_code == 0


def test_brown_out_is_announced(registry: Governed) -> None:
    """A window stands in the log in UTC, whatever zone it was given in; an undo takes it out."""
    done = brownout(registry, "--from", "2099-01-10T12:00+02:00", "--to", "2099-01-10T10:30")
    assert done.output == (
        "android: AccountCard.avatarUrl is in a brown-out from 2099-01-10T10:00Z "
        "to 2099-01-10T10:30Z (entry 1)\n"
    )
    (announced,) = registry.made.reader().state.brownouts
    assert announced.begins == datetime(2099, 1, 10, 10, tzinfo=UTC)
    undone = brownout(registry, "--from", "2099-01-10T10:00Z", "--undo")
    assert undone.exit_code == 0
    assert registry.made.reader().state.brownouts == ()


def test_nothing_to_undo_is_refused(registry: Governed) -> None:
    """Taking back what was never announced says what was."""
    brownout(registry, "--from", "2099-01-10T10:00", "--to", "2099-01-10T11:00")
    refused = brownout(registry, "--from", "2099-01-10T10:01", "--undo")
    assert refused.exit_code == 1
    assert "it has 2099-01-10T10:00Z" in refused.output


@pytest.mark.parametrize(
    ("field", "words"),
    [
        ("AccountCard.handle", "has no @sunset in the schema of android; AccountCard.avatarUrl"),
        ("Nothing.here", "has no @sunset"),
    ],
)
def test_only_ending_fields_are_denied(registry: Governed, field: str, words: str) -> None:
    """A field whose end nobody announced is not denied to anybody."""
    with pytest.raises(ConfigError, match=words):
        brownout(registry, "--from", "2099-01-10", "--to", "2099-01-11", field=field)


def test_non_null_field_is_not_denied(registry: Governed) -> None:
    """Where null may not stand, the parent would go with the field: refused."""
    window = ("--from", "2099-01-10", "--to", "2099-01-11")
    with pytest.raises(ConfigError, match="is never null"):
        registry.run(
            "release", "brownout", "--platform", "ios", "--field", "Article.readTime", *window
        )


@pytest.mark.parametrize(
    "window",
    [
        ("--from", "tomorrow", "--to", "2099-01-11"),
        ("--from", "2099-01-11", "--to", "2099-01-10"),
        ("--from", "2020-01-10", "--to", "2020-01-11"),
        ("--from", "2099-01-11"),
        ("--from", "2099-01-11", "--to", "2099-01-12", "--undo"),
    ],
)
def test_wrong_windows_are_refused(registry: Governed, window: tuple[str, ...]) -> None:
    """A window that is none, is over, or is to be taken back and set at once, is never written."""
    with pytest.raises(ConfigError):
        brownout(registry, *window)
    assert registry.made.reader().state.number == 0
