"""bff/client/gate.py and endings.py: what is refused, and what is told."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from bff.client.gate import MOST_KEPT, Gate
from bff.config import ClientConfig
from bff.errors import (
    BadRequest,
    ClientBlocked,
    ClientError,
    ClientUpgradeRequired,
    DocumentNotInRelease,
    DocumentNotRegistered,
    PersistedQueryNotFound,
    ReleaseRetired,
    ReleaseUnknown,
    RequestError,
    ValidationFailed,
)
from bff.standing import NOTHING_TOLD, FieldEnding, GateAnswers, Notice, Standing

STORE = "https://apps.example/reader"
GATE = GateAnswers(store_url=STORE, message="Please update.")
FORCING = GateAnswers(True, True, True, STORE, "Please update.")
FORCED = Standing(release="6.0.0+1", asked="6.0.0+1", state="live", gate=FORCING)


@dataclass(frozen=True)
class Facts:
    """Of an operation, what the gate looks at."""

    always_allowed: bool = False
    public: bool = False
    sunsets: frozenset[str] = frozenset()


DATA, SIGN_OUT = Facts(), Facts(always_allowed=True)


def refusal(standing: Standing, config: ClientConfig | None = None) -> RequestError:
    """What a data operation of this caller is refused with; sign-out never is."""
    admission = Gate(config or ClientConfig()).admit(standing)
    admission.check(SIGN_OUT)
    with pytest.raises(RequestError) as caught:
        admission.check(DATA)
    return caught.value


def told(standing: Standing, facts: Facts = DATA, **config: Any) -> dict[str, Any]:
    return dict(Gate(ClientConfig(**config), ["ar"]).admit(standing).told(facts).extensions)


@pytest.mark.parametrize(
    ("standing", "kind", "status"),
    [
        (FORCED, ClientUpgradeRequired, "FORCE_UPGRADE"),
        (Standing(release="6.0.0+1", state="blocked", gate=GATE), ClientBlocked, "BLOCKED"),
        (Standing(release="6.0.0+1", state="retired", gate=GATE), ReleaseRetired, "BLOCKED"),
    ],
)
def test_refused_build_is_told_where_to_go(
    standing: Standing, kind: type[RequestError], status: str
) -> None:
    """A refusal has the words for the user, the store, and the verdict for the app."""
    error = refusal(standing)
    assert type(error) is kind
    assert error.message == "Please update."
    assert error.client == {"status": status, "storeUrl": STORE, "message": "Please update."}


def test_blocked_without_gate_has_words() -> None:
    """Where no gate is set a blocked release is told of nothing but itself."""
    error = refusal(Standing(release="6.0.0+1", state="blocked"))
    assert error.message == "release 6.0.0+1 is blocked; update the app"
    assert error.client == {"status": "BLOCKED", "storeUrl": None, "message": None}
    retired = refusal(Standing(release="6.0.0+1", state="retired"))
    assert (type(retired), retired.client) == (ReleaseRetired, None)


@pytest.mark.parametrize("asked", [None, "9.9.9+9"])
def test_unknown_release_by_policy(asked: str | None) -> None:
    """An unknown release is served, unless the settings refuse it."""
    unknown = Standing(asked=asked)
    Gate(ClientConfig()).admit(unknown).check(DATA)
    error = refusal(unknown, ClientConfig(unknown_release="refuse"))
    assert type(error) is ReleaseUnknown
    known = Standing(release="7.0.0+1", state="live")
    Gate(ClientConfig(unknown_release="refuse")).admit(known).check(DATA)


@pytest.mark.parametrize(
    "error", [DocumentNotRegistered("x"), DocumentNotInRelease("x"), ValidationFailed("x")]
)
def test_verdict_instead_of_lost_document(error: ClientError) -> None:
    """A build whose documents nobody looks after any more hears that it must go, not that its
    documents are wrong; a build that is served hears of its documents."""
    admit = Gate(ClientConfig()).admit
    assert type(admit(FORCED).instead(error)) is ClientUpgradeRequired
    assert admit(Standing(release="7.0.0+1", state="live")).instead(error) is error


@pytest.mark.parametrize("error", [PersistedQueryNotFound(), BadRequest("x")])
def test_sign_out_by_text_stays_possible(error: ClientError) -> None:
    """An id that is not known yet may be a sign-out: the app is asked for its text as ever."""
    assert Gate(ClientConfig()).admit(FORCED).instead(error) is error


def test_each_request_has_its_own_error() -> None:
    """Errors gather traces and causes: one is never raised twice."""
    admission = Gate(ClientConfig()).admit(FORCED)
    errors = []
    for _ in range(2):
        with pytest.raises(ClientUpgradeRequired) as caught:
            admission.check(DATA)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_ordinary_answers_tell_the_verdict() -> None:
    """With a gate every answer says how the build stands; without one, nothing."""
    standing = Standing(release="7.0.0+1", state="live", gate=GATE)
    ok = {"status": "OK", "storeUrl": STORE, "message": "Please update."}
    assert told(standing) == {"client": ok}
    assert told(Standing(release="7.0.0+1", state="live")) == {}
    assert told(FORCED, SIGN_OUT) == {"client": {**ok, "status": "FORCE_UPGRADE"}}


def test_capabilities_are_told_in_return() -> None:
    """An app that tells its capabilities learns those of the server; no other app does."""
    gated = Standing(release="7.0.0+1", state="live", gate=GATE, tells=True)
    assert told(gated, capabilities=("offline",))["client"]["capabilities"] == ["ar", "offline"]
    assert told(Standing(tells=True)) == {"client": {"capabilities": ["ar"]}}


def test_public_answers_say_nothing() -> None:
    """What is anybody's may be kept for anybody, and says nothing of whoever asked first."""
    ending = FieldEnding("Item.old", date(2027, 1, 1), "", None)
    standing = Standing(
        release="7.0.0+1",
        sunset=date(2027, 1, 1),
        gate=GATE,
        endings={"Item.old": ending},
        tells=True,
    )
    admission = Gate(ClientConfig()).admit(standing)
    public = Facts(public=True, sunsets=frozenset({"Item.old"}))
    assert admission.told(public) is NOTHING_TOLD


# --- what ends

SINCE = datetime(2026, 5, 1, 9, 30, tzinfo=UTC)
OLD = FieldEnding("Item.old", date(2027, 3, 31), "Ask for new.", SINCE)
OLDER = FieldEnding("Item.older", date(2027, 1, 31), "Gone.", None)
ENDINGS = {"Item.old": OLD, "Item.older": OLDER}
AFFECTED = Standing(release="7.0.0+1", state="live", endings=ENDINGS)


def last_second(year: int, month: int, day: int) -> datetime:
    return datetime(year, month, day, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("selected", "fields", "notice"),
    [
        ([], [], None),
        (["Item.other"], [], None),
        (["Item.old"], ["Item.old"], Notice(SINCE, last_second(2027, 3, 31))),
        (["Item.older"], ["Item.older"], Notice(None, last_second(2027, 1, 31))),
        (
            ["Item.old", "Item.older", "Item.other"],
            ["Item.older", "Item.old"],
            Notice(SINCE, last_second(2027, 1, 31)),
        ),
    ],
)
def test_reader_of_ending_fields_is_told(
    selected: list[str], fields: list[str], notice: Notice | None
) -> None:
    """A document that selects fields which end for its release is told which, the earliest first;
    what ends for others, or is not selected, is not told of."""
    admission = Gate(ClientConfig()).admit(AFFECTED)
    found = admission.told(Facts(sunsets=frozenset(selected)))
    assert [one["field"] for one in found.extensions.get("deprecations", ())] == fields
    assert found.notice == notice
    assert admission.told(Facts(sunsets=frozenset(selected))) is found


def test_deprecation_says_why_and_when() -> None:
    """Each entry has the field, its last day and the reason; announced brown-outs where there are
    any."""
    begins, ends = datetime(2027, 1, 5, 10, tzinfo=UTC), datetime(2027, 1, 5, 11, tzinfo=UTC)
    browned = FieldEnding("Item.older", OLDER.after, "Gone.", None, ((begins, ends),))
    standing = Standing(endings={"Item.old": OLD, "Item.older": browned})
    facts = Facts(sunsets=frozenset(ENDINGS))
    first, second = told(standing, facts)["deprecations"]
    assert second == {"field": "Item.old", "after": "2027-03-31", "reason": "Ask for new."}
    assert first["brownouts"] == [
        {"from": "2027-01-05T10:00:00+00:00", "to": "2027-01-05T11:00:00+00:00"}
    ]


def test_release_in_sunset_is_told() -> None:
    """Every private answer to a release that ends says when, or earlier where a field of the answer
    ends before it."""
    standing = Standing(
        release="7.0.0+1", state="sunset", sunset=date(2027, 2, 28), endings=ENDINGS
    )
    admission = Gate(ClientConfig()).admit(standing)
    assert admission.told(DATA).notice == Notice(None, last_second(2027, 2, 28))
    assert "deprecations" not in admission.told(DATA).extensions
    earlier = admission.told(replace(DATA, sunsets=frozenset({"Item.older"})))
    assert earlier.notice == Notice(None, last_second(2027, 1, 31))


def test_remembered_callers_are_bounded() -> None:
    """Anybody may claim any version; what is remembered of them does not grow without end."""
    gate = Gate(ClientConfig())
    for _ in range(MOST_KEPT + 10):
        gate.admit(Standing())
    assert len(gate._kept) <= MOST_KEPT
