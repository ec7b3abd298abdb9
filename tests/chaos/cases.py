"""The faults of the matrix by name, and what each may cost."""

from __future__ import annotations

from dataclasses import dataclass

from bff.commands.development import SERVICES
from tests.harness.faults.fault import REGULAR_3G, SLOW_4G, Fault, Kind

# Where a redirect leads: a port of the test's own is put in its place.
ELSEWHERE = "http://127.0.0.1:{port}/stolen"

FAULTS: dict[str, Fault] = {
    "refused": Fault(Kind.REFUSE),
    "reset on accept": Fault(Kind.RESET),
    "blackhole": Fault(Kind.BLACKHOLE),
    "3 s late": Fault(Kind.LATENCY, ms=3_000),
    "200 ± 50 ms late": Fault(Kind.LATENCY, ms=200, jitter_ms=50),
    "Regular 3G": REGULAR_3G,
    "slow 4G": SLOW_4G,
    "reset after 200 B": Fault(Kind.RESET_AFTER, bytes=200),
    "stall after 200 B": Fault(Kind.STALL_AFTER, bytes=200),
    "50 % reset": Fault(Kind.RESET_SOMETIMES, ratio=0.5),
    "status 500": Fault(Kind.STATUS, status=500),
    "50 % status 503": Fault(Kind.STATUS, status=503, ratio=0.5),
    "503 after the effect": Fault(Kind.STATUS, status=503, after=True, retry_after="1"),
    "status 429": Fault(Kind.STATUS, status=429, retry_after="2"),
    "status 401": Fault(Kind.STATUS, status=401),
    "status 404": Fault(Kind.STATUS, status=404),
    "malformed JSON": Fault(Kind.MALFORMED),
    "truncated": Fault(Kind.TRUNCATED),
    "100 MB": Fault(Kind.HUGE, mb=100),
    "100 MB in chunks": Fault(Kind.HUGE_CHUNKED, mb=100),
    "60 ms a byte": Fault(Kind.DRIP, ms=60),
    "HTML": Fault(Kind.WRONG_TYPE),
    "wrong shape": Fault(Kind.WRONG_SHAPE),
    "a JSON list": Fault(Kind.WRONG_VALUE, text="[]"),
    "empty": Fault(Kind.EMPTY),
    "300 MB gzip bomb": Fault(Kind.GZIP_BOMB, mb=300),
    "redirect": Fault(Kind.REDIRECT, to=ELSEWHERE),
    "1 MB of headers": Fault(Kind.HEADER_FLOOD, mb=1),
    "reply lost": Fault(Kind.LOST),
    "delivered twice": Fault(Kind.TWICE),
}
# What costs an app nothing but time.
HARMLESS = frozenset({"200 ± 50 ms late", "delivered twice"})
# What may or may not take too long.
SLOW = frozenset({"Regular 3G", "slow 4G"})
# With these the service is as good as dead: what a gateway kept is all there is.
DEAD = frozenset({"refused", "reset on accept", "blackhole", "status 500", "reply lost"})
# For `make test`: one sort each, of one service each.
SHORT = (
    ("refused", "accounts"),
    ("50 % status 503", "content"),
    ("malformed JSON", "content"),
    ("blackhole", "notifications"),
)


@dataclass(frozen=True)
class Primary:
    """A call that a screen makes just once, for its viewer alone, before any other of that
    service: how often it comes tells how often it was tried."""

    screen: str
    path: str


PRIMARY: dict[str, Primary] = {
    "accounts": Primary("Profile", "/v1/profile"),
    "content": Primary("Home", "/v1/feed"),
    "notifications": Primary("Home", "/v1/inbox/head"),
}
assert tuple(PRIMARY) == SERVICES
