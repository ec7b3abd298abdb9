"""Who is let in to be answered: decided once the body is read and before any of it is parsed, so
that a slow sender holds no place and a refusal costs next to nothing; limits and load are counted
in the access room.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from bff.access.authenticate import Authenticator
from bff.access.limits import TOO_MANY, Limited, Limits, retry_after_ms
from bff.access.load import SHED, Load
from bff.config import AdmissionConfig, EdgeConfig
from bff.edge.address import Addresses
from bff.edge.answer import Answer, retry_after
from bff.edge.head import Head
from bff.edge.negotiation import CONTENT_TYPE, negotiate
from bff.edge.priority import priority_of
from bff.errors import Overloaded, RateLimited
from bff.request import Priority
from bff.response.http_cache import Header

_NO_STORE = (b"cache-control", b"no-store")
_PUBLIC = b"public"


class Visit(msgspec.Struct):
    """What the head says of a request, for admission. `priority` is None where it names none.
    `account`: whose limits it is taken from, because those of its address ran out."""

    address: str | None
    device: bytes | None
    priority: Priority | None
    account: str | None = None


class Entrance:
    """The entrance of one process; without limits everybody may come as often as he likes."""

    def __init__(
        self, load: Load | None = None, limits: Limits | None = None, *, edge: EdgeConfig
    ) -> None:
        self._load = load or Load(AdmissionConfig(max_in_flight=0))
        self._limits = limits
        self._addresses = Addresses(edge)

    @classmethod
    def of(cls, access: Authenticator, edge: EdgeConfig) -> Entrance:
        """The entrance by the limits and the load of a process."""
        return cls(access.load, access.limits, edge=edge)

    def visit(self, head: Head) -> Visit:
        """Read who comes; never fails."""
        get = head.headers.get
        priority, purpose = get(b"priority"), get(b"sec-purpose")
        named = None
        if priority is not None or purpose is not None:
            named = priority_of(priority, purpose)
        if self._limits is None:
            return Visit(None, None, named)
        address = self._addresses.of(head.peer, get(self._addresses.header))
        return Visit(address, get(b"x-device-id"), named)

    def limited(self, visit: Visit, head: Head, operations: int = 1) -> Answer | None:
        """The refusal of a caller who asks too often; None lets him in."""
        limits = self._limits
        if limits is None or visit.address is None:
            return None
        found = None
        if visit.account is None:
            found = limits.arrived(visit.address, visit.device, operations)
            if found is not None and found.kind == "address":
                # Perhaps somebody else floods from there.
                visit.account = limits.vouched(head.headers.get(b"authorization"))
        if visit.account is not None:
            found = limits.arrived_as(visit.account, operations)
        if found is None:
            return None
        return _refusal(429, RateLimited.code, TOO_MANY, retry_after_ms(found.wait_s), head, found)

    async def enters(self, visit: Visit) -> bool:
        """Take a place, perhaps after a short wait; whoever got one must leave. False: shed."""
        priority = visit.priority or Priority.USER
        return self._load.enters(priority) or await self._load.waits(priority)

    def adds(self, operations: int) -> None:
        self._load.adds(operations)

    def leave(self, operations: int) -> None:
        self._load.leave(operations)

    def shed(self, visit: Visit, head: Head) -> Answer:
        """The answer of one that found no place."""
        milliseconds = self._load.come_back_ms(visit.priority or Priority.USER)
        return _refusal(503, Overloaded.code, SHED, milliseconds, head)

    def tell(self, answer: Answer, arrival: object) -> None:
        """Say on an answer how its caller stands with his limits: only to one who is close to
        them, and never on what a shared cache may keep."""
        limits = self._limits
        if limits is None or not limits.nearly:
            return
        found = limits.nearly.pop(id(arrival), None)
        if found is not None and not _is_public(answer.headers):
            answer.headers += _standing(found)

    def forget(self, arrival: object) -> None:
        """Nothing is told: its answer came to nothing, and the next may have its identity."""
        if self._limits is not None:
            self._limits.nearly.pop(id(arrival), None)


def _refusal(
    status: int,
    code: str,
    message: str,
    retry_ms: int,
    head: Head,
    limited: Limited | None = None,
) -> Answer:
    """A refusal in bytes: no envelope, no encoder, no log line of its own."""
    body = b'{"errors":[{"message":"%b","extensions":{"retryAfterMs":%d,"code":"%b"}}]}' % (
        message.encode(),
        retry_ms,
        code.encode(),
    )
    media = CONTENT_TYPE[negotiate(head.headers.get(b"accept"))]
    headers: list[Header] = [media, _NO_STORE, retry_after(retry_ms)]
    if limited is not None:
        headers += _standing(limited)
    return Answer(status, headers, body, codes=(code,), quiet=True)


def _standing(found: Limited) -> list[Header]:
    return [(b"ratelimit-policy", found.policy), (b"ratelimit", found.state)]


def _is_public(headers: Sequence[Header]) -> bool:
    return any(name == b"cache-control" and _PUBLIC in value for name, value in headers)
