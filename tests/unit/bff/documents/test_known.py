"""Promises of bff/documents/known.py."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from bff.documents import known as module
from bff.documents.known import KnownRelease, KnownReleases
from bff.fence import FREE, Fence, fence
from bff.request import ClientIdentity
from persisted_queries.catalogue import as_set, members
from persisted_queries.model import Order, Published, State, order

NOW = datetime(2026, 11, 20, tzinfo=UTC)
OLD = fence({"Kind": ["VIDEO", "PODCAST"]}, {})
NEWER = fence({"Kind": ["PODCAST"]}, {"Node": ["Podcast"]})


def known(
    name: str, sends: list[int] | None, state: State = "live", withheld: Fence = FREE
) -> tuple[KnownRelease, int | None]:
    version, _, build = name.partition("+")
    sunset = date(2027, 1, 1) if state == "sunset" else None
    published = Published(version, build, "", "", (), state, NOW, 1, sunset=sunset)
    bits = None if sends is None else as_set(sends)
    return KnownRelease(published, withheld, None if bits is None else members(bits)), bits


RELEASES = KnownReleases(
    [
        known("7.0+1", [0], "retired", OLD),
        known("7.1+1", [0, 1], "blocked", OLD),
        known("7.2+1", [1, 2], "live", OLD),
        known("7.2+2", [1, 3], "live", NEWER),
        known("7.2+3", [1, 9], "in_review"),
        known("7.3+1", [1, 70], "draft"),
    ]
)


def caller(version: str | None, build: str | None = None) -> ClientIdentity:
    return ClientIdentity("app", version, build)


def test_build_is_found() -> None:
    """A caller who names version and build has that release, and what it sends."""
    found = RELEASES.of(caller("7.3", "1"))
    assert found is not None
    assert (found.name, found.assumed) == ("7.3+1", False)
    assert [place for place in range(100) if found.has([place])] == [1, 70]


@pytest.mark.parametrize("client", [caller(None), caller("9.9"), caller("7.2", "4"), caller("7")])
def test_unknown_callers_have_none(client: ClientIdentity) -> None:
    """Nobody is taken for a release that he did not name."""
    assert RELEASES.of(client) is None


def test_missing_build_is_assumed() -> None:
    """Without a build: the newest live one of the version, the documents of all that are supported,
    and nothing that any of them cannot decode."""
    found = RELEASES.of(caller("7.2"))
    assert found is not None
    assert (found.name, found.assumed) == ("7.2+2", True)
    assert [place for place in range(100) if found.has([place])] == [1, 2, 3, 9]
    assert found.fence.enums == {"Kind": {"VIDEO", "PODCAST"}}
    assert found.fence.types == {"Node": {"Podcast"}}


def test_unsupported_build_is_assumed() -> None:
    """A version none of whose builds is supported is still that version."""
    found = RELEASES.of(caller("7.1"))
    assert found is not None
    assert (found.published.state, found.has([0])) == ("blocked", True)


def test_unknown_release_is_fenced_as_older() -> None:
    """The fence of an unknown release is that of the newest known one before it; nobody's is
    free."""
    for version, build in (("7.2", "1"), ("7.1.5", None), ("7.2", "2-rc1")):
        assert taken_for(version, build).fence is OLD
    assert taken_for("7.10").fence is FREE
    assert RELEASES.taken_for(caller("6.9")) is None
    assert RELEASES.taken_for(caller(None)) is None


def taken_for(version: str, build: str | None = None) -> KnownRelease:
    found = RELEASES.taken_for(caller(version, build))
    assert found is not None
    return found


def test_who_has_a_document() -> None:
    """Releases that send it and that users have, newest first; what is not out yet, blocked or
    retired is not named."""
    assert RELEASES.who_has([1]) == ["7.2+2", "7.2+1"]
    assert RELEASES.who_has([0]) == []


def test_retired_documents_are_nobodys() -> None:
    """What only retired releases sent is not answered to unknown callers; all else is."""
    releases = KnownReleases([known("1.0+1", [0, 1], "retired"), known("1.1+1", [1], "blocked")])
    assert [releases.answers([place]) for place in (0, 1)] == [False, True]


def test_unreadable_release_refuses_nothing() -> None:
    """A release whose manifest cannot be read may send anything, and so may everybody."""
    releases = KnownReleases([known("1.0+1", None), known("1.1+1", [1])])
    found = releases.of(caller("1.0", "1"))
    assert found is not None
    assert found.has([5])
    assert releases.answers([5])
    assert releases.who_has([5]) == []


def test_strangers_cost_no_look_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may name any version: finding what he is taken for does not go through the releases
    one by one."""
    releases = KnownReleases([known(f"7.{minor}+1", [0]) for minor in range(200)])
    ordered: list[str] = []

    def ordering(version: str, build: str = "") -> tuple[Order, Order]:
        ordered.append(version)
        return order(version, build)

    monkeypatch.setattr(module, "order", ordering)
    taken = releases.taken_for(caller("7.150.1", "9"))
    assert taken is not None
    assert taken.name == "7.150+1"
    assert ordered == ["7.150.1"]
