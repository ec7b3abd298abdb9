"""What an answer tells of how long it stays what it is."""

from __future__ import annotations

import pytest

from bff.response.envelope import Holds
from bff.response.freshness import class_of, holds_of, told_to_app
from bff.store.freshness import NOTHING_KEPT, Freshness
from bff.upstreams.call_log import CallLog

SOON, LONG = Freshness(5, 30, 600, private=False), Freshness(300, 60, 60, private=False)


def test_shortest_service_decides() -> None:
    """Every time is as short as the shortest of what the answer was made of."""
    calls = CallLog()
    calls.told(LONG, 120.9)
    calls.told(SOON, 4.5)
    assert holds_of(calls) == Holds(4, 30, 60)
    assert told_to_app(calls, whole=True) == {"freshness": {"maxAgeS": 4, "class": "brief"}}


def test_silent_service_leaves_it_open() -> None:
    """Where one service says nothing the app is told nothing, and a CDN nothing of staleness."""
    calls = CallLog()
    assert (holds_of(calls), told_to_app(calls, whole=True)) == (None, {})
    calls.told(SOON, 5.0)
    calls.undeclared = True
    assert (holds_of(calls), told_to_app(calls, whole=True)) == (Holds(5), {})


def test_what_is_not_whole_is_asked_for_again() -> None:
    """An answer with an error, or with a last good answer in place of one, holds for no time."""
    calls = CallLog()
    calls.told(LONG, 300.0)
    assert told_to_app(calls, whole=False)["freshness"]["maxAgeS"] == 0
    calls.told(NOTHING_KEPT, 0.0)
    assert told_to_app(calls, whole=True) == {"freshness": {"maxAgeS": 0, "class": "live"}}


@pytest.mark.parametrize(
    ("seconds", "name"), [(0, "live"), (1, "brief"), (59, "brief"), (60, "steady")]
)
def test_classes_have_bounds(seconds: int, name: str) -> None:
    """Every number of seconds has one class."""
    assert class_of(seconds) == name
