"""The head of an HTTP request (method, headers, query, request id) and the Arrival made of it."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from random import getrandbits

import msgspec
from starlette.types import Scope

from bff.client.identify import identify
from bff.errors import BadRequest
from bff.request import Arrival, Deadline, Priority

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_DEADLINE_MS = re.compile(rb"[1-9][0-9]{0,8}")
_IDEMPOTENCY_KEY = re.compile(rb"[\x21-\x7e]{1,255}")


class Head(msgspec.Struct):
    """One request before its body. Header names are lower-case; a header that was sent more than
    once holds its values joined by `, ` (RFC 9110 §5.3). `started` is `time.perf_counter()`; `peer`
    is the address at the other end of the connection, a proxy's where there is one."""

    route: str
    method: str
    headers: Mapping[bytes, bytes]
    query: bytes
    path_params: Mapping[str, str]
    request_id: str
    started: float
    peer: str | None = None

    @property
    def safe(self) -> bool:
        """GET or HEAD: may not change anything, may be cached."""
        return self.method in ("GET", "HEAD")


def read_head(route: str, scope: Scope) -> Head:
    """Take the head from an ASGI HTTP scope; `route` is the name reports carry. Never raises."""
    headers = _joined(scope["headers"])
    client = scope.get("client")
    return Head(
        route=route,
        method=scope["method"],
        headers=headers,
        query=scope.get("query_string", b""),
        path_params=scope.get("path_params", {}),
        request_id=_request_id(headers.get(b"x-request-id")),
        started=time.perf_counter(),
        peer=client[0] if client else None,
    )


def _joined(pairs: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    headers = dict(pairs)
    if len(headers) == len(pairs):
        return headers
    headers.clear()
    for name, value in pairs:
        # RFC 9113 §8.2.3: cookie crumbs are joined by a semicolon, everything else by a comma.
        glue = b"; " if name == b"cookie" else b", "
        headers[name] = headers[name] + glue + value if name in headers else value
    return headers


def _request_id(sent: bytes | None) -> str:
    if sent is not None and _REQUEST_ID.fullmatch(sent):
        return sent.decode("ascii")
    # Unique, no secret: the system's own random bytes take a system call.
    return f"{getrandbits(128):032x}"


def arrival(
    head: Head,
    deadline_ms: float,
    *,
    address: str | None = None,
    priority: Priority | None = None,
    by_account: bool = False,
) -> Arrival:
    """What the operations of this request share. The deadline starts now, and the client may have
    set an earlier one (`x-deadline-ms`): call it once the body is read, so that a phone's slow
    uplink does not eat the screens' time.

    Raises BadRequest for an idempotency key that could not be kept (a key silently dropped would
    run a retried mutation twice), and for a deadline that is none.
    """
    get = head.headers.get
    authorization, asked_ms = get(b"authorization"), get(b"x-deadline-ms")
    if asked_ms is not None:
        deadline_ms = min(deadline_ms, _deadline_ms(asked_ms))
    return Arrival(
        request_id=head.request_id,
        client=identify(head.headers),
        deadline=Deadline.after_ms(deadline_ms),
        authorization=None if authorization is None else authorization.decode("latin-1"),
        idempotency_key=_idempotency_key(get(b"idempotency-key")),
        address=address,
        priority=Priority.USER if priority is None else priority,
        says_priority=priority is not None,
        by_account=by_account,
    )


def _deadline_ms(sent: bytes) -> int:
    if not _DEADLINE_MS.fullmatch(sent):
        raise BadRequest(
            "header 'x-deadline-ms' must be a whole number of milliseconds, 1 or more; "
            "send how long the app waits, or leave it out"
        )
    return int(sent)


def _idempotency_key(sent: bytes | None) -> str | None:
    if sent is None:
        return None
    if not _IDEMPOTENCY_KEY.fullmatch(sent):
        raise BadRequest(
            "header 'idempotency-key' must be 1 to 255 visible ASCII characters; send a UUID"
        )
    return sent.decode("ascii")
