"""`bff schema`: printed as ever, recorded when it breaks nobody, told as a dated feed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree as Xml

import pytest
from graphql import build_schema
from joserfc import jws

from bff.commands.schema_feed import ATOM, Item, atom, json_feed
from bff.errors import ConfigError
from persisted_queries.changes.compare import compare
from persisted_queries.model import RecordSchema
from persisted_queries.removal import promises
from tests.unit.bff.commands.governed import HOME, Governed, governed, run, settings, today

OLD_FIELD = ("  fraction: Float!\n", "  fraction: Float!\n  percent: Int!\n")
READS = "query Old { home { feed { entries { progress { percent } } } } }"


@pytest.fixture(autouse=True)
def platform(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BFF_CONFIG", str(settings(tmp_path)))


@pytest.fixture
def registry(tmp_path: Path) -> Governed:
    return governed(tmp_path)


def before() -> str:
    """A schema of the platform with one field more than today's."""
    assert OLD_FIELD[0] in today()
    return today().replace(*OLD_FIELD)


def parsed(text: str) -> Xml.Element:
    return Xml.fromstring(text)  # noqa: S314 - our own text


def recorded(registry: Governed) -> list[str]:
    reader = registry.made.reader()
    return [reader.schema(one.schema) for one in reader.state.schemas]


def test_verb_may_be_left_out() -> None:
    """`bff schema`, `bff schema ios` and `bff schema show ios` print the same."""
    for arguments in ((), ("ios",), ("show", "ios"), ("show",)):
        assert run("schema", *arguments).stdout == today()
    assert "Commands:" in run("schema", "--help").stdout


def test_schema_is_recorded_once(registry: Governed) -> None:
    """The code's schema is recorded; a second time there is nothing to write."""
    for _ in range(2):
        assert registry.run("schema", "record", "ios").exit_code == 0
        assert recorded(registry) == [today()]


def test_breaking_schema_is_not_recorded(registry: Governed) -> None:
    """What the check refuses is not recorded, and the refusal is shown."""
    registry.made.publish("7.3.0+801", READS, sdl=before())
    result = registry.run("schema", "record", "ios")
    assert result.exit_code == 1
    assert "field Progress.percent was removed" in result.stdout
    assert recorded(registry) == [before()]
    told = registry.run("schema", "record", "ios", "--format", "json")
    assert not json.loads(told.stdout)["allowed"]


def test_forced_schema_carries_reason(registry: Governed) -> None:
    """Forced, it is recorded with its reason; without one it is not."""
    registry.made.publish("7.3.0+801", READS, sdl=before())
    with pytest.raises(ConfigError, match="--reason"):
        registry.run("schema", "record", "ios", "--force")
    result = registry.run("schema", "record", "ios", "--force", "--reason", "legal: must go")
    assert result.exit_code == 0
    assert recorded(registry) == [before(), today()]
    (*_, entry) = sorted((registry.folder / "log" / "ios").iterdir())
    assert_reason(entry, "legal: must go")


def assert_reason(entry: Path, reason: str) -> None:
    payload = jws.extract_compact(entry.read_bytes()).payload
    assert json.loads(payload)["entry"]["reason"] == reason


def test_safe_schema_needs_no_force(registry: Governed) -> None:
    """What nobody reads may go, and no reason is kept of an unneeded force."""
    registry.made.publish("7.3.0+801", HOME, sdl=before())
    result = registry.run("schema", "record", "ios", "--force", "--reason", "unneeded")
    assert result.exit_code == 0
    (*_, entry) = sorted((registry.folder / "log" / "ios").iterdir())
    assert_reason(entry, "")


def test_registry_must_be_named() -> None:
    """Without a registry nothing is recorded and no feed is told."""
    with pytest.raises(ConfigError, match="no registry"):
        run("schema", "record", "ios")
    with pytest.raises(ConfigError, match="no registry"):
        run("schema", "feed", "ios")


def test_feed_tells_recorded_changes(registry: Governed) -> None:
    """JSON Feed 1.1: an item for each recorded change, newest first, with dates and verdicts; ids
    stay when the feed grows."""
    first = before().replace('@sunset(after: "2027-06-30"', '@sunset(after: "2027-12-31"')
    registry.made.record(first)
    registry.made.record(before())
    one = json.loads(registry.run("schema", "feed", "ios").stdout)
    registry.made.write(RecordSchema(registry.made.reader().state.schemas[-1].schema))
    registry.made.record(today())
    told = json.loads(registry.run("schema", "feed", "ios", "--format", "json").stdout)
    assert told["version"] == "https://jsonfeed.org/version/1.1"
    newest, oldest = told["items"]
    assert [oldest["id"]] == [item["id"] for item in one["items"]]
    assert newest["title"] == "ios schema: 1 breaking"
    assert newest["_facet"]["changes"][0]["coordinate"] == "Progress.percent"
    assert newest["content_text"] == "BREAKING: field Progress.percent was removed"
    announced = {one["coordinate"]: one for one in oldest["_facet"]["announced"]}
    assert announced["Article.readTime"] == {
        "coordinate": "Article.readTime",
        "sunset": "2027-06-30",
        "releases_below": "8.0.0",
    }
    assert datetime.fromisoformat(newest["date_published"]).tzinfo is not None
    assert newest["date_published"] >= oldest["date_published"]


def test_feed_is_valid_atom(registry: Governed) -> None:
    """Atom (RFC 4287, section 4.1): what feed and entries must have they have, once each, ids are
    IRIs and instants RFC 3339."""
    registry.made.record(before())
    registry.made.record(today())
    root = parsed(registry.run("schema", "feed", "ios", "--format", "atom").stdout)
    space = {"a": ATOM}
    (entry,) = root.findall("a:entry", space)
    for parent in (root, entry):
        for name in ("id", "title", "updated"):
            assert len(parent.findall(f"a:{name}", space)) == 1
        assert parent.findtext("a:id", namespaces=space, default="").startswith("urn:uuid:")
        updated = parent.findtext("a:updated", namespaces=space, default="")
        assert datetime.fromisoformat(updated).tzinfo is not None
    assert root.findtext("a:author/a:name", namespaces=space)
    category = entry.find("a:category", space)
    assert category is not None
    assert category.get("term") == "BREAKING"
    assert "Progress.percent" in (entry.findtext("a:content", namespaces=space) or "")


def test_feed_survives_any_text() -> None:
    """A description or reason with characters that XML cannot hold leaves the feed readable."""
    old = build_schema("type Query { a: Int }")
    new = build_schema('type Query { a: Int @deprecated(reason: "bell \\u0007 <&>") }')
    item = Item("ios", "0" * 64, datetime(2026, 1, 1, tzinfo=UTC), compare(old, new), ())
    root = parsed(atom("ios", [item]))
    assert "bell \ufffd <&>" in "".join(root.itertext())
    assert "\x07" in json.loads(json_feed("ios", [item]))["items"][0]["content_text"]
    assert not promises(new)


def test_empty_feed_is_a_feed(registry: Governed) -> None:
    """A platform without changes on record has a feed without items."""
    registry.made.record(today())
    assert json.loads(registry.run("schema", "feed", "ios").stdout)["items"] == []
    root = parsed(registry.run("schema", "feed", "ios", "--format", "atom").stdout)
    assert root.find(f"{{{ATOM}}}updated") is not None
