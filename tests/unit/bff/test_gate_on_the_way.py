"""Version gate, capabilities, sunset and brown-outs on the way of a request (bff/pipeline.py)."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from bff.client.gate import Gate
from bff.config import ClientConfig, Policy
from bff.documents.known import KnownRelease, KnownReleases
from bff.documents.snapshot import Added, Snapshot
from bff.pipeline import Exchange
from bff.request import ClientIdentity, OperationRequest
from bff.response.envelope import Envelope
from persisted_queries.model import Brownout, Published, RegistryState, SetGate, State
from tests.harness.registries import operations_of
from tests.unit.bff import tiny
from tests.unit.bff.access.tokens import signed
from tests.unit.bff.test_pipeline import World, codes
from tests.unit.bff.upstreams.fakes import arrival, sample

NOW = datetime.now(UTC)
TOKEN = f"Bearer {signed()}"
STORE = "https://apps.example/reader"
MINE = '{ mine(id: "1") { name } }'
PUBLIC = '{ cat(id: "1") { name } }'


def published(name: str, state: State = "live", *capabilities: str) -> KnownRelease:
    version, _, build = name.partition("+")
    sunset = date(2027, 2, 28) if state == "sunset" else None
    return KnownRelease(
        Published(version, build, "", "", capabilities, state, NOW, 1, sunset=sunset)
    )


RELEASES = (
    published("6.0.0+1", "blocked"),
    published("6.1.0+1", "retired"),
    published("7.0.0+1"),
    published("7.1.0+1", "sunset"),
    published("8.0.0+1", "live", "ar"),
)
GATE = SetGate(minimum="7.1.0", recommended="8.0.0", store_url=STORE, message="Please update.")


class Gated(World):
    """A gateway with releases and a gate."""

    def govern(self, gate: SetGate = GATE, brownouts: tuple[Brownout, ...] = ()) -> Gated:
        state = RegistryState(
            "ios",
            number=1,
            releases={one.name: one.published for one in RELEASES},
            gate=gate,
            brownouts=brownouts,
        )
        known = KnownReleases([(one, None) for one in RELEASES])
        self.rooms.documents.take(Snapshot(state, known, [], {}))
        return self

    def by(
        self, name: str | None, authorization: str | None = TOKEN, told: set[str] | None = None
    ) -> Exchange:
        version, _, build = (name or "").partition("+")
        capabilities = None if told is None else frozenset(told)
        client = ClientIdentity("app", version or None, build or None, None, capabilities)
        came = arrival(5000, authorization=authorization)
        return self.rooms.open(type(came)(came.request_id, client, came.deadline, authorization))

    async def says(
        self, name: str | None, text: str, authorization: str | None = TOKEN, **options: Any
    ) -> Envelope:
        with capture_logs():
            return await self.by(name, authorization, **options).answer(OperationRequest(text=text))


@pytest.fixture
async def world() -> Gated:
    tiny.RAN.clear()
    made = Gated()
    await made.ready()
    return made.govern()


def client(envelope: Envelope) -> Any:
    return envelope.body().get("extensions", {}).get("client")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("8.0.0+1", "OK"),
        ("8.0.0", "OK"),
        ("9.0.0+1", "OK"),
        (None, "OK"),
        ("7.1.0+1", "SOFT_UPGRADE"),
        ("7.5.0", "SOFT_UPGRADE"),
    ],
)
async def test_served_build_is_told_its_verdict(
    world: Gated, name: str | None, status: str
) -> None:
    """OK and SOFT_UPGRADE stand beside the data of an ordinary answer."""
    envelope = await world.says(name, MINE)
    assert envelope.data == {"mine": {"name": "cat 1"}}
    assert client(envelope) == {"status": status, "storeUrl": STORE, "message": "Please update."}


@pytest.mark.parametrize(
    ("name", "code", "status"),
    [
        ("7.0.0+1", "CLIENT_UPGRADE_REQUIRED", "FORCE_UPGRADE"),
        ("7.0.9", "CLIENT_UPGRADE_REQUIRED", "FORCE_UPGRADE"),
        ("6.0.0+1", "CLIENT_BLOCKED", "BLOCKED"),
        ("6.1.0+1", "RELEASE_RETIRED", "BLOCKED"),
    ],
)
@pytest.mark.parametrize("text", [MINE, PUBLIC, "mutation { rename }", "{ __typename }"])
async def test_refused_build_gets_no_data(
    world: Gated, name: str, code: str, status: str, text: str
) -> None:
    """A refused build gets `data: null`, the code, words for its user and the way to the store;
    nothing ran."""
    envelope = await world.says(name, text)
    assert (envelope.code, codes(envelope), envelope.cache) == (code, [code], "no-store")
    body = envelope.body()
    assert body["data"] is None
    assert body["errors"][0]["message"] == "Please update."
    assert client(envelope) == {"status": status, "storeUrl": STORE, "message": "Please update."}
    assert (tiny.RAN, world.transport.calls) == ([], [])


@pytest.mark.parametrize("name", ["7.0.0+1", "6.0.0+1", "6.1.0+1"])
async def test_always_allowed_passes(world: Gated, name: str) -> None:
    """Sign-out and a write that waited in the app pass the gate, and are told of it; beside
    anything else they do not."""
    assert (await world.says(name, "mutation { save }")).data == {"save": "account-1"}
    both = await world.says(name, "mutation { save rename }")
    assert both.executed
    assert both.data is None
    out = await world.says(name, "mutation { signOut }")
    assert out.data == {"signOut": "account-1"}
    status = "FORCE_UPGRADE" if name == "7.0.0+1" else "BLOCKED"
    assert client(out)["status"] == status


@pytest.mark.parametrize(
    ("name", "code"), [("6.0.0+1", "CLIENT_BLOCKED"), ("6.1.0+1", "RELEASE_RETIRED")]
)
async def test_chosen_operation_is_judged(world: Gated, name: str, code: str) -> None:
    """Of a text with several operations the one that is meant passes the gate, or does not."""
    text = "mutation Out { signOut } mutation Rename { rename }"
    out, refused = [
        await world.by(name, TOKEN).answer(OperationRequest(text=text, operation_name=chosen))
        for chosen in ("Out", "Rename")
    ]
    assert out.data == {"signOut": "account-1"}
    assert (refused.data, refused.code) == (None, code)


async def test_waiting_write_needs_its_viewer(world: Gated) -> None:
    """The gate spares a waiting write, a dead token does not: the app must hear that it was not
    done, as of any other write."""
    for name in ("7.0.0+1", "8.0.0+1"):
        envelope = await world.says(name, "mutation { save }", "Bearer bad")
        assert (envelope.code, envelope.executed) == ("UNAUTHENTICATED", False)
        signed_in = await world.says(name, "mutation { signIn }", "Bearer bad")
        assert signed_in.data == {"signIn": "nobody"}


@pytest.mark.parametrize("policy", ["registered", "ids_only"])
async def test_lost_document_tells_the_verdict(policy: Policy) -> None:
    """A refused build whose documents are not answered any more hears the verdict, not that."""
    world = Gated(policy)
    await world.ready()
    world.govern()
    with capture_logs():
        for name, code in (
            ("7.0.0+1", "CLIENT_UPGRADE_REQUIRED"),
            ("8.0.0+1", "DOCUMENT_NOT_REGISTERED"),
        ):
            envelope = await world.by(name).answer(OperationRequest(document_id="ab" * 32))
            assert envelope.code == code


async def test_unknown_hash_still_asks_for_text(world: Gated) -> None:
    """In open a refused build that sends an unknown hash is asked for the text, which may be its
    sign-out."""
    with capture_logs():
        envelope = await world.by("7.0.0+1").answer(OperationRequest(document_id="ab" * 32))
    assert envelope.code == "PERSISTED_QUERY_NOT_FOUND"


async def test_gate_opens_at_once(world: Gated) -> None:
    """What the log says next holds from the next request on."""
    assert (await world.says("7.0.0+1", MINE)).code == "CLIENT_UPGRADE_REQUIRED"
    world.govern(SetGate(minimum="9.0.0", store_url=STORE))
    soft = await world.says("7.0.0+1", MINE)
    assert client(soft) == {"status": "SOFT_UPGRADE", "storeUrl": STORE, "message": None}
    world.govern(SetGate())
    assert client(await world.says("7.0.0+1", MINE)) is None
    blocked = await world.says("6.0.0+1", MINE)
    assert blocked.body()["errors"][0]["message"] == "release 6.0.0+1 is blocked; update the app"


async def test_public_answers_tell_nothing(world: Gated) -> None:
    """An answer that may be kept for everybody is the same for every build that is served."""
    envelope = await world.says("7.1.0+1", PUBLIC, told=set())
    assert (envelope.data, envelope.cache) == ({"cat": {"name": "cat 1"}}, "public")
    assert envelope.notice is None
    assert client(envelope) is None


async def test_members_of_a_batch_are_told(world: Gated) -> None:
    """Every member of a JSON array has its own verdict: refused, spared or told."""
    exchange = world.by("7.0.0+1")
    texts = (MINE, "mutation { signIn }", "{ square(of: 2) }")
    with capture_logs():
        found = await asyncio.gather(*(exchange.answer(OperationRequest(text=t)) for t in texts))
    assert [one.code for one in found] == [
        "CLIENT_UPGRADE_REQUIRED",
        None,
        "CLIENT_UPGRADE_REQUIRED",
    ]
    assert {client(one)["status"] for one in found} == {"FORCE_UPGRADE"}


async def test_unknown_release_may_be_refused(world: Gated) -> None:
    """With `client.unknown_release` refuse, whoever names no known release is refused data, and
    still signs in."""
    world.rooms = replace(world.rooms, gate=Gate(ClientConfig(unknown_release="refuse")))
    for name in (None, "9.0.0+1"):
        envelope = await world.says(name, MINE)
        assert (envelope.code, envelope.executed) == ("RELEASE_UNKNOWN", False)
        assert (await world.says(name, "mutation { signIn }")).data == {"signIn": "account-1"}
    assert (await world.says("8.0.0+1", MINE)).code is None


# --- capabilities


async def test_capability_decides_the_field(world: Gated) -> None:
    """A field that needs a capability is null, without a call or an error, unless the release
    published it or the app tells of it."""
    assert (await world.says("8.0.0+1", "{ scene }")).data == {"scene": "scene"}
    assert (await world.says("9.0.0+1", "{ scene }")).data == {"scene": "scene"}
    tiny.RAN.clear()
    for name in ("7.1.0+1", None):
        envelope = await world.says(name, "{ scene }")
        assert (envelope.data, envelope.errors) == ({"scene": None}, None)
        assert envelope.body()["extensions"]["fence"] == {"replaced": 0, "nulled": 1, "dropped": 0}
        assert tiny.RAN == []
        able = await world.says(name, "{ scene }", told={"ar", "unheard"})
        assert able.data == {"scene": "scene"}
        tiny.RAN.clear()
    counted = sample(world.rooms.services.metrics, "facet_values_withheld_total", change="nulled")
    assert counted == 2


async def test_public_answers_are_every_releases(world: Gated) -> None:
    """What some release is not sent whole is public for none: a shared cache knows no releases."""
    kept = [(await world.says(name, "{ scene }")).cache for name in ("8.0.0+1", "7.1.0+1")]
    assert kept == ["private"] * 2


@pytest.mark.parametrize(("remapped", "kept"), [("8.0.0+1", "private"), (None, "public")])
async def test_hot_fix_of_one_release_is_kept_apart(
    world: Gated, remapped: str | None, kept: str
) -> None:
    """Where one release runs a text of its own under an id, nobody is kept another one's answer;
    a text that runs for all is everybody's."""
    shipped, patched = operations_of([f"query Cat {PUBLIC}", f"query  Cat {PUBLIC}"])
    known = KnownReleases([(one, None) for one in RELEASES])
    added = [Added("7.0.0+1", [(0, shipped)])]
    remaps = {(shipped.hash, remapped): patched}
    world.rooms.documents.take(Snapshot(RegistryState("ios"), known, added, remaps))
    for name in ("8.0.0+1", "7.1.0+1"):
        envelope = await world.by(name).answer(OperationRequest(document_id=shipped.id))
        assert (envelope.data, envelope.cache) == ({"cat": {"name": "cat 1"}}, kept)


async def test_capabilities_are_answered(world: Gated) -> None:
    """The app tells, the server tells."""
    gate = Gate(
        ClientConfig(capabilities=("offline",)), world.rooms.documents.lifecycle.capabilities
    )
    object.__setattr__(world.rooms, "gate", gate)
    envelope = await world.says("8.0.0+1", MINE, told={"ar"})
    assert client(envelope)["capabilities"] == ["ar", "offline"]
    assert "capabilities" not in client(await world.says("8.0.0+1", MINE))


# --- what ends

DEPRECATIONS = [{"field": "Query.old", "after": "2027-03-31", "reason": "Ask for mine."}]
BOTH = '{ old mine(id: "1") { name } }'


async def test_only_affected_readers_are_told(world: Gated) -> None:
    """A release below `releasesBelow` that selects the field is told; the same release without the
    field, and a newer release with it, are not."""
    world.govern(SetGate())
    envelope = await world.says("7.0.0+1", BOTH)
    assert envelope.body()["extensions"]["deprecations"] == DEPRECATIONS
    assert envelope.notice is not None
    assert envelope.notice.sunset == datetime(2027, 3, 31, 23, 59, 59, tzinfo=UTC)
    assert envelope.notice.deprecated == datetime(2026, 1, 1, tzinfo=UTC)
    for name, text in (("7.0.0+1", MINE), ("8.0.0+1", BOTH), (None, BOTH)):
        envelope = await world.says(name, text)
        assert envelope.notice is None
        assert "deprecations" not in envelope.body()["extensions"]


async def test_ending_release_is_told(world: Gated) -> None:
    """Every private answer to a release in sunset has its last second."""
    envelope = await world.says("7.1.0+1", MINE)
    assert envelope.notice is not None
    assert envelope.notice.sunset == datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC)


async def test_brown_out_denies_older_releases(world: Gated) -> None:
    """In its window the field is null with FIELD_SUNSET for releases it ends for; nothing of it
    ran, the rest of the answer comes, and newer releases notice nothing."""
    window = Brownout("Query.old", NOW - timedelta(minutes=1), NOW + timedelta(hours=1))
    world.govern(SetGate(), (window,))
    envelope = await world.says("7.0.0+1", BOTH)
    assert envelope.data == {"old": None, "mine": {"name": "cat 1"}}
    assert (codes(envelope), tiny.RAN) == (["FIELD_SUNSET"], [])
    assert (await world.says("8.0.0+1", BOTH)).data["old"] == "old"  # type: ignore[index]
    world.govern(SetGate(), ())
    assert (await world.says("7.0.0+1", BOTH)).data["old"] == "old"  # type: ignore[index]
