"""Promises of bff/usage/counts.py."""

import pytest

from bff.usage.counts import Counts


def test_an_answer_counts_once() -> None:
    """Requests, errors, bytes and devices of a pair add up; what is taken is counted anew."""
    counts = Counts()
    counts.count("7.4.0+812", "phone-1", [("home", False)], 900)
    counts.count("7.4.0+812", "phone-1", [("home", True)], 100)
    counts.count("7.4.0+812", "phone-2", [("home", False)], 50)
    counts.count(None, None, [("", True)], 10)
    taken = counts.take()
    home = taken["7.4.0+812", "home"]
    assert (home.requests, home.errors, home.bytes_out) == (3, 1, 1050)
    assert home.devices == {"phone-1", "phone-2"}
    nobody = taken["", ""]
    assert (nobody.requests, nobody.errors, nobody.devices) == (1, 1, set())
    assert counts.take() == {}


def test_a_batch_shares_its_bytes() -> None:
    """The operations of a batch count one by one, and their bytes add up to those sent."""
    counts = Counts()
    counts.count("1.0", "phone", [("a", False), ("b", False), ("c", True)], 1_000)
    taken = counts.take()
    assert sum(count.bytes_out for count in taken.values()) == 1_000
    assert [count.requests for count in taken.values()] == [1, 1, 1]
    assert taken["1.0", "c"].errors == 1


def test_nothing_asked_counts_nothing() -> None:
    """A request refused before any operation was read leaves no trace here."""
    counts = Counts()
    counts.count("1.0", "phone", [], 100)
    assert counts.take() == {}


def test_devices_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invented device ids fill no memory; the requests go on counting."""
    counts = Counts()
    monkeypatch.setattr("bff.usage.counts.MAX_DEVICES", 3)
    for number in range(10):
        counts.count("1.0", f"phone-{number}", [("a", False)], 1)
    found = counts.take()["1.0", "a"]
    assert (found.requests, len(found.devices)) == (10, 3)
