"""`bff usage` over a registry in a folder: what it prints, and what it refuses."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from bff import config as settings_module
from bff.__main__ import cli
from bff.commands.evidence import Asked
from bff.commands.schema import sdl
from bff.commands.usage import live_names
from bff.commands.usage_output import live_shown
from bff.errors import ConfigError
from persisted_queries.model import Remap, State
from persisted_queries.objects import hash_of
from persisted_queries.signing import write_signer
from tests.harness.registries import Made, made_in
from tests.unit.persisted_queries.rollup_days import write

FEED = "query Feed { home { feed(first: 3) { entries { reason } } } }"
SAVED = "query Saved { home { feed(first: 1) { entries { saved } } } }"


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """A registry of two releases, a gateway's roll-up in it."""
    found = made_in(tmp_path / "registry")
    write_signer(found.signer, tmp_path / "key.jwk")
    schema = sdl(settings_module.load().platforms["ios"])
    found.publish("1.0+1", FEED, sdl=schema)
    found.publish("2.0+1", FEED, SAVED, sdl=schema)
    asked = [("1.0+1", hash_of(FEED.encode()), 30), ("2.0+1", hash_of(SAVED.encode()), 10)]
    asked.append(("", hash_of(SAVED.encode()), 2))
    now = datetime.now(UTC)
    begins = now - timedelta(minutes=5)
    write(found.store, "a", 1, begins, now, asked=asked, devices=[1, 2, 3], closes=True)
    return found


def run(tmp_path: Path, words: Sequence[str], *, key: bool = True) -> Result:
    told = [*words, "--registry", str(tmp_path / "registry"), "--platform", "ios"]
    told += ["--key", str(tmp_path / "key.jwk")] if key else []
    return CliRunner().invoke(cli, ["usage", *told], catch_exceptions=False)


def test_readers_of_a_field(made: Made, tmp_path: Path) -> None:
    """Who reads a field, by release and share of devices, in words and as JSON; what is unknown
    stands below."""
    shown = run(tmp_path, ["field", "FeedEntry.saved"])
    assert shown.exit_code == 0
    (line,) = [line for line in shown.output.splitlines() if "2.0+1" in line]
    assert "live" in line
    assert "Saved" in line
    assert "100.0%" in line
    assert "(did not say)" in shown.output
    assert "1.0+1" not in shown.output
    assert "nobody counted" in shown.output
    assert "; 1 stretch of it is unknown" in shown.output
    told = json.loads(run(tmp_path, ["field", "FeedEntry.saved", "--format", "json"]).output)
    assert [(one["release"], one["requests"]) for one in told["readers"]] == [
        ("2.0+1", 10),
        ("", 2),
    ]
    assert told["complete"] is False


def test_a_field_nobody_reads(made: Made, tmp_path: Path) -> None:
    """A field in no document of any release is said to be so."""
    shown = run(tmp_path, ["field", "FeedEntry.progress"])
    assert "no release sends a document that selects FeedEntry.progress" in shown.output


def test_a_field_that_is_none(made: Made, tmp_path: Path) -> None:
    """A name that is no field is a wrong use, answered with those there are."""
    with pytest.raises(ConfigError, match="it has item, progress, reason, saved"):
        run(tmp_path, ["field", "FeedEntry.nope"])


def test_releases_and_their_documents(made: Made, tmp_path: Path) -> None:
    """Every release with its figures, those never seen too; one release by its operations."""
    told = json.loads(run(tmp_path, ["release", "--format", "json"]).output)
    assert {one["release"]: one["requests"] for one in told["releases"]} == {
        "2.0+1": 10,
        "1.0+1": 30,
        "": 2,
    }
    assert told["devices"] == 3
    assert "(did not say)" in run(tmp_path, ["release"]).output
    shown = run(tmp_path, ["release", "2.0+1"]).output
    (saved,) = [line for line in shown.splitlines() if "Saved" in line]
    assert " 10 " in saved
    told = json.loads(run(tmp_path, ["release", "2.0+1", "--format", "json"]).output)
    assert {one["operation"]: one["requests"] for one in told["documents"]} == {
        "Feed": 0,
        "Saved": 10,
    }


@pytest.mark.parametrize("state", ["blocked", "retired"])
def test_state_of_a_gone_release(made: Made, tmp_path: Path, state: State) -> None:
    """What is blocked or retired keeps its row, its state and the names of its operations: it may
    still be asked for."""
    made.set_state("2.0+1", state)
    told = json.loads(run(tmp_path, ["release", "--format", "json"]).output)
    states = [(one["release"], one["state"], one["requests"]) for one in told["releases"]]
    assert states == [("2.0+1", state, 10), ("1.0+1", "live", 30), ("", None, 2)]
    told = json.loads(run(tmp_path, ["release", "2.0+1", "--format", "json"]).output)
    assert told["state"] == state
    assert {one["operation"]: one["requests"] for one in told["documents"]} == {
        "Feed": 0,
        "Saved": 10,
    }
    assert f"2.0+1, {state}" in run(tmp_path, ["release", "2.0+1"]).output


def test_hot_fix_has_its_name(made: Made, tmp_path: Path) -> None:
    """What runs in place of a document is called as the document is."""
    patched = SAVED.replace("first: 1", "first: 2")
    hashed = made.reader().objects.put("documents", patched.encode())
    made.write(Remap(hash_of(SAVED.encode()), hashed))
    asked = [("2.0+1", hashed, 5)]
    now = datetime.now(UTC)
    write(made.store, "b", 1, now - timedelta(minutes=4), now, asked=asked, closes=True)
    told = json.loads(run(tmp_path, ["release", "2.0+1", "--format", "json"]).output)
    assert [(one["operation"], one["requests"]) for one in told["documents"]] == [
        ("Feed", 0),
        ("Saved", 10),
        ("Saved", 5),
    ]


def test_live_view_names_operations(made: Made, tmp_path: Path) -> None:
    """The live view tells operations by the registry, for people and machines; what it has not, by
    the beginning of its hash, and that where no registry can be read."""
    known, unknown = hash_of(SAVED.encode()), "0" * 64
    found = {("2.0+1", known): (3, 1), ("2.0+1", unknown): (2, 0), ("2.0+1", ""): (1, 1)}
    names = live_names("ios", Asked(str(tmp_path / "registry"), tmp_path / "key.jwk"))
    assert names[known] == "Saved"
    assert live_names("ios", Asked(str(tmp_path / "registry"), tmp_path / "none.jwk")) == {}
    shown = printed(lambda: live_shown("ios", 5, found, names, "text"))
    for line in ("Saved", unknown[:12], "(not registered)"):
        assert line in shown
    assert known[:12] not in shown
    told = json.loads(printed(lambda: live_shown("ios", 5, found, names, "json")))
    operations = {one["document"]: one["operation"] for one in told["used"]}
    assert operations == {known: "Saved", unknown: None, "": None}


def test_live_view_names_seeds() -> None:
    """Without a registry, names are those of the seed releases."""
    assert "Home" in live_names("ios", Asked()).values()


def printed(show: Callable[[], None]) -> str:
    """What is printed."""

    @click.command()
    def command() -> None:
        show()

    return CliRunner().invoke(command, [], catch_exceptions=False).output


def test_compaction_is_told(made: Made, tmp_path: Path) -> None:
    """Days that are over are summed up and told; a second run has nothing to do."""
    before = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(
        days=1
    )
    write(made.store, "old", 1, before, before + timedelta(hours=1), closes=True)
    told = json.loads(run(tmp_path, ["compact", "--format", "json"], key=False).output)
    assert [(one["processes"], one["deleted"]) for one in told["days"]] == [(1, 1)]
    assert "nothing to do" in run(tmp_path, ["compact"], key=False).output


def test_without_a_registry_use_is_unknown() -> None:
    """The seed releases say who reads a field, and that nobody knows how often."""
    shown = CliRunner().invoke(cli, ["usage", "field", "FeedEntry.saved", "--platform", "ios"])
    assert shown.exit_code == 0
    assert "use is unknown" in shown.output
    with pytest.raises(ConfigError, match="registry"):
        CliRunner().invoke(cli, ["usage", "release"], catch_exceptions=False)


def test_live_needs_redis() -> None:
    """Without Redis the live view says what it needs."""
    with pytest.raises(ConfigError, match=r"store\.redis_url"):
        CliRunner().invoke(cli, ["usage", "live"], catch_exceptions=False)
