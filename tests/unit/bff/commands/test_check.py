"""`bff check`: who a schema change breaks, in each format, with and without a registry."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bff.errors import ConfigError
from persisted_queries.devices import Devices
from persisted_queries.manifest import parse_manifest
from persisted_queries.model import Remap, SetState
from persisted_queries.objects import hash_of
from persisted_queries.publish import Parts, publish
from persisted_queries.rollups import ALL_DOCUMENTS, Book, RollUp, Trail
from persisted_queries.rollups import path as roll_up_path
from tests.unit.bff.commands.governed import (
    HOME,
    READ_TIME,
    Governed,
    changed,
    governed,
    run,
    settings,
    today,
)

NULLABLE = (
    "  handle: String!\n  displayName: String!\n  avatar",
    "  handle: String\n  displayName: String!\n  avatar",
)
MEMBER = ("  FOLLOWED_TOPIC\n", "  NEARBY\n  FOLLOWED_TOPIC\n")


@pytest.fixture(autouse=True)
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BFF_CONFIG", str(settings(tmp_path)))


@pytest.fixture
def registry(tmp_path: Path) -> Governed:
    """A registry in which one live release sends HOME."""
    found = governed(tmp_path)
    found.made.publish("7.3.0+801", HOME, sdl=today())
    return found


def judged(registry: Governed, proposed: Path) -> dict[str, Any]:
    """The only platform of the JSON answer."""
    result = registry.run("check", "ios", "--schema", str(proposed), "--format", "json")
    told = json.loads(result.stdout)
    (found,) = told["platforms"]
    assert result.exit_code == (0 if told["allowed"] else 1)
    assert isinstance(found, dict)
    return found


def test_unchanged_schema_passes(registry: Governed) -> None:
    """The code's schema against the same on record is fine."""
    result = registry.run("check", "ios")
    assert result.exit_code == 0
    assert "no changes" in result.stdout
    assert "(1 release of" in result.stdout


def test_breaking_change_is_told_to_people(registry: Governed, tmp_path: Path) -> None:
    """Text names the release, its state, the document with line and column, and the way out; the
    exit code is 1."""
    proposed = changed(tmp_path, NULLABLE)
    result = registry.run("check", "ios", "--schema", str(proposed))
    assert result.exit_code == 1
    for told in (
        "BREAKING  field AccountCard.handle was String! and is String",
        "7.3.0+801 is live · share unknown · use unknown · no date: sunset it first",
        "bff release sunset 7.3.0+801 --platform ios --on YYYY-MM-DD",
        "Home 2:19 field AccountCard.handle",
        "ios: refused; no date by waiting alone",
    ):
        assert told in result.stdout


def test_breaking_change_is_told_to_machines(registry: Governed, tmp_path: Path) -> None:
    """JSON holds the same in fields, the document by id and hash."""
    found = judged(registry, changed(tmp_path, NULLABLE))
    (release,) = found["releases"]
    assert (release["release"], release["state"], release["forbids"]) == ("7.3.0+801", "live", True)
    (document,) = release["documents"]
    assert document["hash"] == hash_of(HOME.encode())
    (finding,) = document["findings"]
    assert (finding["kind"], finding["coordinate"]) == ("FIELD_TYPE_CHANGED", "AccountCard.handle")
    assert finding["places"] == [{"line": 2, "column": 19}]
    assert (found["allowed"], found["earliest"]) == (False, None)


def test_breaking_change_is_annotated(registry: Governed, tmp_path: Path) -> None:
    """An annotation for CI stands on the changed line of the proposed schema and is an error."""
    proposed = changed(tmp_path, NULLABLE)
    lines = proposed.read_text().split("\n")
    line = lines.index("  handle: String") + 1
    result = registry.run("check", "ios", "--schema", str(proposed), "--format", "github")
    assert result.exit_code == 1
    (told,) = [one for one in result.stdout.splitlines() if one.startswith("::")]
    assert told.startswith(
        f"::error file={proposed},line={line},col=1,title=ios AccountCard.handle"
    )
    assert "7.3.0+801" in told
    assert "Home 2%3A19" in told or "Home 2:19" in told


def test_fenced_build_is_told(registry: Governed, tmp_path: Path) -> None:
    """A new enum member passes, is a notice in CI, and the fence is said to protect the build."""
    proposed = changed(tmp_path, MEMBER)
    found = judged(registry, proposed)
    finding = found["releases"][0]["documents"][0]["findings"][0]
    assert (finding["verdict"], finding["protected"]) == ("DANGEROUS", True)
    assert found["allowed"]
    github = registry.run("check", "ios", "--schema", str(proposed), "--format", "github")
    assert github.exit_code == 0
    assert github.stdout.startswith("::notice ")
    text = registry.run("check", "ios", "--schema", str(proposed)).stdout
    assert f"(fenced: {finding['effect']})" in text
    assert "ios: may be made" in text


def test_unread_field_may_go(registry: Governed, tmp_path: Path) -> None:
    """A breaking change that no release feels is allowed, and told as what it is."""
    found = judged(registry, changed(tmp_path, ("  wordCount: Int!\n", "")))
    assert {one["verdict"] for one in found["changes"]} == {"BREAKING"}
    assert (found["allowed"], found["releases"]) == (True, [])


def test_announced_field_stays(registry: Governed, tmp_path: Path) -> None:
    """A field under @sunset is refused until its date, though no release reads it."""
    line = next(one for one in today().split("\n") if "readTime" in one)
    found = judged(registry, changed(tmp_path, (line + "\n", "")))
    assert found["earliest"] == "2027-07-01"
    assert "announced to stay until 2027-06-30" in found["refusals"][0]["message"]


def test_hot_fixed_document_counts(registry: Governed, tmp_path: Path) -> None:
    """What runs is judged: a hot-fix that stops reading a field lets it change."""
    patched = HOME.replace("viewer { handle }", "viewer { displayName }")
    objects = registry.made.reader().objects
    hashed = objects.put("documents", patched.encode())
    proposed = changed(tmp_path, NULLABLE)
    assert not judged(registry, proposed)["allowed"]
    registry.made.write(Remap(hash_of(HOME.encode()), hashed, "7.3.0+801"))
    assert judged(registry, proposed)["allowed"]


def test_hot_fix_under_another_id_counts(registry: Governed, tmp_path: Path) -> None:
    """A gateway patches the text behind an id for every release that sends it, under whatever id;
    so is it judged."""
    operations = parse_manifest(json.dumps({"home-2": HOME}).encode(), "test").operations
    publish(registry.made.writer(), Parts("7.4.0", "900", operations, today(), state="live"))
    patched = HOME.replace("viewer { handle }", "viewer { displayName }")
    hashed = registry.made.reader().objects.put("documents", patched.encode())
    registry.made.write(Remap("home-2", hashed))
    assert judged(registry, changed(tmp_path, NULLABLE))["releases"] == []


def test_hot_fix_reads_fields_of_today(registry: Governed, tmp_path: Path) -> None:
    """A hot-fix may read what the build's own schema never had; removing that breaks the build."""
    added = ("  handle: String!\n", "  handle: String!\n  byline: String!\n")
    registry.made.record(changed(tmp_path, added).read_text("utf-8"))
    proposed = changed(tmp_path)
    assert judged(registry, proposed)["allowed"]
    patched = HOME.replace("viewer { handle }", "viewer { handle: byline }")
    hashed = registry.made.reader().objects.put("documents", patched.encode())
    registry.made.write(Remap(hash_of(HOME.encode()), hashed))
    assert [one["release"] for one in judged(registry, proposed)["releases"]] == ["7.3.0+801"]


def test_hot_fix_that_does_not_fit_counts_not(registry: Governed, tmp_path: Path) -> None:
    """Where a gateway goes on with the published text, that is judged."""
    patched = HOME.replace("viewer { handle }", "viewer { handle: isNoField }")
    hashed = registry.made.reader().objects.put("documents", patched.encode())
    registry.made.write(Remap(hash_of(HOME.encode()), hashed))
    found = judged(registry, changed(tmp_path, NULLABLE))
    assert [one["release"] for one in found["releases"]] == ["7.3.0+801"]


def test_ended_release_needs_known_usage(registry: Governed, tmp_path: Path) -> None:
    """After its sunset a release holds a change back while part of the window was not counted, and
    lets go when all of it was, without it."""
    proposed = changed(tmp_path, NULLABLE)
    ended = date.today() - timedelta(days=1)  # noqa: DTZ011 - a day either way does not matter
    registry.made.write(SetState("7.3.0", "801", "sunset", sunset=ended))
    count_days(registry, 5, "7.4.0+900", process="late")
    found = judged(registry, proposed)
    assert not found["allowed"]
    assert "not wholly known" in found["releases"][0]["why"]
    assert found["earliest"] is not None
    assert date.fromisoformat(found["earliest"]) > ended + timedelta(days=20)
    count_days(registry, 40, "7.4.0+900")
    found = judged(registry, proposed)
    assert found["allowed"]
    assert not found["releases"][0]["counts"]


def test_use_is_shown(registry: Governed, tmp_path: Path) -> None:
    """Share of devices and last use stand beside the release."""
    registry.made.publish("7.4.0+900", HOME.replace("Home", "Home2"), sdl=today())
    count_days(registry, 40, "7.3.0+801", "7.4.0+900", "7.4.0+900", "7.4.0+900")
    found = judged(registry, changed(tmp_path, NULLABLE))
    shares = {one["release"]: one["share"] for one in found["releases"]}
    assert shares == {"7.3.0+801": pytest.approx(0.5), "7.4.0+900": pytest.approx(1.0)}
    assert all(one["last_seen"] for one in found["releases"])
    text = registry.run("check", "ios", "--schema", str(tmp_path / "proposed.graphql")).stdout
    assert "50.0% of devices · last used 20" in text


def test_unseen_is_told_with_its_span(registry: Governed, tmp_path: Path) -> None:
    """Where somebody counted and saw no use, it is said from when on he counted."""
    count_days(registry, 2, "7.4.0+900")
    begins = f"{datetime.now(UTC) - timedelta(days=2):%Y-%m-%d}"
    result = registry.run("check", "ios", "--schema", str(changed(tmp_path, NULLABLE)))
    assert f"share unknown · no use seen since {begins} · no date" in result.stdout


def test_unpublished_release_is_told(registry: Governed, tmp_path: Path) -> None:
    """A release that was seen and never published is named: what it sends cannot be judged."""
    count_days(registry, 2, "7.3.0+801", "7.3.0", "9.9.9+1")
    notes = judged(registry, changed(tmp_path, NULLABLE))["notes"]
    assert notes[-1] == "seen but never published, so what they send is not judged: 9.9.9+1"


def count_days(registry: Governed, days: int, *seen: str, process: str = "p") -> None:
    """Counts without a gap until now; the n-th release was seen on n devices."""
    now = datetime.now(UTC)
    for back in range(days, -1, -1):
        begins = (now - timedelta(days=back)).replace(hour=0, minute=0, second=0, microsecond=0)
        ends = min(begins + timedelta(days=1), now + timedelta(hours=1))
        book = Book()
        for number, name in enumerate(dict.fromkeys(seen), start=1):
            tally = book.tally(name, ALL_DOCUMENTS, begins)
            tally.requests += 1
            tally.last = begins
            tally.devices.merge(Devices(256, range(number)))
        trail = Trail(process, days - back + 1, begins, ends, 60.0, back == 0)
        path = roll_up_path("ios", begins.date(), process, days - back + 1)
        assert registry.made.store.create(path, RollUp("ios", (trail,), book.rows()).encode())


def test_seed_releases_judge_without_registry(tmp_path: Path) -> None:
    """Without a registry the releases of the folder count as live, which is said."""
    folder = tmp_path / "releases" / "7.2.0+790"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({hash_of(READ_TIME.encode()): READ_TIME}))
    line = next(one for one in today().split("\n") if "readTime" in one)
    result = run("check", "ios", "--schema", str(changed(tmp_path, (line + "\n", ""))))
    assert result.exit_code == 1
    assert (
        "no registry: 1 seed release of this checkout, taken as live; use is unknown"
        in result.stdout
    )
    assert "7.2.0+790 is live" in result.stdout
    assert "Old 1:61 field Article.readTime was removed" in result.stdout


def test_seed_release_knows_its_schema(tmp_path: Path) -> None:
    """A seed release with its SDL is protected by the fence; one without is not."""
    folder = tmp_path / "releases" / "7.2.0+790"
    folder.mkdir()
    (folder / "manifest.json").write_text(json.dumps({hash_of(HOME.encode()): HOME}))
    arguments = ("check", "ios", "--schema", str(changed(tmp_path, MEMBER)), "--format", "github")
    assert run(*arguments).stdout.startswith("::warning ")
    (folder / "schema.graphqls").write_text(today())
    assert run(*arguments).stdout.startswith("::notice ")


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("check", "--schema", "x.graphql"), "name it"),
        (("check", "ios", "--schema", "nowhere.graphql"), "cannot be read"),
        (("check", "tv"), "no platform 'tv'"),
    ],
)
def test_wrong_usage_is_explained(arguments: tuple[str, ...], told: str) -> None:
    """What cannot be judged is a configuration error (exit code 2), never a verdict."""
    with pytest.raises(ConfigError, match=told):
        run(*arguments)


def test_invalid_proposal_is_explained(tmp_path: Path) -> None:
    """A proposal that is no schema is refused with its reason."""
    wrong = changed(
        tmp_path, ("type Article implements Item {\n  id: ID!", "type Article implements Item {")
    )
    with pytest.raises(ConfigError, match="no valid schema"):
        run("check", "ios", "--schema", str(wrong))


def test_unreadable_registry_judges_nothing(registry: Governed, tmp_path: Path) -> None:
    """A registry whose log is damaged judges nothing: what it hides may be the one that breaks."""
    (entry, *_) = sorted((registry.folder / "log" / "ios").iterdir())
    entry.write_bytes(b"broken")
    with pytest.raises(ConfigError, match="registry"):
        registry.run("check", "ios", "--schema", str(changed(tmp_path, NULLABLE)))
