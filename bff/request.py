"""The frozen values a request is made of, free of any transport; no room changes them.

Structs, because a frozen dataclass takes ten times as long to make.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from enum import IntEnum
from typing import Any, Literal

import msgspec

OperationType = Literal["query", "mutation", "subscription"]


class Priority(IntEnum):
    """Who waits for an answer: a person, nobody yet (fetched ahead), or nobody at all."""

    USER = 0
    PREFETCH = 1
    BACKGROUND = 2


class Deadline(msgspec.Struct, frozen=True):
    """The instant (monotonic seconds) by which the whole answer must have left."""

    at: float

    @classmethod
    def after_ms(cls, milliseconds: float) -> Deadline:
        return cls(time.monotonic() + milliseconds / 1000)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - time.monotonic())


class ClientIdentity(msgspec.Struct, frozen=True):
    """Which app build calls; `capabilities` are those the app says it has, None where it says
    nothing of them."""

    name: str | None = None
    version: str | None = None
    build: str | None = None
    device_id: str | None = None
    capabilities: frozenset[str] | None = None

    @property
    def release(self) -> str | None:
        """`<version>+<build>`, `<version>`, or None when the client did not say."""
        if self.version is None:
            return None
        return f"{self.version}+{self.build}" if self.build else self.version


class Viewer(msgspec.Struct, frozen=True):
    """The signed-in user of this request, as the access token states it."""

    account_id: str
    device: str | None
    session: str | None
    epoch: int
    scopes: tuple[str, ...]


class Arrival(msgspec.Struct, frozen=True):
    """What one exchange (an HTTP request, later a socket message) brings for all its operations.
    `address` is what limits know of where it comes from, None where nobody counts that.
    `by_account`: they took it from the account of its token already, and not from there.
    `says_priority`: the client named it; else the document may know better."""

    request_id: str
    client: ClientIdentity
    deadline: Deadline
    authorization: str | None = None
    idempotency_key: str | None = None
    address: str | None = None
    priority: Priority = Priority.USER
    says_priority: bool = False
    by_account: bool = False


class OperationRequest(msgspec.Struct, frozen=True):
    """One operation asked for. `document_id` as sent by the client, prefix included; `text` is
    GraphQL text if any. `apq` tells that the id came as `extensions.persistedQuery`, the one form
    in which id and text together ask for registration. `read_only` forbids mutations (GET)."""

    document_id: str | None = None
    text: str | None = None
    operation_name: str | None = None
    variables: Mapping[str, Any] = msgspec.field(default_factory=dict)
    extensions: Mapping[str, Any] = msgspec.field(default_factory=dict)
    apq: bool = False
    read_only: bool = False
