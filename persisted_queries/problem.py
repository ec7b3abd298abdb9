"""What can be wrong with a registry, as errors and as values to report; who notices is elsewhere.

RegistryError
├─ StoreGoneError       the store does not answer, or not in time
├─ MissingError         the store answers, and does not have it
├─ DamagedError         bytes that are not what their name says: corrupt or half-written
├─ SignatureRefusedError  not signed by a key of this platform
├─ ForkedError          the store tells an older or another history than was seen before
└─ PublishRefusedError  what was to be written is refused; the registry is as it was
"""

from __future__ import annotations

from typing import ClassVar, Literal, NamedTuple

Kind = Literal["gone", "missing", "damaged", "signature", "forked", "refused"]


class RegistryError(Exception):
    """Says what, where and a way out."""

    kind: ClassVar[Kind] = "damaged"


class StoreGoneError(RegistryError):
    kind = "gone"


class MissingError(RegistryError):
    kind = "missing"


class DamagedError(RegistryError):
    kind = "damaged"


class SignatureRefusedError(RegistryError):
    kind = "signature"


class ForkedError(RegistryError):
    kind = "forked"


class PublishRefusedError(RegistryError):
    kind = "refused"


class Problem(NamedTuple):
    """Why a registry is not fully read at the moment. `where` is a path in the store."""

    kind: Kind
    where: str
    message: str
