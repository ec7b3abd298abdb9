"""Limits and load where the viewer and the document are known, over the tiny schema."""

from __future__ import annotations

from typing import Any

import pytest

from bff.access.authenticate import Authenticator
from bff.access.limits import Limits
from bff.access.load import Load
from bff.config import AdmissionConfig, LimitsConfig
from bff.contract import facts as facts_module
from bff.request import OperationRequest, Priority
from bff.response.envelope import Envelope
from tests.unit.bff.access.test_limits import OFF
from tests.unit.bff.access.tokens import claims, signed
from tests.unit.bff.test_pipeline import World
from tests.unit.bff.upstreams.fakes import arrival

TOKEN = f"Bearer {signed()}"
OTHER = f"Bearer {signed(payload=claims(sub='account-2'))}"
CAT = '{ cat(id: "1") { id name } }'


class Limited(World):
    """The same, with limits and a load of five places."""

    def __init__(self, **config: int) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.load = Load(AdmissionConfig(min_in_flight=5, max_in_flight=5))
        access, limits = self.access, Limits(LimitsConfig(**{**OFF, **config}), self.refused.append)
        access.authenticator = Authenticator(
            access.config,
            access.keys,
            access.revocations,
            access.metrics,
            limits=limits,
            load=self.load,
        )
        self.limits = limits
        object.__setattr__(self.rooms, "authenticator", access.authenticator)

    async def codes(
        self, text: str, times: int, token: str | None = None, **told: Any
    ) -> list[Any]:
        exchange = self.rooms.open(arrival(authorization=token, address="192.0.2.1", **told))
        return [(await exchange.answer(OperationRequest(text=text))).code for _ in range(times)]


async def limited(**config: int) -> Limited:
    made = Limited(**config)
    await made.ready()
    return made


async def test_operations_are_charged_to_the_viewer() -> None:
    """Each operation of an exchange counts for its viewer; another viewer has his own."""
    world = await limited(user_per_minute=60, user_burst=3)
    assert await world.codes(CAT, 5, TOKEN) == [None] * 3 + ["RATE_LIMITED"] * 2
    assert await world.codes(CAT, 2, OTHER) == [None] * 2
    assert await world.codes(CAT, 9) == [None] * 9
    assert world.refused == ["user", "user"]


async def test_cost_is_what_the_document_costs() -> None:
    """An operation is charged what its document is known to cost: here three fields each."""
    world = await limited(user_cost_per_minute=60, user_cost_burst=10)
    assert await world.codes(CAT, 4, TOKEN) == [None] * 3 + ["RATE_LIMITED"]
    assert await world.codes("{ __typename }", 2, TOKEN) == [None, "RATE_LIMITED"]


async def test_limited_operations_run_nothing() -> None:
    """What is refused asks no service."""
    world = await limited(user_per_minute=60, user_burst=1)
    await world.codes(CAT, 1, TOKEN)
    calls = len(world.transport.calls)
    assert await world.codes(CAT, 3, TOKEN) == ["RATE_LIMITED"] * 3
    assert len(world.transport.calls) == calls


async def test_bad_tokens_are_nobodys() -> None:
    """A forged token is refused as ever, is charged to no account, and leaves its address charged;
    what spares a token is charged to the address."""
    world = await limited(address_per_minute=60, address_burst=3, address_cost_per_minute=60)
    forged = TOKEN[:-4] + "AAAA"
    for _ in range(3):
        assert world.limits.arrived("192.0.2.1", None) is None
        assert await world.codes(CAT, 1, forged) == ["UNAUTHENTICATED"]
    assert world.limits.arrived("192.0.2.1", None) is not None
    assert await world.codes("mutation { signIn }", 1, forged) == [None]


async def test_right_tokens_leave_the_address_alone() -> None:
    """An exchange of a signed-in viewer gives back what it took from its address, and its token is
    vouched for from then on; a revoked one no more."""
    world = await limited(address_per_minute=60, address_burst=3)
    for _ in range(9):
        assert world.limits.arrived("192.0.2.1", None) is None
        assert await world.codes(CAT, 1, TOKEN) == [None]
    assert world.limits.vouched(TOKEN.encode())
    assert not world.limits.vouched(OTHER.encode())
    world.access.revocations.moved("account-1", 99)
    assert not world.limits.vouched(TOKEN.encode())


async def test_documents_may_be_less_urgent(monkeypatch: pytest.MonkeyPatch) -> None:
    """A document that declares itself a prefetch is shed where only people have room, unless the
    client named a priority: he who waits knows best."""
    world = await limited()
    monkeypatch.setattr(facts_module, "_most_urgent", lambda _: Priority.BACKGROUND)
    for _ in range(4):
        assert world.load.enters(Priority.USER)
    assert await world.codes(CAT, 1) == ["OVERLOADED"]
    assert await world.codes(CAT, 1, says_priority=True) == [None]
    world.load.leave(3)
    assert await world.codes(CAT, 1) == [None]


async def test_refusals_say_when_to_come_back() -> None:
    """The envelope of a limited operation carries the time, as every refusal of its kind."""
    world = await limited(user_per_minute=60, user_burst=1)
    exchange = world.rooms.open(arrival(authorization=TOKEN))
    await exchange.answer(OperationRequest(text=CAT))
    refused: Envelope = await exchange.answer(OperationRequest(text=CAT))
    (error,) = refused.errors or []
    assert error["extensions"]["retryAfterMs"] >= 1_000
    assert refused.data is None
