"""Upstream methods as data: what is called, whose answer it is, and the record it decodes to.

Being data, they can be counted, planned, and compared with a service's OpenAPI by a test.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

import msgspec

from bff.contract import Scope

A = TypeVar("A", bound=msgspec.Struct)

Verb = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True)
class Method(Generic[A]):
    """One operation of a core service. `path` may hold `{name}` parts. `effect` marks a mutation:
    it carries an idempotency key and is never cancelled by us once sent."""

    service: str
    name: str
    verb: Verb
    path: str
    scope: Scope
    answer: type[A]
    effect: bool = False
    decoder: msgspec.json.Decoder[A] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decoder", msgspec.json.Decoder(self.answer))


class Record(msgspec.Struct, frozen=True, gc=False):
    """Base of the records: only the fields we use; records are the GraphQL values (DESIGN D4)."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Base of the envelopes services wrap records in."""


def salvage(method: Method[A], body: bytes) -> tuple[A, int]:
    """Decode an answer some of whose list members no record can hold, leaving those out.

    A service may be newer than this gateway: one unknown kind must not cost the screen. Returns
    the answer and how many members were left out. Raises msgspec.ValidationError when the answer
    is wrong beyond that.
    """
    raw = msgspec.json.decode(body)
    dropped = 0
    if isinstance(raw, dict):
        for info in msgspec.structs.fields(method.answer):
            member = _member_type(info.type)
            values = raw.get(info.encode_name)
            if member is None or not isinstance(values, list):
                continue
            kept = [value for value in values if _fits(value, member)]
            dropped += len(values) - len(kept)
            raw[info.encode_name] = kept
    return msgspec.convert(raw, method.answer), dropped


def _member_type(annotation: Any) -> Any | None:
    if getattr(annotation, "__origin__", None) is list:
        return annotation.__args__[0]
    return None


def _fits(value: Any, member: Any) -> bool:
    try:
        msgspec.convert(value, member)
    except msgspec.ValidationError:
        return False
    return True
