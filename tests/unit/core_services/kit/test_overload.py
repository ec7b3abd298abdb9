"""A service that is asked more than it can answer, or whose database is away, says so at once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from core_services.accounts.app import SERVICE
from core_services.accounts.settings import AccountsSettings
from core_services.kit.database import Database
from core_services.kit.errors import Overloaded
from core_services.kit.migrations.run import upgrade
from core_services.kit.places import Places
from tests.harness.callers import Caller
from tests.harness.services import service_client

CARDS = "/v1/cards/batch"
MOST = 2


@pytest_asyncio.fixture
async def narrow(settings: AccountsSettings) -> AsyncIterator[httpx2.AsyncClient]:
    """A client of a service with room for two calls at once and half a second for locks."""
    told = settings.model_copy(update={"max_in_flight": MOST, "lock_timeout_s": 0.5})
    opened = Database(settings.database_url)
    await upgrade(opened, SERVICE.versions)
    await opened.close()
    async with service_client(SERVICE, told) as client:
        yield client


def app_of(client: httpx2.AsyncClient) -> Any:
    return client._transport.app  # type: ignore[attr-defined]


def outcome(answer: httpx2.Response) -> tuple[int, str, str | None]:
    return answer.status_code, answer.json().get("code", ""), answer.headers.get("retry-after")


def test_a_place_is_given_back() -> None:
    """Places are taken up to their number, given back after any end, and health takes none."""
    places = Places(1)
    with pytest.raises(ZeroDivisionError), places.one(public=False):
        raise ZeroDivisionError
    with places.one(public=False), places.one(public=True), pytest.raises(Overloaded):
        places.one(public=False).__enter__()
    with places.one(public=False):
        pass


async def test_too_many_calls_are_refused(narrow: httpx2.AsyncClient, caller: Caller) -> None:
    """Beyond its room a service refuses at once, with when to come back; health, metrics and what
    gateways judge tokens by are answered, and the next call after the rush is too."""

    async def call(number: int) -> httpx2.Response:
        headers = caller.headers("accounts", "acc_00001", f"key-{number}")
        return await narrow.post("/v1/sign-out", headers=headers)

    async with app_of(narrow).state.database.writer():  # so that the first ones wait
        waiting = [asyncio.create_task(call(number)) for number in range(MOST)]
        while _in_flight(await narrow.get("/metrics")) < MOST + 1:
            await asyncio.sleep(0)
        assert outcome(await call(99)) == (503, "OVERLOADED", "1")
        assert (await narrow.get("/healthz")).status_code == 200
        for polled in ("/v1/revocations", "/.well-known/jwks.json"):
            assert (await narrow.get(polled, headers=caller.headers("accounts"))).status_code == 200
        metrics = (await narrow.get("/metrics")).text
    assert 'core_service_shed_total{service="accounts"} 1.0' in metrics
    await asyncio.gather(*waiting)
    headers = caller.headers("accounts")
    assert (await narrow.post(CARDS, headers=headers, json={"ids": ["a"]})).status_code == 200


def _in_flight(metrics: httpx2.Response) -> float:
    prefix = "core_service_requests_in_flight{"
    [line] = [line for line in metrics.text.splitlines() if line.startswith(prefix)]
    return float(line.rpartition(" ")[2])


async def test_locked_database_is_told(narrow: httpx2.AsyncClient, caller: Caller) -> None:
    """A write whose turn does not come is DATABASE_UNAVAILABLE with when to try again, or
    DEADLINE_SPENT where the caller listens no longer; reads go on meanwhile."""
    async with app_of(narrow).state.database.writer():
        headers = caller.headers("accounts", "acc_00001", "key-1")
        late = await narrow.post("/v1/sign-out", headers=headers)
        later = await narrow.post("/v1/sign-out", headers=headers | {"x-deadline-ms": "100"})
        read = await narrow.post(CARDS, headers=headers, json={"ids": ["a"]})
    assert outcome(late) == (503, "DATABASE_UNAVAILABLE", "1")
    assert outcome(later) == (504, "DEADLINE_SPENT", None)
    assert read.status_code == 200
    after = await narrow.post("/v1/sign-out", headers=headers)
    assert outcome(after)[:2] == (404, "NOT_FOUND")  # there is no such account


async def test_refused_credential_is_counted(narrow: httpx2.AsyncClient, caller: Caller) -> None:
    """Clocks that run apart raise a figure of their own, apart from forgeries."""
    await narrow.post(CARDS, headers={"authorization": "Bearer forged"})
    headers = caller.headers("accounts")
    early = caller.assertion("acc_00001", iat=4_000_000_000, exp=4_000_000_060)
    refused = await narrow.get("/v1/profile", headers=headers | {"x-viewer": early})
    assert outcome(refused)[:2] == (401, "VIEWER_INVALID")
    metrics = (await narrow.get("/metrics")).text
    prefix = "core_service_credentials_refused_total"
    assert f'{prefix}{{cause="forged",kind="caller",service="accounts"}} 1.0' in metrics
    assert f'{prefix}{{cause="clock",kind="viewer",service="accounts"}} 1.0' in metrics
