"""What a resolver sees: who asks, this exchange's loaders, and calls for mutations.

One per exchange; the operations of a JSON array share it, and with it their loaders.
"""

from __future__ import annotations

from asyncio import Future, shield
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeVar

import strawberry

from bff.contract import Scope
from bff.errors import Unauthenticated
from bff.loaders.base import Loader
from bff.request import Arrival, Viewer
from bff.upstreams.calls import Caller

K = TypeVar("K")
R = TypeVar("R")


class UpstreamCalls(Protocol):
    """The calls to one service in one request, made from its caller."""

    def __init__(self, caller: Caller) -> None: ...


U = TypeVar("U", bound=UpstreamCalls)


Attempt = Callable[[str, str, str | None], Awaitable[None]]
"""Counts an attempt of a kind on a subject from an address; raises where there were too many."""


async def _unlimited(_kind: str, _subject: str, _address: str | None) -> None:
    """Takes any number of attempts."""


class Context:
    """`context` of every resolver."""

    __slots__ = ("_attempt", "_caller", "_loaders", "_revoke", "arrival")

    def __init__(
        self,
        arrival: Arrival,
        caller: Caller,
        revoke: Callable[[str, int], None],
        attempt: Attempt = _unlimited,
    ) -> None:
        self.arrival = arrival
        self._caller = caller
        self._revoke = revoke
        self._attempt = attempt
        self._loaders: dict[type, Loader[Any, Any]] = {}

    @property
    def viewer(self) -> Viewer | None:
        return self._caller.viewer

    def signed_in(self) -> Viewer:
        """The viewer; raises UNAUTHENTICATED when nobody is signed in."""
        viewer = self._caller.viewer
        if viewer is None:
            raise Unauthenticated("Sign in to see this.")
        return viewer

    def loader(self, kind: type[Loader[K, R]]) -> Loader[K, R]:
        """This exchange's loader of a kind, made on first use."""
        found = self._loaders.get(kind)
        if found is None:
            found = self._loaders[kind] = kind(self._caller)
        return found

    def load(self, kind: type[Loader[K, R]], key: K) -> Future[R | None]:
        """One key through a loader. Raises UNAUTHENTICATED before asking for a viewer's data when
        nobody is signed in.

        Every waiter gets a future of its own: graphql-core cancels what it awaits beside a failed
        non-null field, and a shared future would take the other waiters, and the answer, with it.
        """
        if kind.scope is Scope.VIEWER:
            self.signed_in()
        return shield(self.loader(kind).load(key))

    def remaining(self) -> float:
        """Seconds left to this exchange's deadline."""
        return self.arrival.deadline.remaining()

    @property
    def stale_loads(self) -> Mapping[str, float]:
        """What loaders answered from what they kept, in place of a failure: by the label of the
        method, how old the oldest is (seconds)."""
        return self._caller.log.stale

    def call_was_late(self) -> None:
        """A call left for keys that came after their wave."""
        self._caller.log.late += 1

    def upstream(self, kind: type[U]) -> U:
        """The calls of one service, for mutations."""
        return kind(self._caller)

    async def attempt(self, kind: str, subject: str) -> None:
        """Count one attempt of a kind (sign-in) on a subject (an account's name), for what is worth
        guessing: each alias and each member of a JSON array by itself. Raises RATE_LIMITED."""
        await self._attempt(kind, subject, self.arrival.address)

    def idempotency_key(self, given: str) -> str:
        """The key of a mutation: the app's own, from the input, else from the header."""
        return given or self.arrival.idempotency_key or ""

    def epoch_moved(self, account_id: str, epoch: int) -> None:
        """A sign-out went through: older tokens are refused here at once, elsewhere within the
        revocation poll."""
        self._revoke(account_id, epoch)


Info = strawberry.Info[Context, None]
