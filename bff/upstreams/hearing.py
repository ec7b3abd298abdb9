"""What services said of the freshness of the answers one fetch was made of.

A loader's `fetch` hands on records; what stood beside them in the headers is noted here, by fetch:
two fetches of one exchange must not take each other's for their own.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import TypeAlias

from bff.store.freshness import NOTHING_KEPT, Freshness, folded, read_freshness, read_tags
from bff.upstreams.transport import Incoming

# The answers a fetch is made of, as they came; None for one that declared nothing.
Heard: TypeAlias = "list[Incoming | None]"

HEARD: ContextVar[Heard | None] = ContextVar("heard", default=None)


def declared(heard: Heard) -> Freshness | bool:
    """What the answers together may be kept for; False if one of them said nothing.
    `NOTHING_KEPT` if one of them is to be asked for every time."""
    if not heard or None in heard:
        return False
    if len(heard) == 1 and heard[0] is not None:  # nearly always
        return read_freshness(heard[0].cache_control or "") or NOTHING_KEPT
    said = [read_freshness(one.cache_control or "") for one in heard if one is not None]
    return folded(said) or NOTHING_KEPT


def tags_of(heard: Heard) -> list[str]:
    """All tags of the answers."""
    return [tag for one in heard if one is not None for tag in read_tags(one.cache_tags)]


def size_of(heard: Heard) -> int:
    """Bytes of the answers' bodies."""
    return sum(len(one.body) for one in heard if one is not None)
