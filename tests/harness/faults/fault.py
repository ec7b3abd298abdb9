"""What can be done to the traffic of a route, as data that travels between processes."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """The ways of spoiling. Those of `HTTP_ONLY` need a route that reads HTTP/1.1."""

    OK = "ok"
    REFUSE = "refuse"  # nobody listens; open connections are reset
    RESET = "reset"  # every connection is reset as soon as it is accepted
    RESET_SOMETIMES = "reset_sometimes"  # the share `ratio` of connections
    BLACKHOLE = "blackhole"  # accepted and read, never answered
    LATENCY = "latency"  # replies `ms` ± `jitter_ms` later
    BANDWIDTH = "bandwidth"  # `rtt_ms`, and `down_kbps` and `up_kbps` per connection
    RESET_AFTER = "reset_after"  # reset after `bytes` of the reply
    STALL_AFTER = "stall_after"  # silence after `bytes` of the reply
    SAYS = "says"  # `text` in place of every reply, whatever the protocol
    STATUS = "status"  # HTTP status `status`; with `after` the call is forwarded first
    MALFORMED = "malformed"
    TRUNCATED = "truncated"  # half of the body that was declared
    HUGE = "huge"  # `mb` of JSON, its length declared
    HUGE_CHUNKED = "huge_chunked"  # the same, without a length
    DRIP = "drip"  # a byte every `ms`
    WRONG_TYPE = "wrong_type"  # an HTML page with status 200
    WRONG_SHAPE = "wrong_shape"  # JSON of other fields and types
    WRONG_VALUE = "wrong_value"  # `text` as JSON body
    EMPTY = "empty"
    GZIP_BOMB = "gzip_bomb"  # `mb` once unpacked
    REDIRECT = "redirect"  # to `to`
    HEADER_FLOOD = "header_flood"  # `mb` of headers
    LOST = "lost"  # forwarded, its reply dropped with a reset
    TWICE = "twice"  # forwarded twice, the second reply passed on


# Made without asking the server unless `after` says so.
FORGED = frozenset(
    {
        Kind.STATUS,
        Kind.MALFORMED,
        Kind.HUGE,
        Kind.HUGE_CHUNKED,
        Kind.WRONG_TYPE,
        Kind.WRONG_SHAPE,
        Kind.WRONG_VALUE,
        Kind.EMPTY,
        Kind.GZIP_BOMB,
        Kind.REDIRECT,
        Kind.HEADER_FLOOD,
    }
)
HTTP_ONLY = FORGED | {Kind.TRUNCATED, Kind.DRIP, Kind.LOST, Kind.TWICE}
# Of a connection as a whole, decided when it is accepted.
OF_CONNECTIONS = frozenset({Kind.RESET, Kind.RESET_SOMETIMES, Kind.BLACKHOLE})


class Fault(msgspec.Struct, frozen=True, omit_defaults=True):
    """One way of spoiling with its figures. `ratio`: the share of requests (or connections) that
    are spoilt. `only`: spoils requests whose first line holds this, and no others."""

    kind: Kind = Kind.OK
    ratio: float = 1.0
    only: str = ""
    ms: float = 0.0
    jitter_ms: float = 0.0
    rtt_ms: float = 0.0
    down_kbps: float = 0.0
    up_kbps: float = 0.0
    bytes: int = 0
    status: int = 503
    after: bool = False
    retry_after: str = ""
    mb: int = 0
    text: str = ""
    to: str = ""


OK = Fault()
# Chrome's and Lighthouse's names and figures.
REGULAR_3G = Fault(Kind.BANDWIDTH, rtt_ms=300, down_kbps=700, up_kbps=700)
SLOW_4G = Fault(Kind.BANDWIDTH, rtt_ms=150, down_kbps=1_638, up_kbps=750)


class Counts(msgspec.Struct):
    """What passed one route since it was last set to zero.

    `injected` is how often the fault was really done; `paths` are requests by path, spoilt or not,
    `injected_paths` the spoilt ones. `turns`: how often bytes went up after bytes came down.
    """

    connections: int = 0
    open: int = 0
    requests: int = 0
    forwarded: int = 0
    injected: int = 0
    up_bytes: int = 0
    down_bytes: int = 0
    turns: int = 0
    paths: dict[str, int] = msgspec.field(default_factory=dict)
    injected_paths: dict[str, int] = msgspec.field(default_factory=dict)
