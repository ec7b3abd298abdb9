"""Entries of a log as they are stored: sealed by a signature, opened by whoever holds the keys, and
folded into a state; where they are stored is the registry's.

Times in entries are what their writers' clocks said, for people: order is by number alone.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from persisted_queries.model import EntryRefusedError, Record, RegistryState, add
from persisted_queries.objects import hash_of
from persisted_queries.problem import DamagedError, ForkedError
from persisted_queries.signing import PublicKeys, Signer, sign, verified

DIGITS = 10


class _Frame(msgspec.Struct):
    """A record of which only the frame is understood yet."""

    number: int
    previous: str
    platform: str
    entry: msgspec.Raw


class Followed(NamedTuple):
    """A state after one more entry. `passed_over` says why an entry could not be applied: its kind
    is of a newer version, or it does not follow by this version's rules."""

    state: RegistryState
    passed_over: str | None


def entry_path(platform: str, number: int) -> str:
    return f"log/{platform}/{number:0{DIGITS}d}"


def seal(record: Record, signer: Signer) -> bytes:
    """An entry as it is stored. The same record gives the same bytes."""
    return sign(msgspec.json.encode(record), signer)


def follow(state: RegistryState, raw: bytes, keys: PublicKeys) -> Followed:
    """The state after the next entry, as stored.

    Raises SignatureRefusedError; DamagedError for a signed payload that is no record; ForkedError
    for one that is of another log, place or history.
    """
    payload = verified(raw, keys, state.number + 1)
    try:
        frame = msgspec.json.decode(payload, type=_Frame)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise DamagedError(f"entry {state.number + 1}: is signed, but is no record") from error
    _check_place(state, frame)
    head = hash_of(raw)
    try:
        return Followed(add(state, msgspec.json.decode(payload, type=Record), head), None)
    except (msgspec.MsgspecError, EntryRefusedError, RecursionError) as error:
        # A log goes on without what is not understood: rather one entry unknown than all later.
        passed = msgspec.structs.replace(state, number=frame.number, head=head)
        return Followed(passed, f"entry {frame.number}: {error}")


def _check_place(state: RegistryState, frame: _Frame) -> None:
    if frame.platform != state.platform:
        raise ForkedError(
            f"entry {frame.number}: is of {frame.platform}, this log is {state.platform}'s"
        )
    if frame.number != state.number + 1 or frame.previous != state.head:
        raise ForkedError(
            f"entry {frame.number}: does not follow entry {state.number} as it was seen here; "
            "the store was put back or written around: restore the one with the longer log"
        )
