"""Guessing a password through a gateway, however it is dressed up: at most ten guesses a minute are
looked at, and nobody learns which accounts exist (S5).

The gateway's own limit on attempts is off here: what holds is the service's, which counts for all
gateways and processes. The gateway's has tests of its own.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
import pytest_asyncio

from bff.commands.development import DEMO_PASSWORD
from tests.harness.stack import Stack

# Not executed by plans: `make verify` asks in both modes, `make test` in one.
pytestmark = pytest.mark.modeless

MOST = 10
UNLIMITED = {
    "BFF__LIMITS__ATTEMPTS_PER_MINUTE": "0",
    "BFF__LIMITS__ADDRESS_ATTEMPTS_PER_MINUTE": "0",
}
FIELD = "signIn(input: $i%d) { state }"


@pytest_asyncio.fixture(scope="module")
async def gateway(stack: Stack) -> AsyncIterator[httpx2.AsyncClient]:
    async with stack.gateway("ios", environment=UNLIMITED) as client:
        yield client


def guess(handle: str, password: str | None = None) -> dict[str, Any]:
    return {
        "idempotencyKey": uuid.uuid4().hex,
        "handle": handle,
        "password": password or uuid.uuid4().hex,
        "deviceId": uuid.uuid4().hex,
        "deviceModel": "iPhone17,1",
        "deviceName": "a phone",
    }


def operation(guesses: list[dict[str, Any]]) -> dict[str, Any]:
    """As many attempts under as many aliases."""
    numbers = range(len(guesses))
    declared = ", ".join(f"$i{n}: SignInInput!" for n in numbers)
    fields = " ".join(f"a{n}: {FIELD % n}" for n in numbers)
    variables = {f"i{n}": one for n, one in enumerate(guesses)}
    return {"query": f"mutation Guess({declared}) {{ {fields} }}", "variables": variables}


async def send(client: httpx2.AsyncClient, body: Any, **headers: str) -> list[Mapping[str, Any]]:
    """The errors of all answers, which must be of fields."""
    answer = await client.post("/graphql", json=body, headers=headers)
    bodies = answer.json() if isinstance(answer.json(), list) else [answer.json()]
    return [error for one in bodies for error in one.get("errors", ())]


async def assault(client: httpx2.AsyncClient, handle: str) -> list[Mapping[str, Any]]:
    """Sixty guesses of one account: singly from ever new addresses and devices, in an array, and
    under aliases, each with a wrong password."""
    errors = []
    for number in range(20):
        headers = {"x-forwarded-for": f"10.0.0.{number}", "x-device-id": uuid.uuid4().hex}
        errors += await send(client, operation([guess(handle)]), **headers)
    for _ in range(2):
        errors += await send(client, [operation([guess(handle)]) for _ in range(10)])
        errors += await send(client, operation([guess(handle) for _ in range(10)]))
    return errors


def codes(errors: list[Mapping[str, Any]]) -> list[str]:
    return [error["extensions"]["code"] for error in errors]


async def test_guesses_are_few_and_tell_nothing(stack: Stack, gateway: httpx2.AsyncClient) -> None:
    """Of sixty guesses at most ten are looked at, whichever way they come; the rest are
    RATE_LIMITED with the time to wait, the right password too; and an account that does not exist
    answers word for word alike."""
    handle = stack.handle("acc_01301")
    known = await assault(gateway, handle)
    assert len(known) == 60
    looked_at = Counter(codes(known))
    assert set(looked_at) == {"BAD_USER_INPUT", "RATE_LIMITED"}
    assert 0 < looked_at["BAD_USER_INPUT"] <= MOST
    waits = [one["extensions"].get("retryAfterMs") for one in known[-10:]]
    assert all(wait and 0 < wait <= 60_000 for wait in waits)
    right = await send(gateway, operation([guess(handle, DEMO_PASSWORD)]))
    assert codes(right) == ["RATE_LIMITED"]
    unknown = await assault(gateway, "nobody-has-this-handle")
    assert _words(unknown) == _words(known)


def _words(errors: list[Mapping[str, Any]]) -> set[tuple[str, str]]:
    return {(one["message"], one["extensions"]["code"]) for one in errors}


async def test_others_sign_in_meanwhile(stack: Stack, gateway: httpx2.AsyncClient) -> None:
    """While one account is under attack, everybody else signs in."""
    under_attack = stack.handle("acc_01302")
    refused = await send(gateway, operation([guess(under_attack) for _ in range(8)]))
    assert "RATE_LIMITED" in codes(refused), "VOID: it is not under attack"
    mine = await send(gateway, operation([guess(stack.handle("acc_01303"), DEMO_PASSWORD)]))
    assert mine == []
