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
    it carries an idempotency key and is never cancelled by us once sent. `exact`: list members
    that cannot be read are not left out but make the whole answer a bad one. `critical`: what
    tokens are judged by; it waits for no slot and passes an open breaker."""

    service: str
    name: str
    verb: Verb
    path: str
    scope: Scope
    answer: type[A]
    effect: bool = False
    exact: bool = False
    critical: bool = False
    decoder: msgspec.json.Decoder[A] = field(init=False, repr=False, compare=False)
    label: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "decoder", msgspec.json.Decoder(self.answer))
        object.__setattr__(self, "label", f"{self.service}.{self.name}")


class Record(msgspec.Struct, frozen=True, gc=False):
    """Base of the records: only the fields we use; records are the GraphQL values (DESIGN D4)."""


class Answer(msgspec.Struct, frozen=True, gc=False):
    """Base of the envelopes services wrap records in."""


def salvage(method: Method[A], body: bytes) -> tuple[A, int]:
    """Decode an answer some of whose list members no record can hold, leaving those out.

    A service may be newer than this gateway: one unknown kind must not cost the screen. A member
    is left out at the deepest list it stands in. Returns the answer and how many members were
    left out. Raises msgspec.ValidationError when the answer is wrong beyond that.
    """
    kept, dropped = _pruned(msgspec.json.decode(body), method.answer)
    return msgspec.convert(kept, method.answer), dropped


def _pruned(value: Any, annotation: Any) -> tuple[Any, int]:
    """The value without the list members that do not fit, and how many those were."""
    if isinstance(value, list) and getattr(annotation, "__origin__", None) is list:
        member = annotation.__args__[0]
        pruned = [_pruned(one, member) for one in value]
        kept = [(one, dropped) for one, dropped in pruned if _fits(one, member)]
        return [one for one, _ in kept], len(value) - len(kept) + sum(n for _, n in kept)
    if isinstance(value, dict) and _is_record(annotation):
        dropped = 0
        for info in msgspec.structs.fields(annotation):
            if info.encode_name in value:
                value[info.encode_name], n = _pruned(value[info.encode_name], info.type)
                dropped += n
        return value, dropped
    return value, 0


def _is_record(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _fits(value: Any, member: Any) -> bool:
    try:
        msgspec.convert(value, member)
    except msgspec.ValidationError:
        return False
    return True
