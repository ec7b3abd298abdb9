"""The context of resolvers: who asks, loaders of this exchange alone, calls for writes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from bff.context import Context
from bff.contract import Scope
from bff.errors import Unauthenticated
from bff.loaders.base import Loader
from bff.upstreams.accounts import Accounts
from bff.upstreams.calls import Caller, CallLog
from bff.upstreams.method import Answer, Method
from tests.unit.bff.upstreams.fakes import VIEWER, FakeTransport, arrival, by_path, services


class Nothing(Answer, frozen=True):
    pass


class EchoLoader(Loader[str, str]):
    """Gives the key back, once the gate is open."""

    method = Method("content", "echo", "GET", "/echo", Scope.SHARED, Nothing)
    gate: asyncio.Event

    def __init__(self, caller: Caller) -> None:
        super().__init__(caller)
        self.fetched: list[list[str]] = []

    async def fetch(self, keys: Sequence[str]) -> list[str | None]:
        self.fetched.append(list(keys))
        await self.gate.wait()
        return list(keys)


class OwnLoader(EchoLoader):
    method = Method("content", "own", "GET", "/own", Scope.VIEWER, Nothing)


@pytest.fixture(autouse=True)
def gate() -> asyncio.Event:
    EchoLoader.gate = asyncio.Event()
    EchoLoader.gate.set()
    return EchoLoader.gate


def context(
    viewer: bool = True, transport: FakeTransport | None = None, **fields: Any
) -> tuple[Context, list[tuple[str, int]]]:
    """A context, and the epochs that moved in it."""
    revoked: list[tuple[str, int]] = []
    arrived = arrival(**fields)
    caller = Caller(services(transport or by_path({})), arrived, CallLog())
    caller.viewer = VIEWER if viewer else None
    return Context(arrived, caller, lambda name, epoch: revoked.append((name, epoch))), revoked


async def test_loader_lives_as_long_as_the_exchange() -> None:
    """One loader of a kind in an exchange, another in the next: nothing crosses viewers."""
    first, _ = context()
    second, _ = context()
    assert first.loader(EchoLoader) is first.loader(EchoLoader)
    assert first.loader(EchoLoader) is not second.loader(EchoLoader)
    assert first.loader(EchoLoader) is not first.loader(OwnLoader)


async def test_keys_of_the_exchange_gather() -> None:
    """Keys loaded through the context in one turn are one fetch."""
    made, _ = context()
    assert await asyncio.gather(*(made.load(EchoLoader, key) for key in "aba")) == ["a", "b", "a"]
    assert made.loader(EchoLoader).fetched == [["a", "b"]]  # type: ignore[attr-defined]


async def test_viewer_loader_needs_a_viewer() -> None:
    """A viewer's loader is not even made when nobody is signed in; a shared one is."""
    made, _ = context(viewer=False)
    with pytest.raises(Unauthenticated):
        made.load(OwnLoader, "a")
    assert made.viewer is None
    assert await made.load(EchoLoader, "a") == "a"


async def test_cancelled_waiter_leaves_the_others(gate: asyncio.Event) -> None:
    """A field that is given up does not take the key from another field that waits for it."""
    gate.clear()
    made, _ = context()

    async def wait() -> Any:
        return await made.load(EchoLoader, "a")

    given_up, waiting = asyncio.create_task(wait()), asyncio.create_task(wait())
    async with asyncio.timeout(10):
        while not made.loader(EchoLoader).fetched:  # type: ignore[attr-defined]
            await asyncio.sleep(0)
        given_up.cancel()
        with pytest.raises(asyncio.CancelledError):
            await given_up
        gate.set()
        assert await waiting == "a"


async def test_signed_in_gives_the_viewer() -> None:
    """Writes ask for the viewer first."""
    made, _ = context()
    assert made.signed_in() is VIEWER
    nobody, _ = context(viewer=False)
    with pytest.raises(Unauthenticated):
        nobody.signed_in()


async def test_upstream_calls_are_the_requests() -> None:
    """Calls for writes go out under the exchange's own id."""
    transport = by_path({"/v1/cards/batch": {"cards": []}})
    made, _ = context(transport=transport)
    assert await made.upstream(Accounts).cards(["1"]) == {}
    assert transport.calls[0].headers["x-request-id"] == "request-1"


@pytest.mark.parametrize(
    ("given", "header", "used"),
    [("a", "b", "a"), ("", "b", "b"), ("a", None, "a"), ("", None, "")],
)
def test_idempotency_key_of_the_input_wins(given: str, header: str | None, used: str) -> None:
    """The key in the input counts, else the header's, else none."""
    made, _ = context(idempotency_key=header)
    assert made.idempotency_key(given) == used


def test_moved_epoch_is_passed_on() -> None:
    """A sign-out reaches the revocations of this process at once."""
    made, revoked = context()
    made.epoch_moved("account-1", 4)
    assert revoked == [("account-1", 4)]
