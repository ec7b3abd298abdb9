"""The way of a request over a tiny schema; only the bytes to and from services are fakes."""

from __future__ import annotations

import asyncio
import json
from typing import Any
from urllib.parse import urlsplit

import pytest
from structlog.testing import capture_logs

from bff.client.gate import Gate
from bff.config import ClientConfig, DocumentsConfig, Policy
from bff.documents.documents import Documents
from bff.pipeline import Exchange, Pipeline
from bff.plans.execute import Executor, graphql_schema
from bff.request import OperationRequest
from bff.response.envelope import Envelope
from bff.response.masking import MASKED
from bff.store.memory import MemoryTier
from bff.upstreams.transport import Incoming, Outgoing, TransportFailure, TransportTimeout
from tests.unit.bff import tiny
from tests.unit.bff.access.tokens import KEYS_PATH, REVOCATIONS_PATH, Access, claims, signed
from tests.unit.bff.upstreams.fakes import FakeTransport, answer, arrival, sample, services

TOKEN = f"Bearer {signed()}"


class World:
    """One gateway process: the identity service answers, and content has the cats asked for."""

    def __init__(self, policy: Policy = "open", development: bool = True) -> None:
        self.cats: Any = None  # an Incoming, or an exception, in place of the cats
        self.access = Access()
        self.transport = FakeTransport(self._answer)
        schema = graphql_schema(tiny.schema)
        documents = Documents(
            schema, DocumentsConfig(), policy, development, [], MemoryTier(10, 10_000)
        )
        documents.load()
        self.rooms = Pipeline(
            documents=documents,
            gate=Gate(ClientConfig()),
            authenticator=self.access.authenticator,
            revocations=self.access.revocations,
            executor=Executor(schema, hide_suggestions=not development),
            services=services(self.transport),
            development=development,
        )

    def _answer(self, call: Outgoing) -> Incoming:
        path = urlsplit(call.url).path
        if path in (KEYS_PATH, REVOCATIONS_PATH):
            return self.access.identity(call)
        if isinstance(self.cats, Exception):
            raise self.cats
        if self.cats is not None:
            return self.cats  # type: ignore[no-any-return]
        ids = json.loads(call.body or b"")["ids"]
        return answer({"cats": [{"id": one, "name": f"cat {one}"} for one in ids]})

    async def ready(self) -> World:
        await self.access.ready()
        return self

    def open(self, authorization: str | None = None, milliseconds: float = 5000) -> Exchange:
        return self.rooms.open(arrival(milliseconds, authorization=authorization))

    async def ask(self, text: str, authorization: str | None = None, **request: Any) -> Envelope:
        return await self.open(authorization).answer(OperationRequest(text=text, **request))

    def count(self, name: str, **labels: str) -> float:
        return sample(self.rooms.services.metrics, name, platform="ios", **labels)


@pytest.fixture
async def world() -> World:
    tiny.RAN.clear()
    return await World().ready()


def codes(envelope: Envelope) -> list[str]:
    return [error["extensions"]["code"] for error in envelope.errors or ()]


# --- documents


async def test_screen_is_answered(world: World) -> None:
    """A document runs: data, what it cost, and who may cache it."""
    envelope = await world.ask('query Q { cat(id: "1") { id name } }')
    assert envelope.data == {"cat": {"id": "1", "name": "cat 1"}}
    assert (envelope.errors, envelope.code, envelope.cache) == (None, None, "public")
    assert envelope.body()["extensions"]["upstream"]["calls"] == 1
    assert world.count("facet_requests_total", screen="cat", outcome="ok") == 1


async def test_production_shows_no_cost() -> None:
    """Outside development an answer says nothing of services."""
    world = await World(development=False).ready()
    assert (await world.ask('{ cat(id: "1") { id } }')).body() == {"data": {"cat": {"id": "1"}}}


@pytest.mark.parametrize(
    ("policy", "request_", "code"),
    [
        ("open", OperationRequest(document_id="ab" * 32), "PERSISTED_QUERY_NOT_FOUND"),
        ("registered", OperationRequest(document_id="ab" * 32), "DOCUMENT_NOT_REGISTERED"),
        ("registered", OperationRequest(text="{ boom }"), "DOCUMENT_TEXT_NOT_REGISTERED"),
        ("ids_only", OperationRequest(text="{ boom }"), "DOCUMENT_ID_REQUIRED"),
        ("open", OperationRequest(text="{"), "GRAPHQL_PARSE_FAILED"),
        ("open", OperationRequest(text="{ nothing }"), "GRAPHQL_VALIDATION_FAILED"),
        ("open", OperationRequest(), "BAD_REQUEST"),
    ],
)
async def test_unknown_document_is_refused(
    policy: Policy, request_: OperationRequest, code: str
) -> None:
    """A document that is not answered refuses the request; nothing ran, nobody was asked."""
    world = await World(policy).ready()
    with capture_logs():
        envelope = await world.open(TOKEN).answer(request_)
    assert (envelope.code, codes(envelope)) == (code, [code])
    assert (envelope.executed, envelope.cache) == (False, "no-store")
    assert world.transport.calls == []
    assert world.count("facet_requests_total", screen="none", outcome="refused") == 1


@pytest.mark.parametrize("authorization", [TOKEN, None, "Bearer bad"])
async def test_mutation_by_get_is_refused(world: World, authorization: str | None) -> None:
    """A request that may only read runs no mutation, and says so whatever its token."""
    envelope = await world.ask("mutation { save }", authorization, read_only=True)
    assert envelope.code == "METHOD_NOT_ALLOWED"
    assert tiny.RAN == []
    assert (await world.ask("{ square(of: 3) }", read_only=True)).data == {"square": 9}


async def test_bad_variables_run_nothing(world: World) -> None:
    """Variables that do not fit refuse the request before any resolver ran."""
    envelope = await world.ask("query ($n: Int!) { square(of: $n) }", variables={"n": "x"})
    assert (envelope.code, envelope.executed) == ("BAD_USER_INPUT", False)
    assert tiny.RAN == []


# --- viewers


async def test_viewer_reaches_resolvers(world: World) -> None:
    """A good token makes the viewer known to resolvers and to calls for the viewer's data."""
    envelope = await world.ask('{ mine(id: "1") { name } cat(id: "1") { name } }', TOKEN)
    assert envelope.data == {"mine": {"name": "cat 1"}, "cat": {"name": "cat 1"}}
    assert envelope.cache == "private"
    sent = {urlsplit(call.url).path: call.headers for call in world.transport.calls}
    assert "x-viewer" in sent["/mine"]
    assert "x-viewer" not in sent["/cats"]


async def test_phones_token_ends_here(world: World) -> None:
    """The app's own token is in no call to a service."""
    await world.ask('{ mine(id: "1") { name } }', TOKEN)
    assert TOKEN not in str([call.headers for call in world.transport.calls])


async def test_nobody_gets_the_rest(world: World) -> None:
    """Without a token a viewer's field is UNAUTHENTICATED, makes no call, and leaves the rest."""
    envelope = await world.ask('{ mine(id: "1") { name } square(of: 2) }')
    assert envelope.data == {"mine": None, "square": 4}
    assert (codes(envelope), envelope.code) == (["UNAUTHENTICATED"], None)
    assert world.transport.calls == []
    assert world.count("facet_field_errors_total", code="UNAUTHENTICATED") == 1


async def test_bad_token_refuses_the_request(world: World) -> None:
    """A bad token refuses even what nobody needs to be signed in for."""
    with capture_logs():
        envelope = await world.ask("{ square(of: 2) }", "Bearer bad")
    assert (envelope.code, envelope.executed) == ("UNAUTHENTICATED", False)
    assert tiny.RAN == []


async def test_bad_token_spares_sign_in(world: World) -> None:
    """A document that is always allowed runs with a dead token, as nobody; one that holds
    anything else beside it does not."""
    with capture_logs():
        assert (await world.ask("mutation { signIn }", "Bearer bad")).data == {"signIn": "nobody"}
        both = await world.ask("mutation { signIn save }", "Bearer bad")
        out = await world.ask("mutation { signOut }", "Bearer bad")
    assert both.code == "UNAUTHENTICATED"
    assert (out.data, codes(out)) == ({"signOut": None}, ["UNAUTHENTICATED"])
    assert (await world.ask("mutation { signIn }", TOKEN)).data == {"signIn": "account-1"}


async def test_sign_out_counts_at_once(world: World) -> None:
    """After a sign-out the token is refused by this process without waiting for a poll."""
    assert (await world.ask("mutation { signOut }", TOKEN)).data == {"signOut": "account-1"}
    with capture_logs():
        assert (await world.ask("mutation { save }", TOKEN)).code == "UNAUTHENTICATED"
    fresh = f"Bearer {signed(payload=claims(epoch=4))}"
    assert (await world.ask("mutation { save }", fresh)).data == {"save": "account-1"}


async def test_unknowable_token_refuses_the_request() -> None:
    """Where tokens cannot be checked the request is refused as UPSTREAM_UNAVAILABLE; without a
    token it is answered."""
    world = World()
    world.access.identity.keys = TransportFailure("refused")
    with capture_logs():
        assert (await world.ask("{ square(of: 2) }", TOKEN)).code == "UPSTREAM_UNAVAILABLE"
    assert (await world.ask("{ square(of: 2) }")).data == {"square": 4}


# --- faults


async def test_fault_in_a_resolver_is_masked(world: World) -> None:
    """An unexpected exception costs its field, as INTERNAL and without its words."""
    with capture_logs() as logs:
        envelope = await world.ask("{ boom square(of: 2) }")
    assert envelope.data == {"boom": None, "square": 4}
    assert (codes(envelope), envelope.code) == (["INTERNAL"], None)
    assert "hunter2" not in envelope.encode().decode()
    assert [line["event"] for line in logs] == ["field_failed"]
    assert logs[0]["request_id"] == "request-1"


@pytest.mark.parametrize("room", ["documents", "executor", "authenticator"])
async def test_fault_in_a_room_is_an_envelope(
    world: World, room: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unexpected exception anywhere on the way is INTERNAL, never an exception to the edge."""
    method = {"documents": "find", "executor": "execute", "authenticator": "viewer"}[room]

    async def broken(*_: Any, **__: Any) -> None:
        raise ValueError("hunter2")

    monkeypatch.setattr(type(getattr(world.rooms, room)), method, broken)
    with capture_logs() as logs:
        envelope = await world.ask("{ square(of: 2) }", TOKEN)
    assert envelope.body() == {"errors": [{"message": MASKED, "extensions": {"code": "INTERNAL"}}]}
    assert (envelope.code, envelope.executed, envelope.cache) == ("INTERNAL", False, "no-store")
    assert [line["event"] for line in logs] == ["request_failed"]
    assert world.count("facet_requests_total", screen="none", outcome="failed") == 1


async def test_failed_field_leaves_others_their_keys(world: World) -> None:
    """A non-null field that fails takes its parent with it; another field that waits for the same
    key still gets its answer, and so does the request."""
    async with asyncio.timeout(10):
        envelope = await world.ask(
            '{ house { cat(id: "1") { name } broken } other { cat(id: "1") { name } } }'
        )
    assert envelope.data == {"house": None, "other": {"cat": {"name": "cat 1"}}}
    assert codes(envelope) == ["BAD_USER_INPUT"]
    assert world.transport.paths == ["/cats"]


async def test_slow_service_costs_its_field(world: World) -> None:
    """A service that does not answer costs its own fields, with its code."""
    world.cats = TransportTimeout("timed out")
    with capture_logs():
        envelope = await world.ask('{ cat(id: "1") { name } square(of: 2) }')
    assert envelope.data == {"cat": None, "square": 4}
    assert codes(envelope) == ["UPSTREAM_TIMEOUT"]
    assert envelope.cache == "private"


async def test_spent_deadline_costs_its_field(world: World) -> None:
    """With no time left services are not asked; what needs none is answered."""
    exchange = world.open(milliseconds=1)
    text = '{ cat(id: "1") { name } square(of: 2) }'
    envelope = await exchange.answer(OperationRequest(text=text))
    assert envelope.data == {"cat": None, "square": 4}
    assert codes(envelope) == ["DEADLINE_EXCEEDED"]
    assert (world.transport.calls, exchange.upstream_calls) == ([], 0)


# --- several operations in one exchange


async def test_operations_share_loaders(world: World) -> None:
    """Operations of one exchange that need the same thing make one call for it."""
    exchange = world.open(TOKEN)
    asked = [
        OperationRequest(text='{ cat(id: "1") { name } }'),
        OperationRequest(text='{ cat(id: "2") { name } again: cat(id: "1") { name } }'),
    ]
    first, second = await asyncio.gather(*(exchange.answer(one) for one in asked))
    assert first.data == {"cat": {"name": "cat 1"}}
    assert second.data == {"cat": {"name": "cat 2"}, "again": {"name": "cat 1"}}
    assert world.transport.bodies == [{"ids": ["1", "2"]}]
    assert exchange.upstream_calls == 1


async def test_operations_share_one_budget(world: World) -> None:
    """Operations of one exchange may cost together what one may; the next exchange has its own."""
    text = "{ __schema { description } square(of: 2) }"
    for _ in range(2):
        exchange = world.open()
        asked = [OperationRequest(text=text)] * 3
        found = await asyncio.gather(*(exchange.answer(one) for one in asked))
        assert [one.code for one in found] == [None, None, "GRAPHQL_VALIDATION_FAILED"]


async def test_operations_share_one_token_check(world: World) -> None:
    """One exchange is one token check: a bad one is counted once and refuses each operation that
    is not always allowed."""
    exchange = world.open("Bearer bad")
    asked = [OperationRequest(text=text) for text in ("{ square(of: 2) }", "mutation { signIn }")]
    with capture_logs() as logs:
        refused, spared = await asyncio.gather(*(exchange.answer(one) for one in asked))
    assert refused.code == "UNAUTHENTICATED"
    assert spared.data == {"signIn": "nobody"}
    assert [line["event"] for line in logs] == ["token_refused"]


async def test_exchanges_share_nothing(world: World) -> None:
    """The next exchange asks anew: no answer crosses from one viewer to another."""
    for authorization in (TOKEN, None):
        await world.ask('{ cat(id: "1") { name } }', authorization)
    assert world.transport.paths == ["/cats", "/cats"]
