"""bff/documents/deprecated.py: since when fields are deprecated."""

from __future__ import annotations

from datetime import UTC, datetime

from bff.documents.deprecated import Deprecated
from persisted_queries.model import Recorded
from persisted_queries.problem import StoreGoneError

TEXTS = {
    "plain": "type Item { old: Int, older: Int }",
    "one": 'type Item { old: Int, older: Int @deprecated(reason: "x") }',
    "both": "type Item { old: Int @deprecated, older: Int @deprecated } interface I { old: Int }",
    "damaged": "type Item { @deprecated",
}


def recorded(*names: str) -> list[Recorded]:
    """Schemas recorded on the first, second … of November."""
    days = range(1, len(names) + 1)
    return [
        Recorded(name, datetime(2026, 11, day, tzinfo=UTC))
        for name, day in zip(names, days, strict=True)
    ]


def since(*names: str) -> dict[str, int]:
    """The day each field is deprecated since."""
    found = Deprecated(["Item.old", "Item.older"]).since(recorded(*names), TEXTS.__getitem__)
    return {field: at.day for field, at in found.items()}


def test_first_schema_with_deprecation_counts() -> None:
    """A field is deprecated since the first schema was recorded that says so."""
    assert since("plain", "one", "one", "both", "both") == {"Item.older": 2, "Item.old": 4}
    assert since("both") == {"Item.older": 1, "Item.old": 1}
    assert since("both", "one") == {"Item.older": 1}
    assert since("one", "plain") == since() == {}


def test_taken_back_begins_anew() -> None:
    """A deprecation that was taken back counts from when it was said again."""
    assert since("one", "plain", "one", "one") == {"Item.older": 3}


def test_unreadable_schema_ends_the_search() -> None:
    """What cannot be read, or is no schema, costs the date its certainty, not the release."""
    assert since("one", "damaged", "one") == {"Item.older": 3}

    def read(name: str) -> str:
        if name == "one":
            raise StoreGoneError("gone")
        return TEXTS[name]

    found = Deprecated(["Item.older"]).since(recorded("one", "both"), read)
    assert [at.day for at in found.values()] == [2]


def test_schemas_are_read_once() -> None:
    """Polls that bring nothing new read nothing again, and schemas from before are never read."""
    read: list[str] = []

    def text(name: str) -> str:
        read.append(name)
        return TEXTS[name]

    deprecated = Deprecated(["Item.older"])
    for _ in range(3):
        deprecated.since(recorded("both", "plain", "one"), text)
    assert read == ["one", "plain"]
