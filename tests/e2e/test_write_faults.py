"""Whatever becomes of a write's reply, repeating its key makes one effect and gives one reply."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from tests.harness.faults.fault import Fault, Kind
from tests.harness.faults.proxy import FaultProxy, fault_proxy
from tests.harness.stack import Stack, ask, registered

# Not executed by plans: `make verify` asks in both modes, `make test` in one.
pytestmark = pytest.mark.modeless

ROUTE, PATH = "accounts", "POST /v1/addresses"
ADDRESS = {"line1": "1 Pier", "city": "Berlin", "postcode": "1", "country": "DE"}
# Accounts nobody else writes to.
WRITERS = tuple(f"acc_{number:05d}" for number in range(1101, 1107))
PATIENT_BREAKER = {
    "BFF__UPSTREAMS__SERVICES__ACCOUNTS__GUARD__BREAKER_CALLS": "1000000",
}
FAULTS = {
    "reply lost": Fault(Kind.LOST, ratio=0.5, only=PATH),
    "delivered twice": Fault(Kind.TWICE, only=PATH),
    "503 after the effect": Fault(Kind.STATUS, ratio=0.5, only=PATH, status=503, after=True),
    "half of the connections reset": Fault(Kind.RESET_SOMETIMES, ratio=0.5),
}


@dataclass
class Writer:
    """A gateway whose calls to accounts pass a fault proxy, and the addresses it makes."""

    stack: Stack
    gateway: httpx2.AsyncClient
    proxy: FaultProxy
    document: str

    async def send(self, key: str, account: str = WRITERS[0], **values: str) -> dict[str, Any]:
        """One attempt; the whole body."""
        token = self.tokens(account)
        given = {"idempotencyKey": key, "label": key, **ADDRESS, **values}
        return await ask(self.gateway, self.document, {"input": given}, token)

    async def until_done(self, key: str, account: str) -> str:
        """As apps do it: again and again with one key, until it is done. The data, as text."""
        for _ in range(30):
            body = await self.send(key, account)
            if "errors" not in body:
                return str(body["data"])
            code = body["errors"][0]["extensions"]["code"]
            assert code.startswith(("UPSTREAM_", "IDEMPOTENCY_IN_PROGRESS")), body
        raise AssertionError("thirty attempts, and none was answered")

    def tokens(self, account: str) -> str:
        found = _TOKENS.get(account)
        if found is None:
            found = _TOKENS[account] = self.stack.token(self.stack.handle(account))
        return found

    def made(self, key: str) -> int:
        return int(
            self.stack.query("accounts", "select count(*) from addresses where label = ?", key)
        )


_TOKENS: dict[str, str] = {}


@pytest.fixture(scope="module")
def proxy(stack: Stack) -> Iterator[FaultProxy]:
    _TOKENS.clear()
    with fault_proxy({ROUTE: f"{stack.where.service_port('accounts')}/http"}) as running:
        yield running


@pytest_asyncio.fixture(scope="module")
async def writer(stack: Stack, proxy: FaultProxy) -> AsyncIterator[Writer]:
    environment = {"BFF__UPSTREAMS__SERVICES__ACCOUNTS__URL": proxy.url(ROUTE), **PATIENT_BREAKER}
    async with stack.gateway("ios", environment=environment) as gateway:
        document = registered(stack.settings("ios"), "ios", "AddAddress").id
        yield Writer(stack, gateway, proxy, document)


@pytest.mark.parametrize(
    ("fault", "account"), [*zip(FAULTS.values(), WRITERS, strict=False)], ids=list(FAULTS)
)
async def test_spoilt_reply_has_one_effect(writer: Writer, fault: Fault, account: str) -> None:
    """Lost, doubled or replaced replies: each intent is made once, and every reply that comes
    through is the same."""
    keys = [uuid.uuid4().hex for _ in range(6)]
    with writer.proxy.spoiling(ROUTE, fault):
        replies = [{await writer.until_done(key, account) for _ in range(2)} for key in keys]
        injected = writer.proxy.counts(ROUTE).injected
    assert injected > 0, "VOID: nothing was spoilt"
    assert [len(one) for one in replies] == [1] * len(keys)
    assert [writer.made(key) for key in keys] == [1] * len(keys)


async def test_twenty_at_once_through_faults(writer: Writer) -> None:
    """Twenty parallel attempts of one key, half of their replies lost: one effect, one reply."""
    key, account = uuid.uuid4().hex, WRITERS[4]
    with writer.proxy.spoiling(ROUTE, FAULTS["reply lost"]):
        attempts = (writer.until_done(key, account) for _ in range(20))
        replies = set(await asyncio.gather(*attempts))
        assert writer.proxy.counts(ROUTE).injected > 0, "VOID: no reply was lost"
    assert len(replies) == 1
    assert writer.made(key) == 1


async def test_key_is_one_users_and_one_body(writer: Writer) -> None:
    """The same key with another body is refused, also after its reply was lost; another user's
    same key is another intent and tells nothing of the first."""
    key = uuid.uuid4().hex
    with writer.proxy.spoiling(ROUTE, FAULTS["reply lost"]):
        mine = await writer.until_done(key, WRITERS[5])
        assert writer.proxy.counts(ROUTE).requests > 0
    other_body = await writer.send(key, WRITERS[5], city="Paris")
    assert other_body["errors"][0]["extensions"]["code"] == "IDEMPOTENCY_KEY_REUSED"
    theirs = await writer.until_done(key, WRITERS[0])
    assert theirs != mine
    assert writer.made(key) == 2
